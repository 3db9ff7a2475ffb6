"""Group commit: records of concurrent requests are written together, and each request learns when its own is durable.

One write is under way at a time; what comes meanwhile is gathered for the next one. A batch that cannot be written goes
to the instance's disk, and so does everything that waits when more waits than memory is for. Once the database takes
records again, those on disk are written too. A record may be written twice: its id makes that harmless.

What happens often and in few kinds is counted within its batch, which then holds one record per kind.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Generator, Sequence
from contextlib import closing, suppress
from contextvars import Context
from dataclasses import dataclass, field
from itertools import batched
from typing import Any

from api._lib import log
from api._lib.circuit import Circuit
from api._lib.errors import ApiError, RequestInvalid, RequestMalformed, Unexpected
from api._lib.spill import Spill, SpillRefused

LINGER_SECONDS = 0.02
"""A write costs a third of a millisecond of this process, whatever it holds: at most fifty a second are made."""

SETTLED_AT_ONCE = 8
"""Requests that are told in one turn of the event loop that their records are durable: others are answered in between. Each
takes some 20 µs to end; all of a write at once were what one answer in forty waited for."""

BATCH_RECORDS = 1000
BATCH_BYTES = 1_000_000
PENDING_BYTES = 8_000_000
"""What may wait in memory; beyond it everything that waits goes to disk."""

PATIENCE_SECONDS = 2.0
"""So long a request waits for room in the log at most, before it is answered."""

RETRY_SECONDS = 2.0
AWAY_SECONDS = 60.0
"""A database that failed so lately and has not worked since is away: nobody waits for it."""
AFTERCARE_SECONDS = 2.0
"""Where a process sleeps between requests, what is on disk is only written while a request lasts: give it this long."""

_POISON = (RequestInvalid, RequestMalformed, Unexpected)
"""What the database says about a record that it will never take. Everything else may pass."""

Form = Callable[[Any], bytes]
SizeOf = Callable[[Any], int]
Write = Callable[[Sequence[bytes]], Awaitable[object]]
Mend = Callable[[bytes], bytes]
Count = Callable[[bytes, int], bytes]


@dataclass(slots=True, eq=False)
class _Batch:
    """Records that become durable together; who awaits it is told when: true, they are in the database, false, on disk."""

    added: list[Any] = field(default_factory=list)
    """What becomes its records."""
    records: list[bytes] = field(default_factory=list)
    waiting: list[asyncio.Future[bool]] = field(default_factory=list)
    """One for each that waits, so that a request which is cancelled takes no other along."""
    size: int = 0
    members: int = 0
    counts: dict[bytes, int] = field(default_factory=dict)
    is_in_database: bool | None = None

    @property
    def is_full(self) -> bool:
        return self.size >= BATCH_BYTES or self.members >= BATCH_RECORDS

    def __await__(self) -> Generator[Any, None, bool]:
        if self.is_in_database is not None:
            return self.is_in_database
        durable: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.waiting.append(durable)
        return (yield from durable.__await__())


class GroupCommit:
    """The writer of one event loop."""

    def __init__(
        self,
        write: Write,
        spill: Spill,
        *,
        form: Form = bytes,
        size_of: SizeOf = len,
        mend: Mend = bytes,
        count: Count | None = None,
    ) -> None:
        """Say how batches are written.

        `form` makes a record of what is added, when its batch is full: many in a row take a fraction of what each takes among
        other work; `size_of` says how many bytes it will be, nearly. `mend` may write a record anew that the database refused as it was; `count` writes the record of so many things
        of one kind.
        """
        self._write = write
        self._form = form
        self._size_of = size_of
        self._mend = mend
        self._count = count
        self._spill = spill
        self._queue: deque[_Batch] = deque()
        self._pending = 0
        self._circuit = Circuit(seconds=RETRY_SECONDS)
        self._door = asyncio.Lock()
        self._has_room = asyncio.Event()
        self._gate = asyncio.Lock()
        self._writing: asyncio.Task[None] | None = None
        self._replaying: asyncio.Task[None] | None = None
        self._beside: set[asyncio.Task[None]] = set()
        self._has_looked = False

    def add(self, what: Any) -> Awaitable[bool]:
        """Write a record of something, whether what is returned is awaited or not; done when it is in the database (true) or on disk."""
        batch = self._open_batch()
        batch.added.append(what)
        return self._take_part(batch, self._size_of(what))

    def add_one(self, kind: bytes) -> Awaitable[bool]:
        """Count one thing of a kind in the same way; done when the count is in the database (true) or on disk."""
        batch = self._open_batch()
        batch.counts[kind] = batch.counts.get(kind, 0) + 1
        return self._take_part(batch, 0)

    async def room(self) -> None:
        """Wait for a while where more comes than a working database and the disk take: who asks faster than that is slowed down."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS), self._gate:  # one after the other, first come first served
                while self.is_crowded and not self._circuit.failed_within(AWAY_SECONDS):
                    self._has_room.clear()
                    await self._has_room.wait()

    @property
    def is_crowded(self) -> bool:
        """Whether memory holds as much as it may, or half as much and the disk fills up."""
        return self._pending > (PENDING_BYTES // 2 if self._spill.is_filling else PENDING_BYTES)

    async def finish(self) -> None:
        """Wait until everything that was added is in the database or on disk."""
        while work := {each for each in (self._writing, *self._beside) if each and not each.done()}:
            await asyncio.wait(work)

    def _open_batch(self) -> _Batch:
        if not self._queue or self._queue[-1].is_full:
            self._queue.append(_Batch())
        return self._queue[-1]

    def _take_part(self, batch: _Batch, size: int) -> _Batch:
        """Count one more record of a batch, and see to it that it becomes durable."""
        batch.members += 1
        batch.size += size
        self._pending += size
        if self._pending > PENDING_BYTES:
            self._relieve()
        elif self._writing is None or self._writing.done():
            self._writing = _start(self._write_all())
        return batch

    async def _write_all(self) -> None:
        while self._queue:
            if not self._queue[0].is_full:
                await asyncio.sleep(LINGER_SECONDS)
            if not self._queue:
                return  # relieved meanwhile
            batch = self._queue.popleft()
            self._close(batch)
            if await self._is_written(batch.records):
                self._let_go(batch)
                self._look_after_spill()
                if self._replaying and not self._replaying.done():
                    self._run_beside(self._settle_later(batch, self._replaying))
                else:
                    await self._settle(batch, is_in_database=True)
            else:
                await self._keep([batch])

    async def _is_written(self, records: Sequence[bytes]) -> bool:
        """Write records unless the database failed a moment ago; those it will never take are left out."""
        if self._circuit.is_open:
            return False
        try:
            async with self._door:
                await self._write(records)
        except _POISON as error:
            if len(records) == 1:
                mended = self._mend(records[0])
                if mended != records[0]:
                    return await self._is_written([mended])
                log.warning("prediction not logged", reason=error.detail, bytes=len(records[0]))
                return True
            middle = len(records) // 2
            return await self._is_written(records[:middle]) and await self._is_written(records[middle:])
        except ApiError as error:
            self._circuit.failed()
            log.warning("log behind", reason=error.detail)
            return False
        except Exception as error:  # noqa: BLE001  requests wait for this batch: it must end in one way or the other
            self._circuit.failed()
            log.exception("log behind", error)
            return False
        self._circuit.worked()
        return True

    def _relieve(self) -> None:
        """Move everything that waits to disk."""
        batches = list(self._queue)
        self._queue.clear()
        for batch in batches:
            self._close(batch)
        self._run_beside(self._keep(batches))

    def _run_beside(self, work: Coroutine[None, None, None]) -> None:
        task = _start(work)
        self._beside.add(task)
        task.add_done_callback(self._beside.discard)

    async def _keep(self, batches: Sequence[_Batch]) -> None:
        """Write batches to disk. If it takes them neither, they are lost, and the log says how many."""
        records = [record for batch in batches for record in batch.records]
        try:
            await asyncio.to_thread(self._spill.append, records)
        except SpillRefused as error:
            log.warning("predictions lost", count=len(records), reason=str(error))
        self._look_after_spill()
        for batch in batches:
            self._let_go(batch)
        for batch in batches:
            await self._settle(batch, is_in_database=False)

    def _close(self, batch: _Batch) -> None:
        """Write down what was added and counted; nothing joins the batch any more."""
        batch.records, batch.added = [self._form(what) for what in batch.added], []
        if self._count:
            batch.records += [self._count(kind, number) for kind, number in batch.counts.items()]

    def _let_go(self, batch: _Batch) -> None:
        """Forget the records of a batch that memory need not hold any more, and let others have their room."""
        batch.records = []
        self._pending -= batch.size
        if self._pending <= PENDING_BYTES // 2:
            self._has_room.set()

    async def _settle(self, batch: _Batch, *, is_in_database: bool) -> None:
        """Tell the requests of a batch, some at a time."""
        batch.is_in_database = is_in_database
        for some in batched(batch.waiting, SETTLED_AT_ONCE):
            for durable in some:
                if not durable.done():
                    durable.set_result(is_in_database)
            await asyncio.sleep(0)

    async def _settle_later(self, batch: _Batch, replaying: asyncio.Task[None]) -> None:
        """Tell the requests of a written batch, but keep them for as long as what is on disk needs them."""
        await asyncio.wait({replaying}, timeout=AFTERCARE_SECONDS)
        await self._settle(batch, is_in_database=True)

    def _look_after_spill(self) -> None:
        """Start to write what is on disk: this process's own, and once what dead ones have left."""
        if self._spill.is_waiting or not self._has_looked:
            self._has_looked = True
            if self._replaying is None or self._replaying.done():
                self._replaying = _start(self._replay())

    async def _replay(self) -> None:
        while True:
            if await self._is_replayed():
                return
            await asyncio.sleep(RETRY_SECONDS)

    async def _is_replayed(self) -> bool:
        if self._circuit.is_open:
            return False
        with closing(self._spill.take()) as segments:
            for segment in segments:
                count = 0
                for records in segment.portions(BATCH_RECORDS, BATCH_BYTES):
                    if not await self._is_written(records):
                        return False
                    count += len(records)
                segment.remove()
                log.info("log caught up", count=count)
        return not self._spill.is_waiting


def _start(work: Coroutine[None, None, None]) -> asyncio.Task[None]:
    """Start work that belongs to no request, though one has caused it."""
    return asyncio.get_running_loop().create_task(work, context=Context())
