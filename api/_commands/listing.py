"""Lists for people, and the same lists as JSON for programs."""

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def show_json(found: Any) -> None:
    """Print what the server said, for programs."""
    print(json.dumps(found, indent=2, ensure_ascii=False))


def show_facts(facts: Mapping[str, Any]) -> None:
    """Print what is known about one thing, a line each; what is empty is left out."""
    known = {name: _cell(name, value) for name, value in facts.items() if value not in (None, "", [])}
    width = max(map(len, known), default=0)
    for name, cell in known.items():
        print(f"{name.ljust(width)}  {cell}")


def show_list(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str], *, as_json: bool, empty: str) -> None:
    """Print rows as a table of the named fields (heading: field), or all of them as JSON; `empty` is said when there are none."""
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    if not rows:
        print(empty)
        return
    grid = [list(columns), *([_cell(field, row.get(field)) for field in columns.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*grid, strict=True)]
    for line in grid:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _cell(field: str, value: Any) -> str:
    if value is None:
        return ""
    if field.endswith("_at"):
        return str(value)[:16].replace("T", " ")
    return ", ".join(value) if isinstance(value, list) else str(value)
