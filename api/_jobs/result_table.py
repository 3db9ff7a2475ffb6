"""The file that a batch ends in: the rows as they came, with the prediction beside each, safe to open in a spreadsheet."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from api._lib.spreadsheet import harmless
from models.contract import Card
from models.runtime import Prediction

ERROR = "error"


def header(names: Sequence[str], card: Card) -> list[str]:
    """Name the columns: the file's own, those of the prediction, and why there is none."""
    if card.classes:
        added = ["prediction", *(f"probability_{label}" for label in card.classes)]
    else:
        added = ["prediction", *(["prediction_low", "prediction_high"] if card.interval else [])]
    taken = list(names)
    for name in (*added, ERROR):
        taken.append(_free(name, taken))
    return taken


def outcome(answer: Prediction | str, card: Card) -> list[Any]:
    """Write one prediction, or why there is none, in the order of the header."""
    if isinstance(answer, str):
        count = len(card.classes) if card.classes else 2 * bool(card.interval)
        return [*[""] * (1 + count), answer]
    if "label" in answer:
        return [answer["label"], *answer["probabilities"].values(), ""]
    interval = answer.get("interval")
    return [answer["value"], *([interval["low"], interval["high"]] if interval else []), ""]


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
