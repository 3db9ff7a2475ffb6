"""One column of a stream: every distinct cell is counted while they are few, then only what all of them have in common."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from models.coercion import FLOAT32_MAX, coerce_number, is_missing_text
from models.errors import CoercionError
from models.training.facts import LEADING_ZERO, Facts, cell_text, facts_of
from models.training.sketch import Distinct

_MAX_COUNTED = 20_000
_HARDLY_ANY = 0.01  # of the cells are numbers
_BEFORE_ZERO = frozenset("0+- ")
_NEARLY_ALL = 0.985  # an estimate this near to the rows means that every row has its own


class ColumnStats:
    """The figures of one column so far."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._counts: Counter[str] | None = Counter()
        self._many: _Many | None = None

    @property
    def is_exact(self) -> bool:
        """Tell whether every distinct cell was counted."""
        return self._counts is not None or (self._many is not None and self._many.distinct.is_exact)

    @property
    def total(self) -> tuple[float, int]:
        """The sum of the numbers and how many there are; (0, 0) where the facts tell it all."""
        return (self._many.sum, self._many.numeric) if self._many else (0.0, 0)

    def add(self, cells: Sequence[str]) -> None:
        """Let a chunk of cells pass."""
        if self._counts is not None:
            self._counts.update(cells)
            if len(self._counts) > _MAX_COUNTED:
                self._many = _Many()
                self._many.add(list(self._counts), np.fromiter(self._counts.values(), dtype=np.int64))
                self._counts = None
        elif self._many is not None:
            self._many.add(cells)

    def facts(self, sample: Sequence[str]) -> Facts:
        """Give the facts; those of a column of very many texts rest on a sample where they need single texts."""
        if self._counts is not None:
            return facts_of(self.name, self._counts)
        assert self._many is not None, "a column is counted or has many texts"
        return self._many.over(facts_of(self.name, Counter(sample)))


class _Many:
    """Figures of a column of more texts than are counted one by one."""

    def __init__(self) -> None:
        self.distinct = Distinct()
        self.rows, self.missing, self.numeric, self.sum = 0, 0, 0, 0.0
        self.is_whole, self.minimum, self.maximum = True, math.inf, -math.inf
        self.leading_zero: str | None = None
        self.odd: str | None = None

    def add(self, cells: Sequence[str], times: NDArray[np.int64] | None = None) -> None:
        numbers = self._numbers(cells)
        times = np.ones(len(cells), dtype=np.int64) if times is None else times
        missing, odd = np.isnan(numbers), np.isinf(numbers)
        if missing.any():
            cells = list(compress(cells, ~missing))
            self.missing += int(times[missing].sum())
        self.distinct.add(cells)
        self.rows += int(times[~missing].sum())
        is_known = ~missing & ~odd
        known = numbers[is_known]
        self.numeric += int(times[is_known].sum())
        self.sum += float((known * times[is_known]).sum())
        if odd.any() and self.odd is None:
            self.odd = next(compress(cells, odd[~missing])).strip()
        if len(known):
            self.minimum, self.maximum = min(self.minimum, float(known.min())), max(self.maximum, float(known.max()))
            self._look_at_digits(cells, known)

    def over(self, sampled: Facts) -> Facts:
        """Put the figures of all rows over those of a sample."""
        zero = self.leading_zero or sampled.leading_zero
        distinct = min(self.distinct.count, self.rows)
        if not self.distinct.is_exact and distinct > _NEARLY_ALL * self.rows and sampled.distinct == sampled.rows:
            distinct = self.rows
        return replace(
            sampled,
            rows=self.rows,
            missing=self.missing,
            distinct=distinct,
            numeric=0 if zero else self.numeric,
            numbers=0 if zero else distinct if self.numeric == self.rows else sampled.numbers,
            is_whole=self.is_whole,
            minimum=self.minimum,
            maximum=self.maximum,
            leading_zero=zero,
            odd=self.odd,
        )

    def _numbers(self, cells: Sequence[str]) -> NDArray[np.float64]:
        """Read cells: NaN is missing, infinity is no number."""
        if self.rows > _MAX_COUNTED and self.numeric < _HARDLY_ANY * self.rows:  # a column of texts: look no closer
            return np.fromiter(map(_missing_or_text, cells), dtype=np.float64, count=len(cells))
        try:
            numbers = np.fromiter(
                map(_plain_number if "" in cells else float, cells), dtype=np.float64, count=len(cells)
            )
        except ValueError:
            return np.fromiter(map(_number, cells), dtype=np.float64, count=len(cells))
        if "_" in "".join(cells):  # Python reads 1_000, no door does
            return np.fromiter(map(_number, cells), dtype=np.float64, count=len(cells))
        return np.where(np.abs(numbers) > FLOAT32_MAX, np.inf, numbers)

    def _look_at_digits(self, cells: Sequence[str], known: NDArray[np.float64]) -> None:
        if self.leading_zero is None and self.is_whole:
            zeros = (cell.strip() for cell in cells if cell[:1] in _BEFORE_ZERO)
            self.leading_zero = next((cell for cell in zeros if LEADING_ZERO.fullmatch(cell)), None)
        if self.is_whole:
            self.is_whole = bool((known == np.floor(known)).all()) and "." not in "".join(cells)


def _plain_number(cell: str) -> float:
    return float(cell) if cell else math.nan


def _missing_or_text(cell: str) -> float:
    return math.nan if is_missing_text(cell) else math.inf


def _number(cell: str) -> float:
    text = cell_text(cell)
    if not text:
        return math.nan
    try:
        return coerce_number(text)
    except CoercionError:
        return math.inf
