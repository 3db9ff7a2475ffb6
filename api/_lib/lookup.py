"""Answers of the database, kept in this process for a moment.

A change is seen within `max_age` seconds without asking on every request: in its second half an answer is renewed behind
the caller's back, together with others in use that are not quite fresh: an instance that serves two hundred models would
else ask two hundred questions a second. While the database does not answer, what it said last goes on, and the caller is
told so.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from api._lib import log
from api._lib.circuit import Circuit
from api._lib.errors import ApiError, Unavailable
from api._lib.flight import Flight
from api._lib.memory import remember

MAX_AGE_SECONDS = 1.8
"""A promotion is to be seen by every instance within two seconds."""

STALE_SECONDS = 86_400.0
SUSPECT_SECONDS = 10.0
"""So long after a failure nobody waits for the database if an earlier answer is at hand."""

database = Circuit(seconds=2.0)
"""One for all look-ups: they ask the same database."""


IN_USE_AGES = 10
"""So many times its age after an answer was last wanted, it is no longer renewed along with others."""

TOGETHER = 100
"""Answers that are renewed by one question at most: its keys may travel in an address, whose length is bounded."""


class _Kept[Value]:
    __slots__ = ("asked_at", "used_at", "value")

    def __init__(self, value: Value, asked_at: float, used_at: float) -> None:
        self.value = value
        self.asked_at = asked_at
        self.used_at = used_at
        """When somebody last wanted it."""


class Held[Key, Value]:
    """An answer as it was found, for whoever goes by it without asking for it each time."""

    __slots__ = ("_all", "_kept", "_key", "good_until", "renew_at")

    def __init__(self, known: Mapping[Key, _Kept[Value]], key: Key, max_age: float) -> None:
        self._all, self._key, self._kept = known, key, known[key]
        self.renew_at = self._kept.asked_at + max_age / 2
        """From then on it is believed while it is asked for anew."""
        self.good_until = self._kept.asked_at + max_age

    @property
    def value(self) -> Value:
        """What the answer says."""
        return self._kept.value

    def is_current(self) -> bool:
        """Tell whether it is still what is known: it was neither renewed nor forgotten."""
        return self._all.get(self._key) is self._kept


class _Renewal[Value](NamedTuple):
    """A question that is under way, about one key or several."""

    task: asyncio.Task[Value]
    began_at: float


class Lookup[Key, Value]:
    """One kind of question, its answers by key. The key must name everything that the answer depends on, caller included."""

    def __init__(
        self,
        *,
        max_age: float = MAX_AGE_SECONDS,
        stale: float = STALE_SECONDS,
        circuit: Circuit = database,
        clock: Callable[[], float] = time.monotonic,
        ask_together: Callable[[Sequence[Key]], Coroutine[Any, Any, Mapping[Key, Value]]] | None = None,
    ) -> None:
        """Say how long answers are good, and, where one question can be about many keys, how it is asked.

        What it returns holds a value for every key.
        """
        self._max_age = max_age
        self._stale = stale
        self._circuit = circuit
        self._clock = clock
        self._ask_together = ask_together
        self._renewals: dict[Key, _Renewal[Value]] = {}
        self._kept: dict[Key, _Kept[Value]] = {}
        self._asking: Flight[Key, Value] = Flight()

    def peek(self, key: Key) -> Value | None:
        """Return an answer that is fresh, without waiting; None otherwise."""
        kept, now = self._kept.get(key), self._clock()
        if kept is None or now - kept.asked_at >= self._max_age / 2:
            return None
        kept.used_at = now
        return kept.value

    def is_fresh(self, key: Key) -> bool:
        """Tell whether there is an answer at hand that need not be renewed yet, whatever it says."""
        kept = self._kept.get(key)
        return kept is not None and self._clock() - kept.asked_at < self._max_age / 2

    def hold(self, key: Key) -> Held[Key, Value] | None:
        """Return the answer at hand, whatever it says; None if there is none or it is too old to be believed."""
        kept = self._kept.get(key)
        is_good = kept is not None and self._clock() - kept.asked_at < self._max_age
        return Held(self._kept, key, self._max_age) if is_good else None

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
        now = self._clock()
        age = now - kept.asked_at if kept else self._stale
        if kept is None or age >= self._stale:
            return await self._asking.join(key, lambda: self._ask(key, ask))
        kept.used_at = now
        if age < self._max_age / 2:
            return kept.value
        if age < self._max_age or self._circuit.failed_within(SUSPECT_SECONDS):
            if not self._circuit.is_open:
                self._renew(key, ask)
        else:
            with suppress(ApiError):  # of a question about many; what is wrong with this key's own is told below
                await asyncio.shield(self._renew(key, ask))
            renewed = self._kept.get(key)
            if renewed is not None and renewed is not kept:
                return renewed.value
            with suppress(Unavailable):
                return await self._asking.join(key, lambda: self._ask(key, ask))
        if age >= self._max_age:
            log.note_degraded("database")
        return kept.value

    def forget(self, is_concerned: Callable[[Key], bool]) -> None:
        """Drop answers that were just made untrue through this process."""
        for key in [key for key in self._kept if is_concerned(key)]:
            del self._kept[key]

    def _renew(self, key: Key, ask: Callable[[], Coroutine[Any, Any, Value]]) -> asyncio.Task[Value]:
        """Ask again, unless somebody does already; returns the asking, whose result may be about another key."""
        if self._is_renewing(key):
            return self._renewals[key].task
        others = self._due_with(key) if self._ask_together else []
        if not others:
            return self._asking.start(key, lambda: self._ask(key, ask))
        keys = [key, *others]
        task = self._asking.start(key, lambda: self._ask_all(keys))
        renewal = _Renewal(task, self._clock())
        self._renewals.update(dict.fromkeys(keys, renewal))
        task.add_done_callback(lambda _: self._end_renewal(keys, renewal))
        return task

    def _is_renewing(self, key: Key) -> bool:
        renewal = self._renewals.get(key)
        if renewal is None or renewal.task.get_loop() is not asyncio.get_running_loop():
            return False
        # One that was put to sleep with its process is not waited for.
        return self._clock() - renewal.began_at < self._max_age

    def _end_renewal(self, keys: Sequence[Key], renewal: _Renewal[Value]) -> None:
        for key in keys:
            if self._renewals.get(key) is renewal:
                del self._renewals[key]

    def _due_with(self, key: Key) -> list[Key]:
        """List what is in use and may as well be asked for again now, beside a key that is due."""
        now, early, in_use = self._clock(), self._max_age / 4, self._max_age * IN_USE_AGES
        due = [
            each
            for each, kept in self._kept.items()
            if now - kept.asked_at >= early
            and now - kept.used_at < in_use
            and each != key
            and not self._is_renewing(each)
        ]
        return due[: TOGETHER - 1]

    async def _ask(self, key: Key, ask: Callable[[], Coroutine[Any, Any, Value]]) -> Value:
        async def ask_one() -> dict[Key, Value]:
            return {key: await ask()}

        return (await self._keep(ask_one))[key]

    async def _ask_all(self, keys: Sequence[Key]) -> Value:
        """Ask for several answers; returns that of the first key."""
        assert self._ask_together is not None
        ask_together = self._ask_together
        return (await self._keep(lambda: ask_together(keys)))[keys[0]]

    async def _keep(self, ask: Callable[[], Coroutine[Any, Any, Mapping[Key, Value]]]) -> Mapping[Key, Value]:
        if self._circuit.is_open:
            raise Unavailable("The database does not answer at the moment")
        asked_at = self._clock()
        try:
            values = await ask()
        except Unavailable:
            self._circuit.failed()
            raise
        self._circuit.worked()
        for key, value in values.items():
            kept = self._kept.get(key)
            remember(self._kept, key, _Kept(value, asked_at, kept.used_at if kept else asked_at))
        return values
