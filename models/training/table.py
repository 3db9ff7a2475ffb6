"""A table in memory, as text: what training reads and what a batch of rows to score is.

A table that would not fit is not loaded whole: a random sample of its rows is, and the table says so.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.errors import DatasetRejected
from models.training.memory import bytes_per_row, default_memory_mb
from models.training.records import CHUNK_ROWS, Chunk
from models.training.source import Source, open_source

_MAX_SHARED = 10_000
_MIN_SAMPLE = 1_000
_MARGIN = 0.97  # of the rows that fit: how many a random sample hits is itself random


@dataclass(frozen=True)
class Table:
    """A table of text cells by column, without outer blanks in the names and with the cells as written."""

    name: str
    columns: dict[str, list[str]]
    sha256: str
    warnings: tuple[str, ...] = ()
    total_rows: int = 0
    """How many rows the file has, where only a sample of them was read."""

    @property
    def rows(self) -> int:
        """Count the rows."""
        return len(next(iter(self.columns.values())))


def read_table(
    path: Path,
    *,
    has_target: bool = True,
    memory_mb: int | None = None,
    seed: int = 0,
    on_rows: Callable[[int], None] = lambda _rows: None,
) -> Table:
    """Read a CSV file (comma, semicolon, tab or bar; UTF-8, UTF-16 or Windows-1252) or a Parquet file, plain or gzip.

    Args:
        path: The file.
        has_target: False for a table that is only to be scored: it may consist of one column, and is never sampled.
        memory_mb: What the table may take in training; by default a share of the machine's memory.
        seed: Chooses the rows of a sample.
        on_rows: Is told how many rows have been read, every twenty thousand.

    Raises:
        DatasetRejected: with one line that says what to change.
    """
    return _read(
        open_source(path, path.name, has_target=has_target), memory_mb, seed, sample=has_target, on_rows=on_rows
    )


def parse_table(content: bytes, name: str, *, has_target: bool = True) -> Table:
    """Read the bytes of such a file. Raises DatasetRejected."""
    return _read(open_source(content, name, has_target=has_target), None, 0, sample=has_target)


def _read(
    source: Source,
    memory_mb: int | None,
    seed: int,
    *,
    sample: bool,
    on_rows: Callable[[int], None] = lambda _rows: None,
) -> Table:
    limit = memory_mb or default_memory_mb()
    chunks = source.chunks()
    first = next(chunks)
    needed, kept_share = _fit(source, first, limit) if sample else (0.0, 1.0)
    lists: list[list[str]] = [[] for _ in source.names]
    shared: list[dict[str, str]] = [{} for _ in source.names]
    random = np.random.default_rng(seed)
    total = 0
    for chunk in _with_first(first, chunks):
        total += len(chunk[0])
        kept = None if kept_share == 1.0 else np.flatnonzero(random.random(len(chunk[0])) < kept_share).tolist()
        for column, known, cells in zip(lists, shared, chunk, strict=True):
            _extend(column, known, cells if kept is None else [cells[row] for row in kept])
        on_rows(total)
    warnings = list(source.warnings)
    if kept_share < 1.0:
        warnings.append(
            f"The table of {total} rows needs about {needed:.0f} MB and {limit} MB are allowed: "
            f"a random sample of {len(lists[0])} rows was read."
        )
    return Table(source.name, dict(zip(source.names, lists, strict=True)), source.sha256, tuple(warnings), total)


def _extend(column: list[str], known: dict[str, str], cells: Sequence[str]) -> None:
    if len(known) < _MAX_SHARED:  # equal cells share one string
        column.extend([known.setdefault(cell, cell) for cell in cells])
    else:
        column.extend(cells)


def _with_first(first: Chunk, rest: Iterator[Chunk]) -> Iterator[Chunk]:
    yield first
    yield from rest


def _fit(source: Source, first: Chunk, limit_mb: int) -> tuple[float, float]:
    """Estimate the megabytes that all rows need, and the share of them that fits. Raises DatasetRejected."""
    rows = len(first[0])
    per_row = bytes_per_row(first)
    written = sum(len(cell) + 1 for column in first for cell in column) / rows
    total = rows if rows < CHUNK_ROWS else source.size / written
    needed = total * per_row / 1e6
    if needed <= limit_mb:
        return needed, 1.0
    fitting = limit_mb * 1e6 / per_row
    if fitting < min(_MIN_SAMPLE, total):
        raise DatasetRejected(
            f"{source.name} does not fit into memory: a row needs about {per_row / 1e3:.0f} kB, "
            f"so {limit_mb} MB hold {fitting:.0f} rows; drop columns or shorten long texts"
        )
    return needed, fitting / total * _MARGIN
