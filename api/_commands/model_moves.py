"""`rowcast model replay|promote|rollback|alias`: which version answers, moved with a reason and with evidence."""

import time
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from api._commands.client import Client
from api._commands.errors import CliError
from api._commands.listing import AsJson, show_facts, show_json
from api._commands.model import Slug

POLL_SECONDS = 0.3
PATIENCE_SECONDS = 120.0
NOTHING = 0
"""What an alias points at that is not there, as the API says it."""

Number = Annotated[int, typer.Argument(metavar="VERSION", min=1, help="Number of the version.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it is kept for good.")]
ItsAlias = Annotated[str, typer.Option("--alias", help="The alias that moves.")]
Against = Annotated[str, typer.Option("--against", metavar="REF", help="The version it is judged by.")]
Rows = Annotated[int, typer.Option("--rows", min=1, max=5000, help="The newest so many rows.")]
OfDataset = Annotated[str, typer.Option("--dataset", metavar="ID", help="Rows of this dataset instead of logged ones.")]
From = Annotated[
    int | None,
    typer.Option("--from", min=0, help="Only if the alias points at this version now.", show_default=False),
]
AliasName = Annotated[str, typer.Argument(metavar="ALIAS", help="A name of your choice, or challenger.")]
Target = Annotated[int | None, typer.Argument(metavar="[VERSION]", min=1, help="Number of the version.")]
Remove = Annotated[bool, typer.Option("--remove", help="Give the alias up.")]


def model_replay(
    slug: Slug,
    version: Number,
    *,
    against: Against = "champion",
    rows: Rows = 500,
    dataset: OfDataset = "",
    as_json: AsJson = False,
) -> None:
    """Send the newest logged rows, or a dataset, through two versions and show what changes."""
    asked = {"version": version, "against": against, "rows": rows, "dataset_id": dataset or None}
    with Client() as client:
        made = client.call("POST", f"/api/models/{slug}/replays", json=asked)
        gives_up_at = time.monotonic() + PATIENCE_SECONDS
        while made["status"] in {"queued", "running"}:
            if time.monotonic() > gives_up_at:
                raise CliError(f"replay {made['id']} still waits for a worker; ./rowcast status shows whether one runs")
            time.sleep(POLL_SECONDS)
            made = client.call("GET", f"/api/models/{slug}/replays/{made['id']}")
    if made["status"] == "failed":
        raise CliError(made["reason"])
    if as_json:
        show_json(made)
        return
    print(f"{slug}: version {made['version']} against version {made['against']}")
    show_facts({"replay": made["id"], **_shown(made["result"])})


def model_promote(
    slug: Slug,
    version: Number,
    *,
    reason: Reason,
    alias: ItsAlias = "champion",
    seen: From = None,
    as_json: AsJson = False,
) -> None:
    """Let a version answer as champion, or under another alias. What it replaces is what the server showed a moment ago."""
    with Client() as client:
        move(client, slug, alias, version, reason=reason, seen=seen, as_json=as_json)


def model_rollback(slug: Slug, *, reason: Reason, alias: ItsAlias = "champion", as_json: AsJson = False) -> None:
    """Undo the newest promotion of an alias that still stands."""
    with Client() as client:
        order = {"alias": alias, "reason": reason, "from_version": _now(client, slug, alias)}
        done = client.call("POST", f"/api/models/{slug}/rollback", json=order)
    _tell(done, as_json=as_json)


def model_alias(
    slug: Slug,
    alias: AliasName,
    version: Target = None,
    *,
    reason: Reason,
    remove: Remove = False,
    as_json: AsJson = False,
) -> None:
    """Point a name of your choice at a version, or give it up with --remove."""
    if remove == (version is not None):
        raise CliError("name the version, or say --remove")
    with Client() as client:
        if version is None:
            done = client.call("DELETE", f"/api/models/{slug}/aliases/{alias}", params={"reason": reason})
            _tell(done, as_json=as_json)
            return
        move(client, slug, alias, version, reason=reason, seen=None, as_json=as_json)


def move(client: Client, slug: str, alias: str, version: int, *, reason: str, seen: int | None, as_json: bool) -> None:
    """Move an alias away from what it points at now, or from what the caller has seen, and say so."""
    order = {"version": version, "reason": reason}
    order |= {"from_version": _now(client, slug, alias) if seen is None else seen}
    _tell(client.call("PUT", f"/api/models/{slug}/aliases/{alias}", json=order), as_json=as_json)


def _now(client: Client, slug: str, alias: str) -> int:
    aliases = client.call("GET", f"/api/models/{slug}")["aliases"]
    return next((each["number"] for each in aliases if each["name"] == alias), NOTHING)


def _tell(done: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        show_json(done)
        return
    before = f"version {done['from_version']}" if done["from_version"] else "nothing"
    after = f"version {done['to_version']}" if done["to_version"] else "nothing"
    print(f"{done['model']}: {done['alias']} points at {after} now, before at {before}.")
    if replay := done["evidence"].get("replay"):
        print(f"Evidence: a replay of {replay['rows']} rows, {replay['flips']} flips.")
    if done["to_version"] and not done["rollback_of"]:
        print(f"Undo: ./rowcast model rollback {done['model']} --alias {done['alias']} --reason …")


def _shown(result: Mapping[str, Any]) -> dict[str, Any]:
    """Say what a replay has shown, in lines."""
    latency = result["latency"]
    facts = {
        "rows": f"{result['rows']}, {result['unreadable']} more that one version cannot read",
        "flips": f"{result['flips']} ({result['flip_share']:.1%})",
        "largest difference": f"{result['largest_difference']:.3g}",
        "truth known": f"{result['actuals']} rows: {result['gains']} gains, {result['losses']} losses",
        "one row takes": f"{latency['version']['p50_ms']:.2f} ms, before {latency['against']['p50_ms']:.2f} ms",
    }
    if score := result["score"]:
        facts["score"] = f"{score['name']} {score['version']:.4g}, before {score['against']:.4g}"
    return facts
