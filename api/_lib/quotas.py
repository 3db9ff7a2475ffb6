"""Counts of requests: one policy, its current window, and everybody's count in it, here and in the shared store."""

import asyncio
import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from api._lib.errors import Unavailable
from api._lib.memory import remember

if TYPE_CHECKING:
    from upstash_ratelimit.asyncio import FixedWindow

SETTLED_PARTS = 8
"""A caller is settled after each such part of its quota, and the more often the nearer it comes."""

MAX_CALLERS = 50_000
"""Counted per window in one process; beyond that the one counted longest is forgotten, until it asks again."""


NEAR_PARTS = 5
"""A quota is near when this part of it is left."""


class Policy(NamedTuple):
    """So many requests in so many seconds."""

    name: str
    quota: int
    seconds: int

    @property
    def field(self) -> bytes:
        """The policy as an item of `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-11)."""
        return b'"%b";q=%d;w=%d' % (self.name.encode(), self.quota, self.seconds)


class Standing(NamedTuple):
    """Where a caller stands after a request: for the headers of its answer."""

    policies: bytes
    name: bytes
    left: int
    ends_at: float

    def headers(self) -> tuple[tuple[bytes, bytes], tuple[bytes, bytes]]:
        """Write `RateLimit-Policy` and `RateLimit`."""
        seconds = max(0, math.ceil(self.ends_at - time.time()))
        return (
            (b"ratelimit-policy", self.policies),
            (b"ratelimit", b'"%b";r=%d;t=%d' % (self.name, self.left, seconds)),
        )


class _Count:
    """One caller in one window: what all instances had counted when last asked, and what is new here since."""

    __slots__ = ("due", "new", "shared", "window")

    def __init__(self, window: int, due: int) -> None:
        self.window, self.due = window, due
        self.shared = self.new = 0


class Ledger:
    """The counts of one policy in its current window."""

    def __init__(self, policy: Policy, *, first_due: int = 0, clock: Callable[[], float] = time.time) -> None:
        self.policy = policy
        self.field, self.name = policy.field, policy.name.encode()  # written once: every answer carries them
        self.near = policy.quota // NEAR_PARTS
        self._step = max(1, policy.quota // SETTLED_PARTS)
        self._first_due = first_due or self._step
        self._clock = clock
        self._window = -1
        self._counts: dict[str, _Count] = {}
        self._due: dict[str, _Count] = {}

    @property
    def ends_at(self) -> float:
        """When the window ends and everybody starts afresh."""
        return (self._window + 1.0) * self.policy.seconds

    @property
    def is_due(self) -> bool:
        """Whether somebody's count is worth telling the shared store."""
        return bool(self._due)

    def is_calm(self, identity: str) -> bool:
        """Whether a further request needs to be counted and nothing else: nobody is due, nor near the end of its quota."""
        count = self._counts.get(identity)
        if count is None or self._due or count.new + 1 >= count.due:
            return False
        return self.policy.quota - count.shared - count.new - 1 > self.near

    def take(self, identity: str) -> int:
        """Count one request and return how many more there may be; below zero: this one is too many and not counted."""
        window = int(self._clock() // self.policy.seconds)
        if window != self._window:
            self._window, self._counts, self._due = window, {}, {}
        count = self._counts.get(identity)
        if count is None:
            count = _Count(window, self._first_due)
            remember(self._counts, identity, count, limit=MAX_CALLERS)
        left = self.policy.quota - count.shared - count.new - 1
        if left >= 0:
            count.new += 1
            if count.new >= count.due:
                self._due[identity] = count
        return left

    def is_spent(self, identity: str) -> bool:
        """Whether a further request would be too many."""
        count = self._counts.get(identity)
        is_current = count is not None and count.window == int(self._clock() // self.policy.seconds)
        return is_current and count is not None and count.shared + count.new >= self.policy.quota

    async def settle(self, store: Any, limiter: "FixedWindow") -> None:
        """Tell the shared store of everybody who is due, and learn what all instances have counted."""
        due, self._due = self._due, {}
        window = int(self._clock() // self.policy.seconds)
        each = [(identity, count) for identity, count in due.items() if count.window == window]
        await asyncio.gather(*(self._settle(store, limiter, *one) for one in each))

    def postpone(self) -> None:
        """Go on with the own counts alone for a while."""
        due, self._due = self._due, {}
        for count in due.values():
            count.due = count.new + self._step

    async def _settle(self, store: Any, limiter: "FixedWindow", identity: str, count: _Count) -> None:
        told = count.new
        count.new -= told
        count.shared += told
        try:
            answer = await limiter.limit_async(store, f"rowcast:limit:{self.policy.name}:{identity}", told)
        except Unavailable:
            count.new += told
            count.shared -= told
            count.due = count.new + self._step
            return
        count.shared = max(count.shared, self.policy.quota - answer.remaining)
        count.due = max(1, min(self._step, answer.remaining // SETTLED_PARTS))
