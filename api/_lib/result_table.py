"""Predictions as a table: the rows as they came, with the prediction beside each, safe to open in a spreadsheet.

A batch ends in such a file, and a request that asks for CSV is answered with one.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from api._lib.spreadsheet import harmless
from models.contract import Card
from models.runtime import Prediction

ERROR = "error"


def header(names: Sequence[str], card: Card, *further: str) -> list[str]:
    """Name the columns: the table's own, those of the prediction, and further ones."""
    if card.classes:
        added = ["prediction", *(f"probability_{label}" for label in card.classes)]
    else:
        added = ["prediction", *(["prediction_low", "prediction_high"] if card.interval else [])]
    taken = list(names)
    for name in (*added, *further):
        taken.append(_free(name, taken))
    return taken


def outcome(answer: Prediction) -> list[Any]:
    """Write one prediction in the order of the header."""
    if "label" in answer:
        return [answer["label"], *answer["probabilities"].values()]
    interval = answer.get("interval")
    return [answer["value"], *([interval["low"], interval["high"]] if interval else [])]


def outcome_or_error(answer: Prediction | str, card: Card) -> list[Any]:
    """Write one prediction, or why there is none, where `ERROR` is the column behind it."""
    if isinstance(answer, str):
        count = len(card.classes) if card.classes else 2 * bool(card.interval)
        return [*[""] * (1 + count), answer]
    return [*outcome(answer), ""]


def write_table(rows: Sequence[Mapping[str, Any]], answers: Sequence[Prediction], card: Card) -> bytes:
    """Write rows in any order of names, and what was predicted for each."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = (
        [*(_cell(row.get(name)) for name in names), *outcome(answer)] for row, answer in zip(rows, answers, strict=True)
    )
    return write_lines([header(names, card), *lines])


def _cell(value: Any) -> Any:
    """Write a cell as a CSV has it: nothing where it is unknown, and what no table knows as JSON."""
    if value is None or isinstance(value, str):
        return value or ""
    return orjson.dumps(value).decode()


def write_lines(lines: Iterable[Sequence[Any]]) -> bytes:
    """Write lines as CSV; a text that a spreadsheet would run gets an apostrophe in front."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([harmless(cell) for cell in line] for line in lines)
    return text.getvalue().encode()


def _free(name: str, taken: Sequence[str]) -> str:
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    return free
