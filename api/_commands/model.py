"""`rowcast model list|show|compare|history`: what there is, what answers, and how it came to."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import typer

from api._commands.client import Client
from api._commands.listing import AsJson, show_facts, show_json, show_list

Slug = Annotated[str, typer.Argument(metavar="MODEL", help="Name of the model in URLs.")]
Reference = Annotated[str, typer.Option("--version", metavar="REF", help="Alias or number of the version.")]
Archived = Annotated[bool, typer.Option("--archived", help="Those in the archive instead.")]
At = Annotated[
    datetime | None, typer.Option("--at", help="What was live then (UTC), instead of all moves.", show_default=False)
]
Newer = Annotated[str, typer.Argument(metavar="B", help="Alias or number of the version that is judged.")]
Older = Annotated[str, typer.Argument(metavar="A", help="The version it is judged by.")]


def model_list(*, archived: Archived = False, as_json: AsJson = False) -> None:
    """List the models that you may see, newest first."""
    with Client() as client:
        found = client.call("GET", "/api/models", params={"archived": archived})["models"]
    rows = found if as_json else [{**each, **_standing(each)} for each in found]
    columns = {"model": "slug", "title": "title", "target": "target", "task": "task", "visibility": "visibility"}
    columns |= {"champion": "champion", "score": "score", "updated": "updated_at"}
    empty = "No models here." if archived else "No models yet. Train one with ./rowcast train FILE.csv --target COLUMN"
    show_list(rows, columns, as_json=as_json, empty=empty)


def model_show(slug: Slug, *, as_json: AsJson = False) -> None:
    """Show a model, its aliases and its versions."""
    with Client() as client:
        model = client.call("GET", f"/api/models/{slug}")
        versions = client.call("GET", f"/api/models/{slug}/versions")["versions"]
    if as_json:
        show_json({**model, "versions": versions})
        return
    facts = {name: model[name] for name in ("slug", "title", "description", "task", "target", "visibility")}
    facts |= {"archived since": model["archived_at"]}
    show_facts(facts)
    print()
    rows = [{**each, "score": _score(each), "state": "file deleted" if each["deleted_at"] else ""} for each in versions]
    columns = {"version": "number", "aliases": "aliases", "score": "score", "rows": "rows", "made": "created_at"}
    columns |= {"digest": "short", "state": "state", "note": "note"}
    show_list([{**row, "short": row["digest"][:12]} for row in rows], columns, as_json=False, empty="No versions.")


def model_compare(slug: Slug, b: Newer, a: Older = "champion", *, as_json: AsJson = False) -> None:
    """Put version B beside version A: scores with intervals, features, size, certificate."""
    with Client() as client:
        found = client.call("GET", f"/api/models/{slug}/compare", params={"a": a, "b": b})
    if as_json:
        show_json(found)
        return
    sides = (found["a"], found["b"])
    print(f"{slug}: version {sides[1]['number']} against version {sides[0]['number']}\n")
    rows = [
        {**metric, "before": _interval(metric["a"]), "after": _interval(metric["b"])} for metric in found["metrics"]
    ]
    show_list(
        rows, {"score": "name", "A": "before", "B": "after", "B is": "verdict"}, as_json=False, empty="No scores."
    )
    print()
    show_list(
        [{"what": what, "a": _side(sides[0], key), "b": _side(sides[1], key)} for what, key in _SIDES.items()],
        {"": "what", "A": "a", "B": "b"},
        as_json=False,
        empty="",
    )
    if not found["same_data"]:
        print("\nThe two were judged on different data: scores do not tell which is better; replay rows through both.")


def model_history(slug: Slug, *, at: At = None, as_json: AsJson = False) -> None:
    """Tell who moved which alias when and why; with --at, what was live at that moment."""
    with Client() as client:
        if at is not None:
            moment = at.strftime("%Y-%m-%dT%H:%M:%SZ")
            found = client.call("GET", f"/api/models/{slug}/history", params={"at": moment})
            live = {"alias": "name", "version": "version", "since": "since_at", "reason": "reason"}
            rows = [{**each, "since_at": each["since"]} for each in found["aliases"]]
            if as_json:
                show_json(found)
            else:
                show_list(rows, live, as_json=False, empty="Nothing was live then.")
            return
        moves = client.call("GET", f"/api/models/{slug}/promotions")["promotions"]
    columns = {"when": "promoted_at", "alias": "alias", "from": "from_version", "to": "to_version", "reason": "reason"}
    columns |= {"by": "promoted_by", "undoes": "rollback_of"}
    show_list(moves, columns, as_json=as_json, empty="Nothing was moved, as far as you may see.")


_SIDES = {
    "recipe": "recipe",
    "features": "features",
    "bytes": "size_bytes",
    "trained": "trained_at",
    "parity": "parity",
}


def _side(side: Mapping[str, Any], key: str) -> str:
    if key == "parity":
        return f"{side[key]['rows']:,} rows, {side[key]['label_flips']} flips, {side[key]['max_error']:.1e}"
    return str(side[key])[:16].replace("T", " ") if key.endswith("_at") else str(side[key])


def _standing(model: Mapping[str, Any]) -> dict[str, Any]:
    champion = model["champion"]
    return {"champion": champion and champion["number"], "score": champion and _score(champion)}


def _score(version: Mapping[str, Any]) -> str:
    """Say the score that the search optimised."""
    metric = next((each for each in version["metrics"] if each["primary"]), None)
    return f"{metric['name']} {metric['value']:.4g}" if metric else ""


def _interval(found: Mapping[str, Any] | None) -> str:
    return f"{found['value']:.4g} ({found['low']:.4g} to {found['high']:.4g})" if found else ""
