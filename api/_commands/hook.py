"""`rowcast hook …`: doors that webhooks come in by, and tables whose rows go through one."""

import json
import os
import sys
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from api._commands.client import Client
from api._commands.errors import CliError
from api._commands.listing import AsJson, show_list

_BLANK = "whsec_…"
_NEXT = "Apply it as any migration. Then, once per environment, and in no file:\n  {connect}\n"


class Kind(StrEnum):
    """How a caller proves itself."""

    STANDARD = "standard"
    SUPABASE = "supabase"
    KEY = "key"


class Mode(StrEnum):
    """What a hook does with a prediction."""

    ANSWER = "answer"
    WRITE_BACK = "write_back"
    EVENT = "event"


HookId = Annotated[str, typer.Argument(metavar="HOOK", help="Id of the hook, as `rowcast hook list` shows it.")]
Model = Annotated[str, typer.Option("--model", metavar="NAME", help="Model, or model@alias, or model@number.")]
Name = Annotated[str, typer.Option("--name", help="A name to recognise it by.")]
ItsKind = Annotated[Kind, typer.Option("--kind", help="Signed, a Supabase Database Webhook, or JSON with an API key.")]
ItsMode = Annotated[Mode, typer.Option("--mode", help="Answer; also write into the source row; also emit an event.")]
MappingFile = Annotated[
    Path | None,
    typer.Option("--mapping", metavar="FILE", help="JSON: how a payload becomes rows; by column name if absent."),
]
Table = Annotated[str, typer.Option("--table", metavar="SCHEMA.TABLE", help="Table that predictions are written to.")]
Prefix = Annotated[str, typer.Option("--prefix", help="In front of score, label, version and predicted_at.")]
Payload = Annotated[str, typer.Argument(metavar="FILE", help="A payload as JSON; - reads standard input.")]
Overlap = Annotated[int, typer.Option("--overlap-hours", min=0, max=720, help="How long the secret before goes on.")]
AttachedTable = Annotated[str, typer.Argument(metavar="TABLE", help="Table, or schema.table.")]
Keys = Annotated[
    list[str] | None, typer.Option("--key", metavar="COLUMN", help="Names a row; may be repeated. By default id.")
]
OnUpdate = Annotated[bool, typer.Option("--on-update", help="Also when a column that the model reads has changed.")]
Actual = Annotated[
    str | None,
    typer.Option("--actual", metavar="COLUMN", help="Will hold what turned out to be true: taken as an actual."),
]
ObservedAt = Annotated[
    str | None,
    typer.Option("--observed-at", metavar="COLUMN", help="Says since when that is known; else when it came."),
]
Out = Annotated[Path, typer.Option("--out", metavar="PATH", help="File, or folder, to write the migration to.")]
Apply = Annotated[bool, typer.Option("--apply", help="Apply it here and connect it, over DATABASE_URL.")]


def hook_create(
    *,
    model: Model,
    name: Name = "",
    kind: ItsKind = Kind.STANDARD,
    mode: ItsMode = Mode.ANSWER,
    mapping: MappingFile = None,
    table: Table = "",
    prefix: Prefix = "",
    as_json: AsJson = False,
) -> None:
    """Open a hook. Its secret is printed once: keep it where the sender reads it."""
    asked: dict[str, Any] = {"name": name or model, "model": model, "kind": kind, "mode": mode, "prefix": prefix}
    if mapping:
        asked["mapping"] = _read_json(str(mapping))
    with Client() as client:
        made = client.call("POST", "/api/hooks", json={**asked, "table": table or None})
    if as_json:
        print(json.dumps(made, indent=2))
        return
    print(f"{made['url']}\n{made['secret'] or 'Send an API key of yours in x-api-key.'}")
    if made["secret"]:
        header = "the header x-rowcast-secret" if kind == Kind.SUPABASE else "what messages are signed with"
        print(f"\nThe second line is {header}, shown this once. Try it: ./rowcast hook test {made['id']} payload.json")


def hook_list(*, as_json: AsJson = False) -> None:
    """List your hooks, without their secrets."""
    with Client() as client:
        hooks = client.call("GET", "/api/hooks")["hooks"]
    columns = {"id": "id", "name": "name", "model": "model", "alias": "alias", "kind": "kind", "mode": "mode"}
    columns |= {"table": "table", "enabled": "enabled", "refused": "refused_count"}
    show_list(hooks, columns, as_json=as_json, empty="No hooks yet. Open one with ./rowcast hook create --model NAME")


def hook_test(hook_id: HookId, payload: Payload, *, as_json: AsJson = False) -> None:
    """Show what a payload would become. Nothing is recorded, written or sent."""
    sent = {"payload": _read_json(payload)}
    with Client() as client:
        tried = client.call("POST", f"/api/hooks/{hook_id}/test", json=sent)
    if as_json:
        print(json.dumps(tried, indent=2))
    elif tried["outcome"] == "refused":
        details = [f"{each['pointer']}: {each['detail']}" for each in tried["errors"]]
        raise CliError(f"refused: {tried['reason']}", details if len(details) > 1 else ())
    elif tried["outcome"] == "ignored":
        print(f"ignored: {tried['reason']}")
    else:
        for row in tried["rows"]:
            print(f"{row['place']}  {json.dumps(row['features'], ensure_ascii=False)}")
            print(f"  → {json.dumps(row['prediction'], ensure_ascii=False)}")


def hook_rotate(hook_id: HookId, *, overlap_hours: Overlap = 24) -> None:
    """Give a hook a new secret, which is printed once; the one before goes on for a while."""
    with Client() as client:
        made = client.call("POST", f"/api/hooks/{hook_id}/rotate", json={"overlap_seconds": overlap_hours * 3600})
    print(f"{made['secret']}\n\nShown this once. The secret before goes on for {overlap_hours} hours.")


def hook_delete(hook_id: HookId) -> None:
    """Close a hook for good. Its predictions stay."""
    with Client() as client:
        client.call("DELETE", f"/api/hooks/{hook_id}")
    print(f"Hook {hook_id} is closed.")


def hook_attach(
    table: AttachedTable,
    *,
    model: Model,
    key: Keys = None,
    name: Name = "",
    mapping: MappingFile = None,
    prefix: Prefix = "",
    on_update: OnUpdate = False,
    actual: Actual = None,
    observed_at: ObservedAt = None,
    out: Out = Path(),
    apply: Apply = False,
) -> None:
    """Let the rows of a table be predicted: opens a hook and writes one SQL migration. New rows get their prediction back."""
    asked = {
        "name": name or f"Table {table}"[:80],
        "model": model,
        "mode": "write_back",
        "table": table,
        "prefix": prefix,
    }
    if mapping:
        asked["mapping"] = _read_json(str(mapping))
    database = _database_url() if apply else ""
    with Client() as client:
        hook = client.call("POST", "/api/hooks", json=asked)
        order = {"key": key or ["id"], "on_update": on_update, "actual": actual, "observed_at": observed_at}
        try:
            made = client.call("POST", f"/api/hooks/{hook['id']}/migration", json=order)
            path = _write(out, made)
            connect = made["connect"].replace(_BLANK, hook["secret"])
            if apply:
                _execute(database, made["sql"], connect)
        except CliError:
            client.call("DELETE", f"/api/hooks/{hook['id']}")  # all of it, or nothing
            raise
    print(f"{path}\n")
    print(f"Applied: new rows of {table} get their prediction." if apply else _NEXT.format(connect=connect))
    print(f"Rows that are there already are predicted by:\n  select rowcast.queue_missing('{hook['id']}');")


def _read_json(name: str) -> Any:
    try:
        return json.loads(sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8"))
    except OSError as error:
        raise CliError(f"{name} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise CliError(f"{name} is not JSON: {error}") from error


def _write(out: Path, made: Mapping[str, str]) -> Path:
    path = out / made["filename"] if out.is_dir() else out
    try:
        path.write_text(made["sql"], encoding="utf-8")
    except OSError as error:
        raise CliError(f"{path} cannot be written: {error.strerror}") from error
    return path


def _database_url() -> str:
    """Find the database: the environment names one, else it is that of the stack which runs here."""
    from api._stack.secrets import read_env
    from api._stack.settings import Settings

    known = os.environ.get("DATABASE_URL") or read_env(Settings.load(os.environ).env_file).get("DATABASE_URL")
    if not known:
        raise CliError("set DATABASE_URL to apply the migration")
    return known


def _execute(database: str, *statements: str) -> None:
    """Apply the migration and connect it, in one transaction."""
    import psycopg

    try:
        with psycopg.connect(database, connect_timeout=5) as connection:
            for statement in statements:
                connection.execute(statement.encode())
    except psycopg.Error as error:
        raise CliError(f"the database refused: {error.diag.message_primary or error}") from error
