"""Records that come faster than the database takes them: in portions it can take, on disk within bounds, and none is lost."""

import asyncio
import errno
import io
import itertools
import os
from collections.abc import Buffer, Iterator, Sequence
from pathlib import Path

import orjson
import pytest

from api._lib import group_commit, prediction_log, spill
from api._lib.group_commit import GroupCommit
from api._lib.spill import Spill, SpillRefused
from api.predict import app
from tests.api.test_group_commit import Database, record, waiting
from tests.api.test_prediction_log import Log, logged  # noqa: F401  a fixture
from tests.api.test_regulars import key, ways  # noqa: F401  fixtures
from tests.api.ways import ROW, Ways

KILOBYTE = "x" * 1000


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(group_commit, "RETRY_SECONDS", 0.1)
    monkeypatch.setattr(group_commit, "PATIENCE_SECONDS", 60)
    monkeypatch.setattr(group_commit, "PENDING_BYTES", 10_000)
    monkeypatch.setattr(group_commit, "BATCH_BYTES", 5_000)
    monkeypatch.setattr(spill, "RESERVE_BYTES", 30_000)
    monkeypatch.setattr(spill, "SEGMENT_BYTES", 4_000)


@pytest.fixture
def database() -> Database:
    return Database()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Spill]:
    disk = Spill(tmp_path, limit_bytes=60_000)
    yield disk
    disk.seal()


def test_long_records_are_read_back_in_portions_that_a_database_takes(database: Database, disk: Spill):
    """A thousand records of a hundred rows each would be one write of a hundred megabytes, which never ends in time."""
    database.is_up = False
    records = [record(number, KILOBYTE) for number in range(40)]

    async def live_through() -> None:
        writer = GroupCommit(database.write, disk)
        for each in records:
            await writer.add(each)
        database.is_up = True
        await asyncio.wait_for(writer._replaying, 5)

    asyncio.run(live_through())

    assert sorted(database.records) == sorted(records)
    assert max(sum(map(len, batch)) for batch in database.batches) < 5_000 + 1_100


def test_files_that_were_ended_meanwhile_still_wait(disk: Spill):
    """What is written to disk while an earlier part of it is read back is read by the next round, however long it is."""
    disk.append([record(1)])
    round_ = disk.take()
    first = next(round_)
    disk.append([record(2, KILOBYTE * 5)])
    first.remove()

    assert next(round_, None) is None
    assert disk.is_waiting
    assert waiting(disk) == [record(2, KILOBYTE * 5)]


class _SmallFile(io.FileIO):
    """A file on a disk that becomes full in the middle of a line, and stays so."""

    room = 150

    def write(self, content: Buffer) -> int:
        """Take what there is room for; then nothing more."""
        part = memoryview(content)[: max(0, self.room - self.tell())]
        if not part:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(part)


def test_record_that_a_full_disk_cut_off_spoils_no_other(disk: Spill, tmp_path: Path):
    """It is refused, and what comes next begins a file of its own instead of continuing its line."""
    small = tmp_path / "0.jsonl"
    disk._current = io.BufferedWriter(_SmallFile(small, "xb"))
    disk.append([record(1)])

    with pytest.raises(SpillRefused, match="No space"):
        disk.append([record(2, KILOBYTE)])
    disk.append([record(3)])

    assert len(small.read_bytes()) == _SmallFile.room
    assert waiting(disk) == [record(1), record(3)]


def test_nothing_is_lost_where_requests_come_faster_than_the_database_writes(
    database: Database, disk: Spill, monkeypatch: pytest.MonkeyPatch
):
    """Memory first, then disk; once that fills up, whoever asks waits for the database, and disk and memory stay bounded."""
    database.seconds = 0.01
    in_memory, on_disk, numbers = [0], [0], itertools.count()

    def append(records: Sequence[bytes]) -> None:
        Spill.append(disk, records)
        on_disk.append(disk._held)

    monkeypatch.setattr(disk, "append", append)

    async def ask(writer: GroupCommit) -> None:
        for _ in range(50):
            await writer.room()
            rest = writer.add(record(next(numbers), KILOBYTE))
            in_memory.append(writer._pending)
            await asyncio.sleep(0)
            del rest  # a server that lasts waits for nothing

    async def flood() -> None:
        writer = GroupCommit(database.write, disk)
        await asyncio.gather(*(ask(writer) for _ in range(8)))
        await writer.finish()
        while writer._replaying and not writer._replaying.done():
            await asyncio.wait({writer._replaying})

    asyncio.run(asyncio.wait_for(flood(), 60))

    assert {*database.records} == {record(number, KILOBYTE) for number in range(400)}
    assert max(in_memory) <= 10_000 + 8 * 1_100
    assert 0 < max(on_disk) <= 60_000


def test_nobody_waits_for_a_database_that_is_away(database: Database, disk: Spill):
    """Disk and memory are as full as before, but there is nothing to wait for."""
    database.is_up = False

    async def ask() -> None:
        writer = GroupCommit(database.write, disk)
        for number in range(60):
            await asyncio.wait_for(writer.add(record(number, KILOBYTE)), 1)
        assert disk.is_filling
        writer._pending = 9_000
        await asyncio.wait_for(writer.room(), 0.5)

    asyncio.run(ask())


def test_room_is_given_first_come_first_served(database: Database, disk: Spill):
    """Who waits longest is next: nobody who comes later, or comes again, gets in before."""
    served: list[int] = []

    async def ask(writer: GroupCommit, caller: int) -> None:
        for _ in range(2):
            await writer.room()
            served.append(caller)
            writer.add(record(caller, KILOBYTE * 9))

    async def story() -> None:
        writer = GroupCommit(database.write, disk)
        writer.add(record(99, KILOBYTE * 11))
        await asyncio.gather(*(ask(writer, caller) for caller in range(6)))
        await writer.finish()

    asyncio.run(asyncio.wait_for(story(), 60))

    assert served == [*range(6), *range(6)]


def test_patience_has_an_end(database: Database, disk: Spill, monkeypatch: pytest.MonkeyPatch):
    """A database that takes records, but too slowly, holds a request up for a while only."""
    monkeypatch.setattr(group_commit, "PATIENCE_SECONDS", 0.05)
    disk.append([record(1, KILOBYTE * 31)])

    async def ask() -> None:
        writer = GroupCommit(database.write, disk)
        writer._pending = 9_000
        await asyncio.wait_for(writer.room(), 1)
        assert not writer._has_room.is_set()

    asyncio.run(ask())


def test_flood_through_the_app_is_logged_whole(
    ways: Ways,  # noqa: F811
    public_model: str,
    key: str,  # noqa: F811
    logged: Log,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    """Forty at a time, long requests, a real database: each is answered and in the log once, though disk and memory hold a fourth."""
    disk = Spill(tmp_path, limit_bytes=500_000)
    monkeypatch.setattr(prediction_log, "_spill", lambda: disk)
    monkeypatch.setattr(prediction_log, "_writers", {})
    monkeypatch.setattr(group_commit, "PENDING_BYTES", 60_000)
    monkeypatch.setattr(group_commit, "BATCH_BYTES", 30_000)
    monkeypatch.setattr(spill, "RESERVE_BYTES", 350_000)
    rooms, room = [], GroupCommit.room

    async def counted(writer: GroupCommit) -> None:
        rooms.append(disk._held)
        await room(writer)

    monkeypatch.setattr(GroupCommit, "room", counted)

    async def ask_all() -> list[dict[str, object]]:
        async def ask_some(caller: int) -> list[dict[str, object]]:
            rows = [{**ROW, "length": row} for row in range(40)]
            return [
                await ways.ask_here(app, public_model, orjson.dumps({"rows": [{**ROW, "width": caller}, *rows]}), key)
                for _ in range(10)
            ]

        return [each for some in await asyncio.gather(*map(ask_some, range(40))) for each in some]

    assert ways.client.portal is not None
    answers = ways.client.portal.call(ask_all)
    ways.client.portal.call(prediction_log.finish)
    wanted = [each["id"] for each in answers]

    assert len({*wanted}) == 400
    assert logged.wait_for(wanted, 30)[0] == 400
    assert 0 < max(rooms) <= 500_000
    disk.seal()
