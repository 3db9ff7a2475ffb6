"""Answers this process has given before, within a bound of memory; the least recently used one goes first.

Keys begin with the digest of the version, so a promotion needs no clearing, and whoever may not use a version never gets
to the key. Values are JSON bytes.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import NamedTuple

from api._lib.bodies import Sent

MAX_BYTES = 8 * 1024 * 1024
"""Some 5,000 rows of 30 numbers. Six times as much saves a few percent of the work, and what costs much to find out is shared, too."""

MAX_ENTRY_BYTES = 32 * 1024
_OVERHEAD_BYTES = 500


class Answer(NamedTuple):
    """The part of an answer that the input alone decides, in pieces: between them and around them stand the others."""

    head: bytes
    """Members up to the value of `predictions`."""
    predictions: bytes
    tail: bytes
    """Members behind `predictions`, each after a comma."""
    rows: int
    """How many rows it answers."""
    sent: Sent | None = None
    """Where the rows stand in the body that was answered."""


Key = tuple[str, str, bytes]
"""Digest of the version, what kind of input it is, the input itself."""


@dataclass(slots=True)
class _Memory:
    entries: OrderedDict[Key, Answer]
    bytes: int


_memory = _Memory(OrderedDict(), 0)


def find(key: Key) -> Answer | None:
    """Return what was answered before; an input too large to be kept is not even looked for, which would read all of it."""
    if len(key[2]) > MAX_ENTRY_BYTES:
        return None
    answer = _memory.entries.get(key)
    if answer is not None:
        _memory.entries.move_to_end(key)
    return answer


def keep(key: Key, answer: Answer) -> bool:
    """Remember an answer if it is small enough; tells whether it was."""
    size = _size(key, answer)
    if size > MAX_ENTRY_BYTES:
        return False
    if key in _memory.entries:
        return True
    _memory.entries[key] = answer
    _memory.bytes += size
    while _memory.bytes > MAX_BYTES:
        _memory.bytes -= _size(*_memory.entries.popitem(last=False))
    return True


def _size(key: Key, answer: Answer) -> int:
    return len(key[2]) + len(answer.predictions) + len(answer.tail) + _OVERHEAD_BYTES
