"""How many requests of a hook were refused or ignored: counted behind the answer, many at a time.

A flood of bad requests thus costs the database a write now and then, not one each.
"""

from contextlib import suppress
from dataclasses import dataclass, field

from api._lib import log
from api._lib.errors import ApiError
from api._lib.store import hooks as store


@dataclass(slots=True)
class _Count:
    refused: int = 0
    ignored: int = 0
    reason: str | None = None


@dataclass(slots=True)
class _Counter:
    """What is to be counted, by hook, and whether somebody is writing it."""

    waiting: dict[str, _Count] = field(default_factory=dict)
    is_writing: bool = False

    async def write(self) -> None:
        """Write what waits; whoever comes meanwhile leaves theirs to the one at it."""
        if self.is_writing:
            return
        self.is_writing = True
        try:
            while self.waiting:
                taken, self.waiting = self.waiting, {}
                rows = [
                    {"hook_id": hook_id, "refused": each.refused, "ignored": each.ignored, "reason": each.reason}
                    for hook_id, each in taken.items()
                ]
                with suppress(ApiError):
                    await store.count(rows)
        finally:
            self.is_writing = False


_counter = _Counter()


def add(hook_id: str, *, refused: int = 0, ignored: int = 0, reason: str | None = None) -> None:
    """Count a request once its answer is out."""
    count = _counter.waiting.setdefault(hook_id, _Count())
    count.refused += refused
    count.ignored += ignored
    count.reason = reason.replace("\0", "") if reason else count.reason
    log.current().behind.append(_counter.write)
