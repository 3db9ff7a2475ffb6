"""Counts: each instance by its own, and all of them together through the real shared store."""

import asyncio

import pytest

from api._lib import kv, limits, quotas
from api._lib.limits import DAY, MINUTE
from api._lib.quotas import Ledger, Policy

NOON = 1_795_435_200.0
"""A time at which a minute and no day begins."""


class Clock:
    """A time that a test moves."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


def _take(ledger: Ledger, identity: str, times: int) -> int:
    """Ask so many times and count how often it was granted."""
    return sum(ledger.take(identity) >= 0 for _ in range(times))


def test_callers_are_counted_apart_until_their_window_ends():
    """One who has used up a minute waits for the next; another is not concerned; what was refused is not counted."""
    clock = Clock()
    ledger = Ledger(Policy("key", 5, MINUTE), clock=clock)

    assert [ledger.take("a") for _ in range(6)] == [4, 3, 2, 1, 0, -1]
    assert ledger.take("b") == 4
    assert ledger.ends_at == NOON + MINUTE
    clock.now += MINUTE - 1
    assert ledger.take("a") == -1
    clock.now += 1
    assert ledger.take("a") == 4


def test_a_caller_is_calm_between_its_first_request_and_what_its_count_brings_about():
    """Not before it was counted once, not when it is to be settled, not when somebody else is, not near its end."""
    clock = Clock()
    ledger = Ledger(Policy("key", 80, MINUTE), clock=clock)
    calm = []
    for _ in range(80):
        calm.append(ledger.is_calm("a"))
        ledger.take("a")
        if ledger.is_due:
            assert not ledger.is_calm("b")
            ledger.postpone()

    due = {number for number in range(80) if number % 10 == 9}
    near = set(range(63, 80))
    assert [number for number in range(80) if not calm[number]] == sorted({0} | due | near)


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch):
    """A flood of addresses costs a bounded number of counts."""
    monkeypatch.setattr(quotas, "MAX_CALLERS", 10)
    ledger = Ledger(Policy("address", 5, MINUTE))

    for number in range(1000):
        ledger.take(str(number))

    assert len(ledger._counts) == 10


def _settle(*ledgers: Ledger) -> None:
    """Settle with the real store, as happens behind an answer."""

    async def settle() -> None:
        for ledger in ledgers:
            trip = limits._OneTrip()
            limiter = limits._limiter(ledger.policy)
            settling = asyncio.create_task(ledger.settle(trip, limiter))
            await trip.go()
            await settling

    asyncio.run(settle())


@pytest.mark.usefixtures("configure_stack")
def test_instances_learn_of_each_other(unique: str):
    """What one instance has let in is missing on another as soon as that has settled, and together they grant the quota."""
    one, two = (Ledger(Policy("key", 80, DAY)) for _ in range(2))
    assert _take(one, unique, 60) == 60
    _settle(one)

    granted = _take(two, unique, 10)
    _settle(two)
    granted += _take(two, unique, 100)
    _settle(two)

    assert granted == 20
    assert _take(two, unique, 1) == 0
    assert _take(one, unique, 100) <= 80 // quotas.SETTLED_PARTS * 2


@pytest.mark.usefixtures("configure_stack")
def test_nothing_is_told_twice(unique: str):
    """Two settlements under way at the same time tell each request once."""
    ledger = Ledger(Policy("key", 100, DAY))

    async def settle() -> None:
        trips = []
        for _ in range(2):
            _take(ledger, unique, 20)
            trip = limits._OneTrip()
            settling = asyncio.create_task(ledger.settle(trip, limits._limiter(ledger.policy)))
            trips.append((trip, settling))
            await asyncio.sleep(0)
        for trip, settling in trips:
            await trip.go()
            await settling

    asyncio.run(settle())

    other = Ledger(Policy("key", 100, DAY), first_due=1)
    other.take(unique)
    _settle(other)
    assert _take(other, unique, 100) == 100 - 40 - 1


def test_a_store_that_is_down_loses_no_count(configure_stack, unique: str):
    """What could not be told is told later; meanwhile the own count decides."""
    ledger = Ledger(Policy("key", 40, DAY))
    configure_stack(KV_REST_API_URL="http://127.0.0.1:9")
    _take(ledger, unique, 20)
    _settle(ledger)
    assert _take(ledger, unique, 100) == 20
    configure_stack()
    kv._circuit.worked()

    _settle(ledger)

    other = Ledger(Policy("key", 40, DAY), first_due=1)
    other.take(unique)
    _settle(other)
    assert other.take(unique) == -1
