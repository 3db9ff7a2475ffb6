"""`rowcast model import`: an ONNX file that was trained elsewhere becomes a version.

What the file's columns are is told by a table of examples (its first rows, as the model would be asked), or exactly by a
JSON file. The server tries it in a process of its own and says what does not fit.
"""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from api._commands.client import Client
from api._commands.errors import CliError
from api._commands.listing import AsJson, show_json
from api._commands.runs import watch
from api._commands.upload import check_size, upload

MAX_EXAMPLES = 60
BOOLEANS = {"true": True, "false": False}

File = Annotated[Path, typer.Argument(metavar="FILE", help="The ONNX file, at most 50 MB.")]
Name = Annotated[str, typer.Option("--name", metavar="SLUG", help="Name of the model in URLs.")]
Target = Annotated[str, typer.Option("--target", metavar="COLUMN", help="What is predicted.")]
Examples = Annotated[
    Path | None,
    typer.Option("--examples", metavar="CSV", help="Rows as the model reads them, columns in its order."),
]
Classes = Annotated[
    list[str] | None,
    typer.Option("--class", help="A label, in the order of the file's probabilities; none for a regression."),
]
Schema = Annotated[
    Path | None,
    typer.Option(
        "--schema", metavar="JSON", help="Instead: task, classes, features and examples, as the API takes them."
    ),
]
Title = Annotated[str, typer.Option("--title", help="Title for people.")]
Description = Annotated[str, typer.Option("--description", help="What the model is for, in a sentence or two.")]
Public = Annotated[bool, typer.Option("--public/--private", help="Whether anybody may see the model and predict.")]


def model_import(
    file: File,
    *,
    name: Name,
    target: Target,
    examples: Examples = None,
    label: Classes = None,
    schema: Schema = None,
    title: Title = "",
    description: Description = "",
    public: Public = False,
    as_json: AsJson = False,
) -> None:
    """Bring an ONNX file: it is checked, certified runtime to runtime, and becomes the challenger."""
    if (examples is None) == (schema is None):
        raise CliError("describe the file's columns with --examples CSV, or exactly with --schema JSON")
    if not file.is_file():
        raise CliError(f"there is no file {file}")
    check_size(file)
    said = _read_schema(schema) if schema else describe(_read_rows(examples), target, label or [])
    with Client() as client:
        dataset = upload(client, file, name=file.name, kind="model")
        order = {"dataset_id": dataset["id"], "model": name, "target": target, "title": title, **said}
        order |= {"description": description, "visibility": "public" if public else "private"}
        run = watch(client, client.call("POST", "/api/models/import", json=order)["id"])
        model = client.call("GET", f"/api/models/{name}")
        card = client.call("GET", f"/api/models/{name}/card", params={"version": run["version"]})
    if as_json:
        show_json({"run": run, "version": run["version"], "card": card})
        return
    serves = (model["champion"] or {}).get("number") == run["version"]
    parity = card["parity"]
    print(
        f"{name} version {run['version']} is certified and {'answers as champion' if serves else 'waits as challenger'}"
    )
    print(f"  parity  {parity['rows']} rows through {' and '.join(parity['engines'])}: {parity['max_error']:.1e} apart")
    print(f"  basis   {parity['basis']}: nobody here has judged it on labelled rows")


def describe(rows: Sequence[Mapping[str, str]], target: str, classes: Sequence[str]) -> dict[str, Any]:
    """Say what the columns of example rows are: numbers where all cells are, then booleans, else texts."""
    names = [name for name in rows[0] if name != target]
    columns = {name: [row[name] for row in rows] for name in names}
    kinds = {name: _kind(cells) for name, cells in columns.items()}
    task = "regression" if not classes else "binary" if len(classes) == 2 else "multiclass"  # noqa: PLR2004
    features = [
        {
            "name": name,
            "kind": kind,
            "categories": sorted(set(columns[name]) - {""})[:200] if kind == "category" else [],
        }
        for name, kind in kinds.items()
    ]
    examples = [{name: _cell(row[name], kinds[name]) for name in names} for row in rows[:MAX_EXAMPLES]]
    return {"task": task, "classes": list(classes), "features": features, "examples": examples}


def _kind(cells: Sequence[str]) -> str:
    known = [cell for cell in cells if cell]
    if known and all(cell.lower() in BOOLEANS for cell in known):
        return "boolean"
    try:
        numbers = [float(cell) for cell in known]
    except ValueError:
        return "category"
    return "integer" if numbers and all(number.is_integer() for number in numbers) else "number"


def _cell(cell: str, kind: str) -> float | int | bool | str | None:
    if not cell:
        return None
    match kind:
        case "boolean":
            return BOOLEANS[cell.lower()]
        case "integer":
            return int(float(cell))
        case "number":
            return float(cell)
        case _:
            return cell


def _read_rows(file: Path | None) -> list[dict[str, str]]:
    assert file is not None
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            rows = [dict(row) for row in csv.DictReader(lines, restval="")]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CliError(f"{file} cannot be read as CSV: {error}") from error
    if not rows or None in rows[0]:
        raise CliError(f"{file} needs a line of column names and at least one row that fits them")
    return rows


def _read_schema(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CliError(f"{file} cannot be read as JSON: {error}") from error
    if not isinstance(found, dict):
        raise CliError(f"{file} must hold an object with task, classes, features and examples")
    return found
