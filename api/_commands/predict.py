"""`rowcast predict`: rows from the command line or a CSV through a model, as a table, JSON or CSV."""

import csv
import io
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from api._commands import answer as answers
from api._commands import batch as batches
from api._commands.client import FORBIDDEN, UNAUTHORIZED, Client
from api._commands.errors import CliError, RequestRefused, moved, summarise
from api._commands.listing import AsJson
from api._commands.upload import MAX_UPLOAD_BYTES

PART_ROWS = 1000
PART_BYTES = 4_000_000
"""The API takes 4.5 MB at a time. A larger file is scored in the background, or sent in parts by who may not do that."""

Row = dict[str, Any]

Model = Annotated[str, typer.Argument(metavar="MODEL", help="penguins, penguins@challenger or penguins@3.")]
OneRow = Annotated[str, typer.Option("--row", metavar="JSON", help="One row: an object of column names and values.")]
File = Annotated[str, typer.Option("--csv", metavar="FILE", help="A CSV with a header line; - reads standard input.")]
Out = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Write every prediction there: .csv (beside the input's columns) or .json."),
]
Offline = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Predict here, with model.onnx and card.json of a folder.")
]


def predict(
    model: Model = "",
    *,
    row: OneRow = "",
    table: File = "",
    offline: Offline = None,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Predict one row or a whole CSV."""
    if bool(row) == bool(table):
        raise CliError("give either --row JSON or --csv FILE")
    if bool(model) == bool(offline):
        raise CliError("name a model, or a folder with --offline DIR")
    if out is not None and out.suffix not in {".csv", ".json"}:
        raise CliError(f"{out} is neither .csv nor .json: the ending chooses the format")
    if model and table not in {"", "-"} and not as_json and _score_file(model, Path(table), out):
        return
    rows = [_parse_row(row)] if row else _read_csv(table)
    answer = _predict_here(offline, rows) if offline else _predict_there(model, rows)
    if out is not None:
        answers.write(out, rows, answer)
    elif as_json:
        print(json.dumps(answer, indent=2, ensure_ascii=False))
    else:
        answers.show(answer)


def _score_file(model: str, file: Path, out: Path | None) -> bool:
    """Score a file above the size of a request in the background; False where that is not the way."""
    size = file.stat().st_size if file.is_file() else 0
    if not PART_BYTES < size <= MAX_UPLOAD_BYTES or (out is not None and out.suffix != ".csv"):
        return False
    out = out or Path(f"{file.stem}.predicted.csv")
    with Client() as client:
        if not client.is_somebody:
            return False
        try:
            batch = batches.score(client, model, file, out)
        except RequestRefused as refusal:
            if refusal.status in {UNAUTHORIZED, FORBIDDEN}:  # not an analyst: predictions are for everybody
                return False
            raise
    print(f"{batch['rows_done']:,} rows of {file} scored by {batch['model']} version {batch['version']}: {out}")
    if batch["rows_failed"]:
        print(f"{batch['rows_failed']:,} of them cannot be read; the column error says why", file=sys.stderr)
    return True


def _parse_row(text: str) -> Row:
    try:
        row = json.loads(text)
    except ValueError as error:
        raise CliError(f"--row is not JSON: {error}") from error
    if not isinstance(row, dict):
        raise CliError('--row is not an object; write it as {"column": value, …}')
    return row


def _read_csv(name: str) -> list[Row]:
    """Read rows as text: the model's card decides what each cell is, the same way at every door."""
    try:
        raw = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        name = "standard input" if name == "-" else name
        text = raw.decode("utf-8-sig")
    except OSError as error:
        raise CliError(f"{name} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CliError(f"{name} is not UTF-8 (byte {error.start + 1}); save it as UTF-8") from error
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(lines, [])
        rows = [_named(header, line) for line in lines if line]
    except (csv.Error, ValueError) as error:
        raise CliError(f"{name}: line {lines.line_num}: {error}") from error
    if len(set(header)) < len(header):
        raise CliError(f"{name} has two columns of one name; rename one of them")
    if not rows:
        raise CliError(f"{name} has no rows")
    return rows


def _named(header: Sequence[str], line: Sequence[str]) -> Row:
    if len(line) != len(header):
        raise ValueError(f"{len(line)} fields under a header of {len(header)}; quote cells that hold a comma")
    return dict(zip(header, line, strict=True))


def _predict_there(model: str, rows: Sequence[Row]) -> dict[str, Any]:
    """Ask the server in parts; later ones name the first one's version, so that a promotion cannot split a file."""
    merged: dict[str, Any] = {}
    with Client() as client, batches.bar() as progress:
        task = progress.add_task("predicting", total=len(rows), visible=len(rows) > PART_ROWS)
        for first_row, body in _parts(rows):
            path = f"/api/predict/{quote(model, safe='@')}"
            headers = {"content-type": "application/json"}
            answer = client.call("POST", path, content=body, headers=headers, first_row=first_row)
            warnings = [{**each, "pointer": moved(each["pointer"], first_row)} for each in answer["warnings"]]
            progress.update(task, completed=first_row + len(answer["predictions"]))
            if merged:
                merged["predictions"] += answer["predictions"]
                merged["warnings"] += warnings
            else:
                merged = {**answer, "warnings": warnings}
                model = f"{answer['model']}@{answer['version']}" if answer["version"] else model
    return merged


def _parts(rows: Sequence[Row]) -> Iterator[tuple[int, bytes]]:
    """Cut rows into request bodies below what a function may receive; each comes with the number of rows before it."""
    first_row, size, parts = 0, 0, list[bytes]()
    for number, row in enumerate(rows):
        part = json.dumps(row, ensure_ascii=False).encode()
        if parts and (len(parts) == PART_ROWS or size + len(part) > PART_BYTES):
            yield first_row, b'{"rows":[%b]}' % b",".join(parts)
            first_row, size, parts = number, 0, []
        parts.append(part)
        size += len(part) + 1
    yield first_row, b'{"rows":[%b]}' % b",".join(parts)


def _predict_here(folder: Path, rows: Sequence[Row]) -> dict[str, Any]:
    """Run the model of a folder in this process; the answer has the server's shape without its id and timing."""
    from pydantic import ValidationError

    from models.contract import Card
    from models.errors import InvalidRows
    from models.runtime import OnnxModel

    try:
        card = Card.model_validate_json((folder / "card.json").read_bytes())
        model = OnnxModel.open(folder / "model.onnx", card)
        encoded = model.encode(rows)
        predictions = model.decode(model.run(encoded))
    except OSError as error:
        raise CliError(f"{folder} holds no model.onnx with its card.json: {error.strerror}") from error
    except ValidationError as error:
        raise CliError(f"{folder}/card.json is not a card: {error.errors()[0]['msg']}") from error
    except InvalidRows as error:
        raise CliError(*summarise(str(error), error.errors)) from error
    warnings = [each._asdict() for each in encoded.warnings]
    return {"model": card.name, "task": card.task, "predictions": predictions, "warnings": warnings}
