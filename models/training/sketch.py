"""Figures of a stream that need little memory: how many different things passed, and a fair sample of the rows."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.training.source import Chunk

_KEPT_HASHES = 32_768
_HASHES = 2.0**64


class Distinct:
    """Counts different things by their hashes: exactly up to 32,768, beyond by the density of the smallest ones (± 1 %)."""

    def __init__(self) -> None:
        self._smallest: NDArray[np.uint64] = np.empty(0, dtype=np.uint64)

    def add(self, things: Sequence[object]) -> None:
        """Let things pass."""
        hashes = np.fromiter(map(hash, things), dtype=np.int64, count=len(things)).view(np.uint64)
        hashes = _mixed(hashes)
        if not self.is_exact:
            hashes = hashes[hashes < self._smallest[-1]]
        if len(hashes):
            self._smallest = np.unique(np.concatenate([self._smallest, hashes]))[:_KEPT_HASHES]

    @property
    def is_exact(self) -> bool:
        """Tell whether the count is one and not an estimate."""
        return len(self._smallest) < _KEPT_HASHES

    @property
    def count(self) -> int:
        """How many different things passed."""
        if self.is_exact:
            return len(self._smallest)
        return round((_KEPT_HASHES - 1) / (float(self._smallest[-1]) / _HASHES))


def _mixed(hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Spread hashes over their range: Python's hash of a small number is the number."""
    with np.errstate(over="ignore"):
        hashes = (hashes ^ (hashes >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        hashes = (hashes ^ (hashes >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return hashes ^ (hashes >> np.uint64(31))


class RowSample:
    """A uniform sample of the rows, in their order; all of them while they are few."""

    def __init__(self, size: int, seed: int = 0) -> None:
        self._size = size
        self._random = np.random.default_rng(seed)
        self._rows: list[tuple[float, int, tuple[str, ...]]] = []
        self._limit = 1.0
        self._seen = 0

    def add(self, chunk: Chunk) -> None:
        """Let the rows of a chunk pass."""
        drawn = self._random.random(len(chunk[0]))
        for row in np.flatnonzero(drawn < self._limit).tolist():
            self._rows.append((drawn[row], self._seen + row, tuple(column[row] for column in chunk)))
        self._seen += len(chunk[0])
        if len(self._rows) > 2 * self._size:
            self._trim()

    def columns(self) -> list[tuple[str, ...]]:
        """Give the sample by column."""
        if len(self._rows) > self._size:
            self._trim()
        ordered = sorted(self._rows, key=lambda one: one[1])
        return list(zip(*(cells for _, _, cells in ordered), strict=True))

    def _trim(self) -> None:
        self._rows.sort(key=lambda one: one[0])
        self._rows = self._rows[: self._size]
        self._limit = self._rows[-1][0]
