"""What a prediction looks like: on the terminal, and in a CSV beside the rows it belongs to."""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from api._commands.errors import CliError, describe
from api._lib.spreadsheet import harmless

if TYPE_CHECKING:
    from rich.table import Table

SHOWN_ROWS = 20
SHOWN_WARNINGS = 10
BAR_CELLS = 30


def show(answer: Mapping[str, Any]) -> None:
    """Print an answer: one row with all its probabilities, several as a table, and what was odd about the rows."""
    from rich.console import Console

    console = Console(highlight=False)
    predictions = answer["predictions"]
    version = f" version {answer['version']}" if answer.get("version") else ""
    console.print(f"{answer['model']}{version}", style="bold", markup=False)
    console.print(_one(predictions[0]) if len(predictions) == 1 else _many(predictions))
    if len(predictions) > SHOWN_ROWS:
        console.print(f"… {len(predictions) - SHOWN_ROWS:,} more; --out FILE.csv keeps them all", markup=False)
    warnings = answer["warnings"]
    for warning in warnings[:SHOWN_WARNINGS]:
        console.print(f"note: {describe(**warning)}", markup=False, style="yellow")
    if len(warnings) > SHOWN_WARNINGS:
        console.print(f"note: … and {len(warnings) - SHOWN_WARNINGS} more", style="yellow")


def write(out: Path, rows: Sequence[Mapping[str, Any]], answer: Mapping[str, Any]) -> None:
    """Write the whole answer (.json), or each row with its prediction beside it (.csv)."""
    try:
        if out.suffix == ".json":
            out.write_text(json.dumps(answer, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        else:
            lines = [{**row, **_cells(made)} for row, made in zip(rows, answer["predictions"], strict=True)]
            with out.open("w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file)
                writer.writerow(map(harmless, lines[0]))
                writer.writerows([harmless(line.get(name, "")) for name in lines[0]] for line in lines)
    except OSError as error:
        raise CliError(f"{out} cannot be written: {error.strerror}") from error
    print(f"{len(rows):,} prediction{'s' if len(rows) > 1 else ''} written to {out}")


def _one(made: Mapping[str, Any]) -> "Table":
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2, 0, 0))
    if "label" not in made:
        grid.add_row(Text(_value(made), style="bold"), Text(_sureness(made)))
        return grid
    for name, share in sorted(made["probabilities"].items(), key=lambda each: -each[1])[:SHOWN_ROWS]:
        style = "bold" if name == made["label"] else ""
        grid.add_row(Text(name, style=style), Text(f"{share:.1%}", style=style), Text("█" * round(share * BAR_CELLS)))
    return grid


def _many(predictions: Sequence[Mapping[str, Any]]) -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table("row", "prediction", "how sure", box=None, padding=(0, 2, 0, 0))
    for number, made in enumerate(predictions[:SHOWN_ROWS], start=1):
        table.add_row(str(number), Text(_value(made)), Text(_sureness(made)))
    return table


def _value(made: Mapping[str, Any]) -> str:
    return str(made["label"]) if "label" in made else f"{made['value']:.6g}"


def _sureness(made: Mapping[str, Any]) -> str:
    if "label" in made:
        return f"{made['probabilities'][made['label']]:.1%}"
    if interval := made.get("interval"):
        return f"{interval['coverage']:.0%} between {interval['low']:.6g} and {interval['high']:.6g}"
    return ""


def _cells(made: Mapping[str, Any]) -> dict[str, Any]:
    """Name the parts of one prediction as columns of a CSV."""
    if "label" in made:
        return {
            "prediction": made["label"],
            **{f"probability_{name}": share for name, share in made["probabilities"].items()},
        }
    interval = made.get("interval") or {}
    return {"prediction": made["value"], **{f"prediction_{end}": interval[end] for end in ("low", "high") if interval}}
