"""How much memory a table takes, estimated from its first rows before the rest is loaded."""

import os
import resource
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

_SHARE = 0.4  # of the machine: the estimate is one, and others live here too
_TRAINING_BYTES = 48  # per cell: the packed arrays, the folds' copies, an encoded column now and then
_POINTER = 8
_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def default_memory_mb() -> int:
    """Give the share of this machine's, or this container's, memory that a table may take in training."""
    sizes = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for path in _LIMITS:
        with suppress(OSError, ValueError):
            sizes.append(int(Path(path).read_text(encoding="ascii")))
    return max(int(min(sizes) * _SHARE / 1e6), 1)


@contextmanager
def unbounded_starts() -> Iterator[None]:
    """Let what is started meanwhile have the memory that this process may not have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def bytes_per_row(columns: Sequence[Sequence[str]]) -> float:
    """Estimate what one more row takes, as text and in training; cells that are equal share their text."""
    rows = len(columns[0])
    texts = sum(sum(map(sys.getsizeof, set(cells))) for cells in columns)
    return texts / rows + len(columns) * (_POINTER + _TRAINING_BYTES)
