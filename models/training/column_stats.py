"""One column of a stream: every distinct cell is counted while they are few, then only what all of them have in common."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from models.training.arrow import pa, pc
from models.training.facts import LEADING_ZERO, Facts, facts_of
from models.training.number_cells import missing_texts, numbers_of
from models.training.sketch import Distinct, Hashes, hashes_of

_MAX_COUNTED = 20_000
_HARDLY_ANY = 0.01  # of the cells are numbers
_MAY_BE_CODE = r"^(?:[+-]?0[^.eE]| )"  # whatever could be a leading zero, and some more
_BEFORE_ZERO = frozenset("0+- ")
_NEARLY_ALL = 0.985  # an estimate this near to the rows means that every row has its own


class ColumnStats:
    """The figures of one column so far."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._counts: Counter[str] | None = Counter()
        self._many: _Many | None = None

    @property
    def is_counted(self) -> bool:
        """Tell whether the facts hold the cells of all rows, not of a sample only."""
        return self._counts is not None

    @property
    def is_exact(self) -> bool:
        """Tell whether the number of distinct cells is no estimate."""
        return self._counts is not None or (self._many is not None and self._many.distinct.is_exact)

    @property
    def total(self) -> tuple[float, int]:
        """The sum of the numbers and how many there are; (0, 0) where the facts tell it all."""
        return (self._many.sum, self._many.numeric) if self._many else (0.0, 0)

    def add(self, cells: pa.Array) -> Hashes:
        """Let a chunk of cells pass; give their hashes."""
        if self._counts is None:
            assert self._many is not None, "a column is counted or has many texts"
            seen = hashes_of(cells.to_pylist(), len(cells))
            self._many.add(cells, seen)
            return seen
        encoded = cells.dictionary_encode()
        texts, places = encoded.dictionary.to_pylist(), encoded.indices.to_numpy()
        self._counts.update(dict(zip(texts, np.bincount(places, minlength=len(texts)).tolist(), strict=True)))
        if len(self._counts) > _MAX_COUNTED:
            self._many = _Many()
            counted = pa.array(list(self._counts), pa.large_string())
            times = np.fromiter(self._counts.values(), dtype=np.int64)
            self._many.add(counted, hashes_of(self._counts, len(counted)), times)
            self._counts = None
        hashes: Hashes = hashes_of(texts, len(texts))[places]
        return hashes

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

    def add(self, cells: pa.Array, hashes: Hashes, times: NDArray[np.int64] | None = None) -> None:
        numbers = self._numbers(cells)
        times = np.ones(len(cells), dtype=np.int64) if times is None else times
        missing, odd = np.isnan(numbers), np.isinf(numbers)
        self.missing += int(times[missing].sum())
        self.distinct.add(hashes[~missing])
        self.rows += int(times[~missing].sum())
        is_known = ~missing & ~odd
        known = numbers[is_known]
        self.numeric += int(times[is_known].sum())
        self.sum += float((known * times[is_known]).sum())
        if self.odd is None and odd.any():
            self.odd = cells[int(odd.argmax())].as_py().strip()
        if len(known):
            self.minimum, self.maximum = min(self.minimum, float(known.min())), max(self.maximum, float(known.max()))
            if self.is_whole:
                self._look_at_digits(cells.filter(pa.array(~missing)) if missing.any() else cells, known)

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

    def _numbers(self, cells: pa.Array) -> NDArray[np.float64]:
        """Read cells: NaN is missing, infinity is no number."""
        if self.rows > _MAX_COUNTED and self.numeric < _HARDLY_ANY * self.rows:  # a column of texts: look no closer
            return np.where(missing_texts(cells), np.nan, np.inf)
        return numbers_of(cells)

    def _look_at_digits(self, cells: pa.Array, known: NDArray[np.float64]) -> None:
        if self.leading_zero is None:
            self.leading_zero = next(
                _codes(cells.filter(pc.match_substring_regex(cells, _MAY_BE_CODE)).to_pylist()), None
            )
        self.is_whole = bool((known == np.floor(known)).all()) and not pc.any(pc.match_substring(cells, ".")).as_py()


def _codes(cells: Iterable[str]) -> Iterator[str]:
    """Give the codes with leading zeros among cells."""
    for cell in cells:
        if cell[:1] in _BEFORE_ZERO and LEADING_ZERO.fullmatch(text := cell.strip()):
            yield text
