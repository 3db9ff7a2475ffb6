"""Figures of a stream that need little memory: how many different things passed, and a fair sample of the rows."""

from collections.abc import Iterable, Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from models.training.arrow import pa

type Hashes = NDArray[np.uint64]

_KEPT_HASHES = 32_768
_HASHES = 2.0**64


def hashes_of(things: Iterable[object], count: int) -> Hashes:
    """Give a hash of every thing, spread over the whole range: Python's hash of a small number is the number."""
    return mixed(np.fromiter(map(hash, things), dtype=np.int64, count=count).view(np.uint64))


def hashes_of_rows(columns: Sequence[Hashes]) -> Hashes:
    """Give a hash of every row from those of its cells."""
    rows = np.zeros(len(columns[0]), dtype=np.uint64)
    for hashes in columns:  # mixed at each step, so that a row with two cells exchanged is another one
        rows = mixed(rows + hashes)
    return rows


def mixed(hashes: Hashes) -> Hashes:
    """Make every bit depend on all of them."""
    with np.errstate(over="ignore"):
        hashes = (hashes ^ (hashes >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        hashes = (hashes ^ (hashes >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return hashes ^ (hashes >> np.uint64(31))


class Distinct:
    """Counts different things by their hashes: exactly up to 32,768, beyond by the density of the smallest ones (± 1 %)."""

    def __init__(self) -> None:
        self._smallest: Hashes = np.empty(0, dtype=np.uint64)
        self._waiting: list[Hashes] = []
        self._waiting_count = 0

    def add(self, hashes: Hashes) -> None:
        """Let things pass, as their hashes."""
        if len(self._smallest) == _KEPT_HASHES:
            hashes = hashes[hashes < self._smallest[-1]]
        self._waiting.append(hashes)
        self._waiting_count += len(hashes)
        if self._waiting_count > _KEPT_HASHES:
            self._take_in()

    @property
    def is_exact(self) -> bool:
        """Tell whether the count is one and not an estimate."""
        self._take_in()
        return len(self._smallest) < _KEPT_HASHES

    @property
    def count(self) -> int:
        """How many different things passed."""
        if self.is_exact:
            return len(self._smallest)
        return round((_KEPT_HASHES - 1) / (float(self._smallest[-1]) / _HASHES))

    def _take_in(self) -> None:
        """Sort in what has waited: rarely, because sorting is most of the work."""
        hashes = np.sort(np.concatenate([self._smallest, *self._waiting]))
        is_new = np.ones(len(hashes), dtype=bool)
        is_new[1:] = hashes[1:] != hashes[:-1]
        self._smallest = hashes[is_new][:_KEPT_HASHES]
        self._waiting, self._waiting_count = [], 0


class RowSample:
    """A uniform sample of the rows, in their order; all of them while they are few."""

    def __init__(self, size: int, seed: int = 0) -> None:
        self._size = size
        self._random = np.random.default_rng(seed)
        self._parts: list[tuple[NDArray[np.float64], list[pa.Array]]] = []
        self._count = 0
        self._limit = 1.0

    def add(self, columns: Sequence[pa.Array]) -> None:
        """Let the rows of a chunk pass."""
        drawn = self._random.random(len(columns[0]))
        self._keep(drawn, columns, drawn < self._limit)
        if self._count > 2 * self._size:
            self._trim()

    def columns(self) -> list[list[str]]:
        """Give the sample by column."""
        if self._count > self._size:
            self._trim()
        return [
            list(chain.from_iterable(column.to_pylist() for column in parts))
            for parts in zip(*(columns for _, columns in self._parts), strict=True)
        ]

    def _trim(self) -> None:
        draws = np.concatenate([drawn for drawn, _ in self._parts])
        self._limit = float(np.partition(draws, self._size - 1)[self._size - 1])
        parts, self._parts, self._count = self._parts, [], 0
        for drawn, columns in parts:
            self._keep(drawn, columns, drawn <= self._limit)

    def _keep(self, drawn: NDArray[np.float64], columns: Sequence[pa.Array], is_kept: NDArray[np.bool_]) -> None:
        kept = np.flatnonzero(is_kept)
        self._parts.append((drawn[kept], [column.take(pa.array(kept)) for column in columns]))
        self._count += len(kept)
