"""Records become durable together, in few writes; what the database does not take waits on disk and is written later."""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from api._lib import group_commit
from api._lib.errors import NotFound, RequestInvalid, Unavailable
from api._lib.group_commit import GroupCommit
from api._lib.spill import Spill, SpillRefused


class Database:
    """Takes batches as it is told to."""

    def __init__(self) -> None:
        self.batches: list[list[bytes]] = []
        self.is_up = True
        self.seconds = 0.0
        self.under_way = 0

    @property
    def records(self) -> list[bytes]:
        return [record for batch in self.batches for record in batch]

    async def write(self, records: Sequence[bytes]) -> None:
        self.under_way += 1
        assert self.under_way == 1, "one write at a time"
        await asyncio.sleep(self.seconds)
        self.under_way -= 1
        if not self.is_up:
            raise Unavailable("down")
        if any(b"poison" in record for record in records):
            raise RequestInvalid("poison")
        self.batches.append(list(records))


def record(number: int, more: str = "") -> bytes:
    return b'{"id":%d,"more":"%b"}' % (number, more.encode())


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(group_commit, "RETRY_SECONDS", 0.1)


@pytest.fixture
def database() -> Database:
    return Database()


@pytest.fixture
def spill(tmp_path: Path) -> Iterator[Spill]:
    spill = Spill(tmp_path / "spill")
    yield spill
    spill.seal()


async def add_all(writer: GroupCommit, records: Sequence[bytes]) -> None:
    await asyncio.gather(*(writer.add(each) for each in records))


def waiting(spill: Spill) -> list[bytes]:
    """Read what is on disk without taking it away."""
    return [each for segment in spill.take() for each in segment.records()]


def test_concurrent_records_share_a_write(database: Database, spill: Spill):
    """A hundred requests, one write; each has ended only when its own record was in it."""
    records = [record(number) for number in range(100)]

    asyncio.run(add_all(GroupCommit(database.write, spill), records))

    assert database.batches == [records]
    assert not spill.is_waiting


def test_records_that_come_during_a_write_are_gathered_for_the_next(database: Database, spill: Spill):
    """A slow database gets larger batches, not more of them."""
    database.seconds = 0.1

    async def trickle() -> None:
        writer = GroupCommit(database.write, spill)
        tasks = []
        for number in range(50):
            tasks.append(writer.add(record(number)))
            await asyncio.sleep(0.002)
        await asyncio.gather(*tasks)

    asyncio.run(trickle())

    assert sorted(database.records) == sorted(record(number) for number in range(50))
    assert len(database.batches) <= 4


def test_outage_costs_no_record(database: Database, spill: Spill):
    """Down: on disk, in order, and nobody waits for long. Up again: written once, without any new request."""
    database.is_up = False
    records = [record(number) for number in range(30)]

    async def live_through() -> None:
        writer = GroupCommit(database.write, spill)
        for each in records[:10]:
            await asyncio.wait_for(writer.add(each), 1)
        await add_all(writer, records[10:])
        assert spill.is_waiting
        assert not database.records
        database.is_up = True
        await asyncio.wait_for(writer._replaying, 5)

    asyncio.run(live_through())

    assert database.records == records
    assert waiting(spill) == []


def test_what_a_dead_process_left_is_written_by_the_next(database: Database, tmp_path: Path):
    """The lock of a dead process is gone; a line that its end cut off was promised to nobody."""
    dead = Spill(tmp_path)
    dead.append([record(1), record(2)])
    (left,) = tmp_path.glob("*.jsonl")
    living = Spill(tmp_path)
    living.append([record(9)])
    dead.seal()
    left.write_bytes(left.read_bytes() + b'{"id":3,"mo')

    async def serve() -> None:
        writer = GroupCommit(database.write, Spill(tmp_path))
        await writer.add(record(4))
        await writer._replaying

    asyncio.run(serve())

    assert database.records == [record(4), record(1), record(2)]
    living.seal()
    assert waiting(living) == [record(9)]


def test_record_that_is_never_taken_does_not_keep_others_back(database: Database, spill: Spill):
    """The database refuses the batch for one record: the others are written, that one is left out."""
    records = [record(number, "poison" if number == 7 else "") for number in range(20)]

    asyncio.run(add_all(GroupCommit(database.write, spill), records))

    assert database.records == [each for each in records if b"poison" not in each]
    assert not spill.is_waiting


def test_refusal_of_the_whole_log_loses_nothing(spill: Spill):
    """A wrong key or a database that is not migrated yet says nothing about the records: they wait."""

    async def refuse(_records: Sequence[bytes]) -> None:
        raise NotFound("no such function")

    asyncio.run(add_all(GroupCommit(refuse, spill), [record(1), record(2)]))

    assert waiting(spill) == [record(1), record(2)]


def test_backlog_goes_to_disk_instead_of_memory(database: Database, spill: Spill, monkeypatch: pytest.MonkeyPatch):
    """Behind a database that hangs, what waits is bounded: the rest is durable on disk at once."""
    monkeypatch.setattr(group_commit, "PENDING_BYTES", 10_000)
    database.seconds = 1.0

    async def flood() -> None:
        writer = GroupCommit(database.write, spill)
        first = writer.add(record(0))
        await asyncio.sleep(0.05)
        await asyncio.wait_for(add_all(writer, [record(number, "x" * 1000) for number in range(1, 11)]), 0.9)
        assert spill.is_waiting
        await first

    asyncio.run(flood())

    assert {*database.records, *waiting(spill)} >= {record(number, "x" * 1000) for number in range(1, 11)}


def test_disk_is_bounded_and_requests_end_nevertheless(database: Database, tmp_path: Path):
    """Neither database nor disk: the request ends, the loss is counted in the log."""
    spill = Spill(tmp_path, limit_bytes=100)
    database.is_up = False

    asyncio.run(asyncio.wait_for(add_all(GroupCommit(database.write, spill), [record(1, "x" * 200)]), 2))

    assert waiting(spill) == []
    with pytest.raises(SpillRefused, match="holds"):
        spill.append([b"x" * 101])


def test_folder_of_records_is_for_its_owner_only(spill: Spill, tmp_path: Path):
    """Records hold what people sent."""
    spill.append([record(1)])

    assert (tmp_path / "spill").stat().st_mode & 0o077 == 0


def test_requests_wait_while_what_is_on_disk_is_written(
    database: Database, spill: Spill, monkeypatch: pytest.MonkeyPatch
):
    """Where a process sleeps between requests, the one that finds the database back keeps it awake for the others."""
    monkeypatch.setattr(group_commit, "AFTERCARE_SECONDS", 5.0)
    database.is_up = False

    async def live_through() -> None:
        writer = GroupCommit(database.write, spill)
        await writer.add(record(1))
        database.is_up, database.seconds = True, 0.2
        await asyncio.sleep(0.15)  # until it is asked again
        await writer.add(record(2))
        assert sorted(database.records) == [record(1), record(2)]

    asyncio.run(live_through())


def test_things_of_one_kind_are_one_record(database: Database, spill: Spill):
    """A thousand refusals are one line of the batch, and each of them has ended only when it was in."""

    def count(kind: bytes, number: int) -> bytes:
        return b"%b:%d" % (kind, number)

    async def refuse() -> None:
        writer = GroupCommit(database.write, spill, count=count)
        done = [writer.add_one(b"odd" if number % 4 else b"even") for number in range(400)]
        done.append(writer.add(record(1)))
        await asyncio.gather(*done)

    asyncio.run(refuse())

    assert sorted(database.records) == sorted([b"even:100", b"odd:300", record(1)])


def test_record_is_written_anew_when_the_database_cannot_take_it_as_it_was(database: Database, spill: Spill):
    """What is readable here and nothing for a database is written as it was understood."""
    writer_of = {"mend": lambda sent: sent.replace(b"poison", b"cured")}

    asyncio.run(add_all(GroupCommit(database.write, spill, **writer_of), [record(1), record(2, "poison"), record(3)]))

    assert sorted(database.records) == [record(1), record(2, "cured"), record(3)]


def test_request_that_is_cancelled_takes_no_other_along(database: Database, spill: Spill):
    """Each request waits for itself: the record of one that went away is written with the others."""

    async def leave() -> None:
        writer = GroupCommit(database.write, spill)
        gone, stays = (asyncio.ensure_future(writer.add(record(number))) for number in (1, 2))
        gone.cancel()
        assert await stays

    asyncio.run(leave())

    assert database.records == [record(1), record(2)]
