"""Answers of the database, kept in this process for a moment.

A change is seen within `max_age` seconds without asking on every request: in its second half an answer is renewed behind
the caller's back. While the database does not answer, what it said last goes on, and the caller is told so.
"""

import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from api._lib import log
from api._lib.circuit import Circuit
from api._lib.errors import Unavailable
from api._lib.flight import Flight
from api._lib.memory import remember

MAX_AGE_SECONDS = 1.8
"""A promotion is to be seen by every instance within two seconds."""

STALE_SECONDS = 86_400.0
SUSPECT_SECONDS = 10.0
"""So long after a failure nobody waits for the database if an earlier answer is at hand."""

database = Circuit(seconds=2.0)
"""One for all look-ups: they ask the same database."""


@dataclass(frozen=True, slots=True)
class _Kept[Value]:
    value: Value
    asked_at: float


class Lookup[Key, Value]:
    """One kind of question, its answers by key. The key must name everything that the answer depends on, caller included."""

    def __init__(
        self,
        *,
        max_age: float = MAX_AGE_SECONDS,
        stale: float = STALE_SECONDS,
        circuit: Circuit = database,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_age = max_age
        self._stale = stale
        self._circuit = circuit
        self._clock = clock
        self._kept: dict[Key, _Kept[Value]] = {}
        self._asking: Flight[Key, Value] = Flight()

    def peek(self, key: Key) -> Value | None:
        """Return an answer that is fresh, without waiting; None otherwise."""
        kept = self._kept.get(key)
        return kept.value if kept and self._clock() - kept.asked_at < self._max_age / 2 else None

    def knows(self, key: Key) -> bool:
        """Tell whether there is an answer at hand that says more than no, however old."""
        kept = self._kept.get(key)
        return kept is not None and kept.value is not None

    async def get(self, key: Key, ask: Callable[[], Coroutine[Any, Any, Value]]) -> Value:
        """Return the answer for a key, asking if it is not known or too old.

        Raises:
            Unavailable: the database does not answer, and nothing was known before.
        """
        kept = self._kept.get(key)
        age = self._clock() - kept.asked_at if kept else self._stale
        if kept is None or age >= self._stale:
            return await self._asking.join(key, lambda: self._ask(key, ask))
        if age < self._max_age / 2:
            return kept.value
        if age < self._max_age or self._circuit.failed_within(SUSPECT_SECONDS):
            if not self._circuit.is_open:
                self._asking.start(key, lambda: self._ask(key, ask))
        else:
            try:
                return await self._asking.join(key, lambda: self._ask(key, ask))
            except Unavailable:
                pass
        if age >= self._max_age:
            log.note_degraded("database")
        return kept.value

    def forget(self, is_concerned: Callable[[Key], bool]) -> None:
        """Drop answers that were just made untrue through this process."""
        for key in [key for key in self._kept if is_concerned(key)]:
            del self._kept[key]

    async def _ask(self, key: Key, ask: Callable[[], Coroutine[Any, Any, Value]]) -> Value:
        if self._circuit.is_open:
            raise Unavailable("The database does not answer at the moment")
        asked_at = self._clock()
        try:
            value = await ask()
        except Unavailable:
            self._circuit.failed()
            raise
        self._circuit.worked()
        remember(self._kept, key, _Kept(value, asked_at))
        return value
