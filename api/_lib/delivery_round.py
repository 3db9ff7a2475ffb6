"""The sender of deliveries: leases what is due, sends it side by side, writes down how it went.

One round is the same everywhere: the worker makes it without end, the daily cron and a drain make it until nothing is
due or the time is over, a test button makes it for one delivery. It may be killed at any moment: what was leased and not
written down is sent again when the lease ends, under the same webhook-id.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Protocol

from api._lib import log
from api._lib.delivering import Due, Plan, attempt
from api._lib.errors import ApiError, Unavailable
from api._lib.outgoing import ANSWER_SECONDS, BODY_SECONDS, Sender
from api._lib.settings import settings
from api._lib.store import deliveries

CONCURRENCY = 128
PER_RECEIVER = 8
"""Messages under way to one receiver at a time, and one while it fails; of several senders together, unless they ask in
the same moment."""

LEASE_SECONDS = 60
"""More than the longest attempt: a lease that ends belonged to a sender that is dead."""

IDLE_SECONDS = 5.0
LINGER_SECONDS = 0.02
"""What ends together is written down together."""

STOP_SECONDS = 3.0
AWAY_SECONDS = 2.0


class Store(Protocol):
    """Where deliveries are leased and written down: over HTTP in a function, over a connection in a worker.

    Its calls raise `Unavailable` while the database is away, and another `ApiError` for what it will never take.
    """

    async def claim(self, *, wanted: int, lease_seconds: int, per_receiver: int) -> deliveries.Claimed:
        """Lease deliveries that are due, a fair share for each receiver."""

    async def record(self, attempts: Sequence[deliveries.Row]) -> None:
        """Write attempts down, and what follows from each."""

    async def release(self, leases: Sequence[str]) -> None:
        """Give back what was leased and perhaps not sent."""


def make_sender() -> Sender:
    """Make a sender that goes where this deployment allows."""
    return Sender(allows_private=settings().private_receivers)


async def send_one(delivery_id: str) -> None:
    """Send one delivery now, whenever it is due. Somebody else may have it: then nothing happens."""
    claimed = await deliveries.claim(wanted=1, lease_seconds=LEASE_SECONDS, per_receiver=1, delivery_id=delivery_id)
    async with make_sender() as sender:
        for row in claimed.due:
            await deliveries.record([await attempt(Due.read(row), sender, Plan())])


class Round:
    """One sender's deliveries. Belongs to one event loop."""

    def __init__(
        self,
        sender: Sender,
        plan: Plan | None = None,
        *,
        store: Store = deliveries,
        concurrency: int = CONCURRENCY,
    ) -> None:
        self.tally: Counter[str] = Counter()
        self.wake = asyncio.Event()
        self._sender = sender
        self._plan = plan or Plan()
        self._store = store
        self._concurrency = concurrency
        self._under_way: dict[asyncio.Task[dict[str, Any]], Due] = {}
        self._done: list[dict[str, Any]] = []
        self._is_stopping = False

    async def sweep(self, seconds: float) -> Counter[str]:
        """Send until nothing is due, or for so many seconds.

        Raises:
            ApiError: the database did not answer.
        """
        ends_at = time.monotonic() + seconds
        while time.monotonic() < ends_at and await self._step(is_waiting=False):
            pass
        await self._end(ANSWER_SECONDS + BODY_SECONDS)
        return self.tally

    async def serve(self) -> None:
        """Send whatever becomes due, over outages of the database, until cancelled."""
        serving = asyncio.create_task(self._serve())
        try:
            await asyncio.shield(serving)
        except asyncio.CancelledError:
            # Not in the middle of a step: what the database has just leased would be nobody's for a minute.
            self._is_stopping = True
            self.wake.set()
            await serving
            raise

    async def _serve(self) -> None:
        while not self._is_stopping:
            try:
                await self._step(is_waiting=True)
            except ApiError as error:
                log.warning("deliveries wait", reason=error.detail)
                await asyncio.sleep(AWAY_SECONDS)
        with suppress(ApiError):  # leases end by themselves
            await self._end(STOP_SECONDS)

    async def _step(self, *, is_waiting: bool) -> bool:
        """Write down what is done, lease what is due, wait for something to happen; False: there is nothing to do."""
        await self._write_down()
        if not self._is_stopping:
            self.wake.clear()
        free = self._concurrency - len(self._under_way)
        claimed = deliveries.Claimed([], None)
        if free and not self._is_stopping:
            claimed = await self._store.claim(wanted=free, lease_seconds=LEASE_SECONDS, per_receiver=PER_RECEIVER)
        for row in claimed.due:
            due = Due.read(row)
            self._under_way[asyncio.create_task(attempt(due, self._sender, self._plan))] = due
        if not self._under_way and not is_waiting:
            return False
        next_seconds = IDLE_SECONDS if claimed.next_seconds is None else max(claimed.next_seconds, 0.0)
        await self._wait(min(next_seconds, IDLE_SECONDS))
        return True

    async def _wait(self, seconds: float) -> None:
        woken = asyncio.create_task(self.wake.wait())
        try:
            await asyncio.wait(
                {woken, *self._under_way}, timeout=seconds + LINGER_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
            await asyncio.sleep(LINGER_SECONDS)
        finally:
            woken.cancel()
        self._gather()

    def _gather(self) -> None:
        for task in [task for task in self._under_way if task.done()]:
            due = self._under_way.pop(task)
            if task.cancelled():
                continue
            if error := task.exception():
                # Our own mistake: the lease ends by itself and the delivery is tried again.
                log.exception("delivery broke", error, delivery_id=due.delivery_id)
            else:
                self._done.append(task.result())

    async def _write_down(self) -> None:
        self._gather()
        done = list(self._done)
        if not done:
            return
        try:
            await self._store.record(done)
        except Unavailable:
            raise
        except ApiError:
            await self._write_down_singly(done)
        del self._done[: len(done)]
        for outcome in done:
            self.tally[_name(outcome)] += 1

    async def _write_down_singly(self, done: Sequence[dict[str, Any]]) -> None:
        """Find the outcome that the database will not take; its lease ends by itself."""
        for outcome in done:
            try:
                await self._store.record([outcome])
            except Unavailable:
                raise
            except ApiError as error:
                log.warning("attempt not recorded", delivery_id=outcome["delivery_id"], reason=error.detail)

    async def _end(self, patience: float) -> None:
        """Let what is under way end within so many seconds, write down what has, give back the rest."""
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=patience)
        left: Sequence[Due] = [due for task, due in self._under_way.items() if not task.done()]
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
        await self._write_down()
        if left:
            await self._store.release([due.lease_id for due in left])


def _name(outcome: dict[str, Any]) -> str:
    if outcome["is_delivered"]:
        return "delivered"
    return "dead" if outcome.get("retry_seconds") is None else "failed"
