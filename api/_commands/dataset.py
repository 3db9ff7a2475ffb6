"""`rowcast dataset …`: tables to train on, what they hold, and what is doubtful about them."""

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from api._commands.client import Client
from api._commands.errors import CliError
from api._commands.listing import AsJson, show_facts, show_json, show_list
from api._commands.upload import check_size, upload

POLL_SECONDS = 0.3
PATIENCE_SECONDS = 60.0

File = Annotated[Path, typer.Argument(metavar="FILE", help="CSV, TSV or Parquet, plain or gzip.")]
Table = Annotated[str, typer.Argument(metavar="SCHEMA.TABLE", help="A table or view that you may read.")]
DatasetId = Annotated[str, typer.Argument(metavar="DATASET", help="Id, as `rowcast dataset list` shows it.")]
Name = Annotated[str, typer.Option("--name", help="A name for people; the file's by default.")]
Source = Annotated[str, typer.Option("--source", help="Where it is from.")]
Licence = Annotated[str, typer.Option("--licence", help="What may be done with it, as CC0-1.0.")]
Columns = Annotated[list[str] | None, typer.Option("--column", help="Only this column; may be repeated.")]
NewestBy = Annotated[str, typer.Option("--newest-by", metavar="COLUMN", help="Rows with its greatest values first.")]
Rows = Annotated[int, typer.Option("--rows", min=1, max=50_000, help="At most.")]
Types = Annotated[
    list[str] | None, typer.Option("--type", metavar="COLUMN=TYPE", help="What a column is; may be repeated.")
]
Drop = Annotated[list[str] | None, typer.Option("--drop", metavar="COLUMN", help="Leave it out; may be repeated.")]
Keep = Annotated[list[str] | None, typer.Option("--keep", metavar="COLUMN", help="Leave it out no longer.")]
Sure = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Do not wait for the profile.")]


def dataset_add(
    file: File, *, name: Name = "", source: Source = "", licence: Licence = "", no_wait: NoWait = False,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Upload a table and show what it holds, with warnings."""
    if not file.is_file():
        raise CliError(f"there is no file {file}")
    check_size(file)
    with Client() as client:
        made = upload(client, file, name=name or file.name, source=source or None, licence=licence or None)
        _tell(client, made, no_wait=no_wait, as_json=as_json)


def dataset_from_table(
    table: Table, *, column: Columns = None, newest_by: NewestBy = "", rows: Rows = 50_000, name: Name = "",
    no_wait: NoWait = False, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Take rows of a table or view, with your own rights, in one look; it is a dataset like any other from then on."""
    asked = {"table": table, "columns": column, "newest_by": newest_by or None, "rows": rows, "name": name or None}
    with Client() as client:
        made = client.call("POST", "/api/datasets", json=asked)["dataset"]
        _tell(client, made, no_wait=no_wait, as_json=as_json)


def dataset_list(*, as_json: AsJson = False) -> None:
    """List your datasets, newest first."""
    with Client() as client:
        found = client.call("GET", "/api/datasets", params={"limit": 100})["datasets"]
    columns = {"id": "id", "name": "name", "rows": "rows", "columns": "columns", "bytes": "size_bytes"}
    columns |= {"status": "status", "created": "created_at", "reason": "reason"}
    show_list(found, columns, as_json=as_json, empty="No datasets yet. Add one with ./rowcast dataset add FILE.csv")


def dataset_show(dataset_id: DatasetId, *, as_json: AsJson = False) -> None:
    """Show the columns of a dataset, and what is doubtful about them."""
    with Client() as client:
        _tell(client, client.call("GET", f"/api/datasets/{dataset_id}"), no_wait=False, as_json=as_json)


def dataset_correct(
    dataset_id: DatasetId, *, kind: Types = None, drop: Drop = None, keep: Keep = None, as_json: AsJson = False
) -> None:
    """Say what a column really is, or leave it out. The file stays as it was uploaded."""
    if not (kind or drop or keep):
        raise CliError("say --type COLUMN=TYPE, --drop COLUMN or --keep COLUMN")
    path = f"/api/datasets/{dataset_id}"
    with Client() as client:
        known = client.call("GET", path)["corrections"]
        types = {**known["types"], **dict(_split(each) for each in kind or [])}
        dropped = [name for name in dict.fromkeys([*known["drop"], *(drop or [])]) if name not in (keep or [])]
        made = client.call("PATCH", path, json={"types": types, "drop": dropped})
        _tell(client, made, no_wait=False, as_json=as_json)


def dataset_delete(dataset_id: DatasetId, *, is_sure: Sure = False) -> None:
    """Delete a dataset and its bytes. One that is being used stays; models trained on it do."""
    if not is_sure and not (sys.stdin.isatty() and typer.confirm(f"Delete dataset {dataset_id} for good?")):
        raise CliError("nothing was done; --yes deletes without asking")
    with Client() as client:
        client.call("DELETE", f"/api/datasets/{dataset_id}")
    print(f"Dataset {dataset_id} is deleted.")


def _split(said: str) -> tuple[str, str]:
    name, _, kind = said.rpartition("=")
    if not (name and kind):
        raise CliError(f"--type {said}: write COLUMN=TYPE, as --type zip=category")
    return name, kind


def _tell(client: Client, dataset: dict[str, Any], *, no_wait: bool, as_json: bool) -> None:
    """Show a dataset with its profile, waiting for that a while."""
    path = f"/api/datasets/{dataset['id']}/profile"
    found = client.call("GET", path)
    gives_up_at = time.monotonic() + PATIENCE_SECONDS
    while found["status"] == "queued" and not no_wait and time.monotonic() < gives_up_at:
        time.sleep(POLL_SECONDS)
        found = client.call("GET", path)
    if as_json:
        show_json({**dataset, "profile": found})
        return
    profile = found["profile"]
    facts = {name: dataset[name] for name in ("id", "name", "filename", "status", "reason", "source", "licence")}
    facts |= {"rows": profile and f"{profile['rows']:,}", "profile": "" if profile else found["status"]}
    show_facts({**facts, "why": found["reason"]})
    if profile:
        print()
        _show_columns(profile, found["corrections"])


def _show_columns(profile: Mapping[str, Any], corrections: Mapping[str, Any]) -> None:
    rows = [
        {
            **column,
            "missing": f"{column['missing_share']:.1%}" if column["missing_share"] else "",
            "said": "left out" if column["name"] in corrections["drop"] else corrections["types"].get(column["name"]),
        }
        for column in profile["columns"]
    ]
    columns = {"column": "name", "type": "type", "missing": "missing", "because": "evidence", "you said": "said"}
    show_list(rows, columns, as_json=False, empty="No columns.")
    if profile["warnings"]:
        print()
    for doubt in profile["warnings"]:
        print(f"note: {doubt['detail']}")
