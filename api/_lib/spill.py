"""Records on the instance's disk for as long as the database does not take them: appended, synced, read back, removed.

Each process appends to a file of its own and holds a lock on it, so that what a dead process left behind can be told
apart from what a living one is writing. A line that was cut off by a crash was never promised to anybody and is skipped.
"""

import fcntl
import os
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Self

from uuid_utils import uuid7

LIMIT_BYTES = 128 * 1024 * 1024
"""Some 100,000 predictions of one row of 30 numbers. The disk of a function is 512 MB, half of which may be models."""

RESERVE_BYTES = 16 * 1024 * 1024
"""Of the limit, what is left for records whose requests are under way when the rest is full."""

SEGMENT_BYTES = 4 * 1024 * 1024
"""A longer file is ended: each is removed once all of it is in the database, and begun again when that fails half-way."""

_SUFFIX = ".jsonl"


class SpillRefused(Exception):
    """The disk does not take records either; the message says why."""


class Spill:
    """A folder of records that wait. Any thread may call."""

    def __init__(self, folder: Path, *, limit_bytes: int = LIMIT_BYTES) -> None:
        self._folder = folder
        self._limit_bytes = limit_bytes
        self._lock = threading.Lock()
        self._current: BinaryIO | None = None
        self.is_waiting = False
        """Whether records of this process wait."""
        self._held = 0
        self._appends = 0

    @property
    def is_filling(self) -> bool:
        """Whether the folder will soon hold all that it may."""
        return self._held > max(0, self._limit_bytes - RESERVE_BYTES)

    def append(self, records: Sequence[bytes]) -> None:
        """Write records so that they survive this process and this machine's next start.

        Raises:
            SpillRefused: the folder is full or cannot be written.
        """
        size = sum(map(len, records)) + len(records)
        with self._lock:
            try:
                self._held = self._used()
                if self._held + size > self._limit_bytes:
                    raise SpillRefused(f"the folder holds {self._limit_bytes >> 20} MB already")
                self._held += size
                file = self._current or self._begin()
                file.writelines(line for record in records for line in (record, b"\n"))
                file.flush()
                os.fsync(file.fileno())
                if file.tell() > SEGMENT_BYTES:
                    self._end()
            except OSError as error:
                with suppress(OSError):
                    self._end()  # what came next would continue a line that was cut off
                raise SpillRefused(error.strerror or type(error).__name__) from error
            self._appends += 1
            self.is_waiting = True

    def seal(self) -> None:
        """End the file that is written: the next records begin another, and anybody may take this one."""
        with self._lock:
            self._end()

    def take(self) -> Generator["Segment"]:
        """Hand out one after the other the files that nobody is writing, this process's own included."""
        with self._lock:
            self._end()
            appends = self._appends
        for path in sorted(self._folder.glob(f"*{_SUFFIX}")):
            if segment := Segment.claim(path):
                with segment:
                    yield segment
                with self._lock:
                    self._held = self._used()
        with self._lock:
            self.is_waiting = self._appends > appends

    def _begin(self) -> BinaryIO:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._folder.stat().st_uid != os.getuid():
            # Among the system's temporary files anybody may make a folder of this name.
            raise SpillRefused("the folder belongs to somebody else")
        name = str(uuid7())
        draft = self._folder / f"{name}.draft"
        self._current = draft.open("xb")
        fcntl.flock(self._current, fcntl.LOCK_EX)
        draft.rename(self._folder / f"{name}{_SUFFIX}")  # seen by others only now that it is locked
        return self._current

    def _end(self) -> None:
        ended, self._current = self._current, None
        if ended is not None:
            ended.close()

    def _used(self) -> int:
        return sum(path.stat().st_size for path in self._folder.glob(f"*{_SUFFIX}"))


class Segment:
    """One file of records that this process alone reads; released when the block is left."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path = path
        self._file = file

    @classmethod
    def claim(cls, path: Path) -> "Segment | None":
        """Lock a file; None when its writer lives or another process was faster."""
        try:
            file = path.open("rb")
        except OSError:
            return None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            return None
        return cls(path, file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def records(self) -> Iterator[bytes]:
        """Read the records in the order they were written; nothing if the file was removed before it was locked."""
        if os.fstat(self._file.fileno()).st_nlink:
            yield from (line[:-1] for line in self._file if line.startswith(b"{") and line.endswith(b"}\n"))

    def portions(self, most: int, most_bytes: int) -> Iterator[list[bytes]]:
        """Read the records, so many at a time, or those that first reach so many bytes together."""
        portion, size = list[bytes](), 0
        for record in self.records():
            portion.append(record)
            size += len(record)
            if len(portion) >= most or size >= most_bytes:
                yield portion
                portion, size = [], 0
        if portion:
            yield portion

    def remove(self) -> None:
        """Delete the file: every record of it is in the database."""
        self._path.unlink(missing_ok=True)
