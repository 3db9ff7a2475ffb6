"""A table through a model, some rows at a time. The cells are read as at every other door; a row that cannot be read
says why, and the others are scored all the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any
from urllib.parse import unquote

from api._jobs.errors import RunRejected
from api._lib import result_table
from models.contract import Card
from models.errors import FieldError, InvalidRows
from models.runtime import OnnxModel, Prediction

_ROW_POINTER = "#/rows/0"


@dataclass(frozen=True, slots=True)
class Scored:
    """Some rows with their predictions, as CSV lines."""

    content: bytes
    rows: int
    failed: int


class Scorer:
    """One table and one model."""

    def __init__(self, engine: OnnxModel, columns: Mapping[str, Sequence[str]]) -> None:
        """Match the table with the model.

        Raises:
            RunRejected: its columns are not the model's.
        """
        card = engine.card
        check_columns(list(columns), card)
        features = {feature.name for feature in card.features}
        self._engine = engine
        self._all = columns
        self._read = {name: cells for name, cells in columns.items() if name in features}
        self.rows = len(next(iter(columns.values())))

    def header(self) -> bytes:
        """Write the line of column names."""
        return result_table.write_lines([result_table.header(list(self._all), self._engine.card, result_table.ERROR)])

    def score(self, start: int, stop: int) -> Scored:
        """Score the rows from one position to before another."""
        answers = self._answers({name: cells[start:stop] for name, cells in self._read.items()})
        rows = zip(*(cells[start:stop] for cells in self._all.values()), strict=True)
        card = self._engine.card
        lines = [
            [*row, *result_table.outcome_or_error(answer, card)] for row, answer in zip(rows, answers, strict=True)
        ]
        return Scored(result_table.write_lines(lines), len(lines), sum(isinstance(answer, str) for answer in answers))

    def _answers(self, columns: Mapping[str, Sequence[str]]) -> Sequence[Prediction | str]:
        try:
            return self._engine.predict_columns(columns)
        except InvalidRows:
            rows = zip(*columns.values(), strict=True)
            return [self._answer(dict(zip(columns, cells, strict=True))) for cells in rows]

    def _answer(self, row: Mapping[str, Any]) -> Prediction | str:
        try:
            return self._engine.predict([row])[0]
        except InvalidRows as refused:
            return "; ".join(map(_fault, refused.errors))


def check_columns(names: Sequence[str], card: Card) -> None:
    """Refuse a table that lacks what the model needs, or where a column looks like one that the model misses.

    Other columns are carried along unread: a file has ids and notes that no model was trained on.
    """
    features = [feature.name for feature in card.features]
    lacking = [feature for feature in card.features if feature.name not in names]
    unknown = [name for name in names if name not in {*features, card.target, *card.ignored_columns}]
    for feature in lacking:
        close = get_close_matches(feature.name.lower(), [name.lower() for name in unknown], n=1)
        if close:
            meant = next(name for name in unknown if name.lower() == close[0])
            raise RunRejected(
                f"The file has a column {meant!r} where the model reads {feature.name!r}: rename it, or leave it out."
            )
    required = [feature.name for feature in lacking if feature.required]
    if required:
        raise RunRejected(f"The file lacks what the model needs: {', '.join(required[:10])}.")
    if len(lacking) == len(features):
        raise RunRejected(f"No column of the file is known to the model, which reads {', '.join(features[:10])}.")


def _fault(error: FieldError) -> str:
    step = error.pointer.removeprefix(_ROW_POINTER).removeprefix("/")
    name = unquote(step).replace("~1", "/").replace("~0", "~")
    return f"{name}: {error.detail}" if name else error.detail
