"""Decides what each column of a table is, and says why.

Cells come as text and are judged by their distinct values: ids, leading zeros, free text, dates and columns that never
change are recognised before they can do harm. What is left out is named in a warning and may still stand in a row.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from models.coercion import coerce_boolean, coerce_category, coerce_number
from models.contract import FeatureKind
from models.errors import CoercionError, DatasetRejected

MAX_CATEGORIES = 200
"""How many values of a category a model knows; rarer ones count as unseen."""

_COVERED_SHARE = 0.8  # of the rows, by the known categories: below it the column is free text
_DISTINCT_SHARE = 0.5  # of the rows: above it nearly every row has its own text
_FEW_DISTINCT = 10
_NUMERIC_SHARE = 0.95  # of the cells: a few odd words in a column of numbers count as missing
_ID_NAME = re.compile(
    r"(?:^|.*[\W_])(?:id|ids|uuid|guid|index|rowid|rownames|row_?num(?:ber)?)$|^unnamed.*", re.IGNORECASE
)
_ID_NAME_CAMEL = re.compile(r".*[a-z]I[dD]$")
_LEADING_ZERO = re.compile(r"[+-]?0\d+")
_DATE = re.compile(r"\d{4}-\d{1,2}-\d{1,2}\b.*|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}\b.*")
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")
_TRUTH_WORDS = frozenset({"true", "false", "yes", "no"})


@dataclass(frozen=True)
class Column:
    """A column that a model can learn from: numbers as float64 with NaN, or texts with ""."""

    name: str
    kind: FeatureKind
    evidence: str
    content: NDArray[np.float64] | NDArray[np.object_]
    missing: int
    distinct: int
    warning: str | None = None


@dataclass(frozen=True)
class Profile:
    """What the columns are, and which were left out for which reason."""

    columns: list[Column]
    left_out: dict[str, str]
    warnings: list[str] = field(default_factory=list)

    def summary(self) -> list[dict[str, object]]:
        """Give the profile as JSON-able facts, one object per column."""
        kept: list[dict[str, object]] = [
            {
                "name": column.name,
                "kind": column.kind,
                "evidence": column.evidence,
                "missing": column.missing,
                "distinct": column.distinct,
            }
            for column in self.columns
        ]
        return kept + [{"name": name, "kind": None, "evidence": reason} for name, reason in self.left_out.items()]


class _LeftOutError(Exception):
    """A column teaches nothing; the text says why."""


def profile_columns(columns: Mapping[str, Sequence[str]], drop: Sequence[str] = ()) -> Profile:
    """Judge every column. Raises DatasetRejected when none is of use."""
    kept: list[Column] = []
    left_out: dict[str, str] = {}
    for name, cells in columns.items():
        if name in drop:
            left_out[name] = "you asked to leave it out"
            continue
        try:
            kept.append(_column(name, cells))
        except _LeftOutError as reason:
            left_out[name] = str(reason)
    if not kept:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in list(left_out.items())[:5])
        raise DatasetRejected(
            f"no column is left to learn from ({reasons}): add a column that says something about the target"
        )
    warnings = [f"Column {name!r} is left out: {reason}." for name, reason in left_out.items() if name not in drop]
    warnings += [column.warning for column in kept if column.warning]
    return Profile(kept, left_out, warnings)


def _column(name: str, cells: Sequence[str]) -> Column:
    counts = Counter(cells)
    texts = {cell: _text(cell) for cell in counts}
    present: Counter[str] = Counter()
    for cell, count in counts.items():
        present[texts[cell]] += count
    missing = present.pop("", 0)
    rows = len(cells) - missing
    if not present:
        raise _LeftOutError("it has no values")
    if len(present) == 1:
        raise _LeftOutError(f"its only value is {_short(next(iter(present)))!r}")
    if {text.lower() for text in present} <= _TRUTH_WORDS:
        values = _mapped(cells, {cell: coerce_boolean(cell) for cell in counts})
        return Column(name, "boolean", "true or false throughout", values, missing, len(present))
    numbers = _numbers(present)
    numeric = sum(present[text] for text in numbers)
    if numeric == rows or (numeric >= _NUMERIC_SHARE * rows and len(numbers) > _FEW_DISTINCT):
        return _numeric_column(name, cells, texts, present, numbers)
    _refuse_free_text(present, rows)
    array = np.array([texts[cell] for cell in cells], dtype=object)
    return Column(name, "category", _text_evidence(present, numbers), array, missing, len(present))


def _text(cell: str) -> str:
    try:
        return coerce_category(cell)
    except CoercionError:  # half a surrogate pair cannot be stored in a model
        return ""


def _numbers(present: Mapping[str, int]) -> dict[str, float]:
    """Read the texts that are numbers; none at all when one has leading zeros, because then they are codes."""
    if any(map(_LEADING_ZERO.fullmatch, present)):
        return {}
    numbers = {}
    for text in present:
        try:
            numbers[text] = coerce_number(text)
        except CoercionError:
            continue
    return numbers


def _numeric_column(
    name: str, cells: Sequence[str], texts: Mapping[str, str], present: Counter[str], numbers: Mapping[str, float]
) -> Column:
    whole = all(number.is_integer() for number in numbers.values()) and not any("." in text for text in numbers)
    rows = present.total()
    if whole:
        _refuse_row_ids(name, rows, set(numbers.values()))
    if len(set(numbers.values())) == 1:
        raise _LeftOutError(f"its only value is {_short(next(iter(numbers)))!r}")
    values = _mapped(cells, {cell: numbers.get(text, np.nan) for cell, text in texts.items()})
    odd = [text for text in present if text not in numbers]
    warning = None
    if odd:
        count = sum(present[text] for text in odd)
        warning = (
            f"Column {name!r} holds numbers but for {count} cells such as {_short(odd[0])!r}, which count as missing."
        )
    evidence = "whole numbers throughout" if whole else "numbers throughout"
    return Column(
        name, "integer" if whole else "number", evidence, values, int(np.isnan(values).sum()), len(numbers), warning
    )


def _refuse_row_ids(name: str, rows: int, values: set[float]) -> None:
    if len(values) < rows:
        return
    if max(values) - min(values) + 1 == rows:
        raise _LeftOutError("it counts the rows")
    if _ID_NAME.match(name) or _ID_NAME_CAMEL.match(name):
        raise _LeftOutError("it is an id, another in every row")


def _refuse_free_text(present: Counter[str], rows: int) -> None:
    distinct = len(present)
    if distinct <= _FEW_DISTINCT:
        return
    some = [text for text, _ in present.most_common(50)]
    differs = f"it has {distinct} different texts in {rows} rows"
    if all(map(_DATE.fullmatch, some)):
        raise _LeftOutError(f"{differs}, dates it seems: add columns such as year, month or weekday")
    if all(map(_DECIMAL_COMMA.fullmatch, some)):
        raise _LeftOutError(f"{differs}, numbers with a decimal comma it seems: write 3.14 for 3,14")
    covered = sum(count for _, count in present.most_common(MAX_CATEGORIES))
    if distinct > _DISTINCT_SHARE * rows or covered < _COVERED_SHARE * rows:
        raise _LeftOutError(f"{differs}, ids or free text it seems")


def _text_evidence(present: Counter[str], numbers: Mapping[str, float]) -> str:
    if any(map(_LEADING_ZERO.fullmatch, present)):
        return f"codes with leading zeros, {len(present)} different"
    if numbers:
        return f"texts and numbers mixed, {len(present)} different"
    return f"texts, {len(present)} different"


def _mapped(cells: Sequence[str], values: Mapping[str, float]) -> NDArray[np.float64]:
    return np.fromiter((values[cell] for cell in cells), dtype=np.float64, count=len(cells))


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:39]}…"  # noqa: PLR2004  # as much as a warning can show
