"""What was predicted, for whom, from what: one record per answered request, written after the answer; and how many
requests were refused, by kind.

Nothing here delays an answer or fails one. Records hold what people sent, so they go to the database and, while that is
away, to the instance's disk, and never to the text log.
"""

import asyncio
import re
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, NamedTuple

import orjson
from uuid_utils import uuid7

from api._lib import log
from api._lib.callers import Caller
from api._lib.group_commit import GroupCommit
from api._lib.registry import Found
from api._lib.settings import settings
from api._lib.spill import Spill
from api._lib.store.predictions import hang_up, write_predictions

MAX_ROWS = 1000
"""Of a request with more rows neither they nor the outputs are kept: many rows are what batches are for."""

INLINE_ROWS = 50
"""More rows are read and written in a thread."""

Source = Literal["api", "site", "hook", "batch", "v2", "mlflow"]
Cells = Callable[[], Sequence[Any]]
"""Makes one JSON value per row. Called behind the answer, so that nobody waits for it."""

_LONGEST_SLUG = 63
_NAMES_BYTES = 450
"""Of a record without its rows and outputs, about."""

_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")
_NO_NUL = rb"\1\\ufffd"

_writers: dict[asyncio.AbstractEventLoop, GroupCommit] = {}


class Entry(NamedTuple):
    """One answered request, its parts as JSON, as they are put together into a record."""

    names: bytes
    """Who asked what: `names_of`."""
    prediction_id: str
    source: Source
    row_count: int
    timing: bytes
    """Members `parse_ms`, `infer_ms`, `total_ms`; others are not kept."""
    rows: bytes | None
    outputs: bytes | None
    cache: bytes = b"null"


def add(entry: Entry) -> Awaitable[bool]:
    """Log an answer; done when that is durable. To be awaited behind the answer: it takes some 30 ms.

    What waits holds memory, and memory that is touched again after 30 ms is slow: await this with as little as possible
    still in hand.
    """
    return _writer().add((entry, time.time()))


async def record(
    found: Found,
    caller: Caller,
    *,
    prediction_id: str,
    source: Source,
    row_count: int,
    rows: Cells,
    outputs: Cells,
    total_ms: float,
    parse_ms: float | None = None,
    infer_ms: float | None = None,
) -> None:
    """Log an answer whose parts are not JSON yet, as `add` does.

    `rows` makes the features as they were sent, `outputs` the predictions as they were answered.
    """
    if not is_on():
        return
    is_small = row_count <= INLINE_ROWS

    async def made(make: Cells) -> bytes | None:
        return write_cells(make) if is_small else await asyncio.to_thread(write_cells, make)

    entry = Entry(
        names_of(found, caller),
        prediction_id,
        source,
        row_count,
        orjson.dumps({"parse_ms": parse_ms, "infer_ms": infer_ms, "total_ms": total_ms})[1:-1],
        await made(rows) if keeps_rows(found, row_count) else None,
        await made(outputs) if row_count <= MAX_ROWS else None,
    )
    await add(entry)


async def add_refusal(model: str, status: int, code: str) -> None:
    """Count a request that was refused; returns when that is durable. Of what was sent nothing is kept."""
    if not is_on() or len(model) > _LONGEST_SLUG:
        return
    try:
        await _writer().add_one(orjson.dumps({"model": model, "status": status, "code": code}))
    except Exception as error:  # noqa: BLE001  as above
        log.exception("refusal not logged", error)


async def finish() -> None:
    """Wait until everything that was added is durable, and hang up: for the end of a process."""
    if writer := _writers.get(asyncio.get_running_loop()):
        await writer.finish()
    hang_up()


def is_on() -> bool:
    """Whether there is a database to log to."""
    return bool(settings().supabase_secret_key)


def keeps_rows(found: Found, row_count: int) -> bool:
    """Whether the rows of a request are kept with its record."""
    return found.keeps_inputs and row_count <= MAX_ROWS


def names_of(found: Found, caller: Caller) -> bytes:
    """Name who asked what, as members; a bundled version that nobody could look up is known by its file."""
    names = {
        "version_id": found.version.id or None,
        "model": found.slug,
        "digest": found.version.digest,
        "caller_kind": caller.kind,
        "caller_id": caller.user_id or None,
    }
    return orjson.dumps(names)[1:-1]


def write_cells(make: Cells) -> bytes | None:
    """Write rows or outputs as JSON.

    None where it cannot be done: a column that the model ignores may hold anything, nested as deep as it can be read.
    """
    try:
        return orjson.dumps(make())
    except orjson.JSONEncodeError:
        return None


def is_behind() -> bool:
    """Tell whether logged predictions wait on disk for the database."""
    return _spill().is_waiting


def is_pressed() -> bool:
    """Tell whether a request is to ask for room first: records wait on disk, or as many in memory as may."""
    return is_behind() or ((writer := _writers.get(asyncio.get_running_loop())) is not None and writer.is_crowded)


async def room() -> None:
    """Wait for room in the log, for two seconds at most, where requests come faster than a working database takes their records."""
    await _writer().room()


def source_of(headers: Mapping[bytes, bytes]) -> Source:
    """Tell our own pages from everybody else; browsers do not let a page forge this header."""
    return "site" if headers.get(b"sec-fetch-site") == b"same-origin" else "api"


def write_entry(entry: Entry, at: float) -> bytes:
    """Put a record together, on one line; `at` is when it was answered, in seconds since 1970."""
    content = b'{%b,"id":"%b","at":%b,"source":"%b","row_count":%d,"cache":%b,%b,"rows":%b,"outputs":%b}' % (
        entry.names,
        entry.prediction_id.encode(),
        orjson.dumps(datetime.fromtimestamp(at, UTC)),
        entry.source.encode(),
        entry.row_count,
        entry.cache,
        entry.timing,
        entry.rows or b"null",
        entry.outputs or b"null",
    )
    if b"\n" in content or b"\r" in content:  # between the cells of rows that are kept as they were sent
        content = content.replace(b"\n", b" ").replace(b"\r", b" ")
    # Postgres has no NUL in its texts and would refuse the whole batch.
    # To look for one sign takes a twentieth of the time of looking for six.
    return _NUL.sub(_NO_NUL, content) if b"\\" in content and b"\\u0000" in content else content


def _form(added: tuple[Entry, float]) -> bytes:
    return write_entry(*added)


def _size_of(added: tuple[Entry, float]) -> int:
    """Say how long a record will be, nearly."""
    entry, _ = added
    return _NAMES_BYTES + len(entry.rows or b"") + len(entry.outputs or b"")


def _mend(record: bytes) -> bytes:
    """Write a record as it was understood: JSON may hold numbers that are readable here and too long for a database."""
    try:
        return orjson.dumps(orjson.loads(record))
    except orjson.JSONEncodeError:  # nested deeper than can be written
        return record


def _write_count(kind: bytes, count: int) -> bytes:
    made = {"id": str(uuid7()), "at": datetime.now(UTC), "count": count, **orjson.loads(kind)}
    return orjson.dumps({"refusal": made})


def _writer() -> GroupCommit:
    """Return the one writer of the running event loop."""
    loop = asyncio.get_running_loop()
    writer = _writers.get(loop)
    if writer is None:
        for stale in [each for each in _writers if each.is_closed()]:
            del _writers[stale]
        writer = _writers[loop] = GroupCommit(
            write_predictions, _spill(), form=_form, size_of=_size_of, mend=_mend, count=_write_count
        )
    return writer


@cache
def _spill() -> Spill:
    known = settings()
    # What waits belongs to one database and must never reach another.
    elsewhere = Path(tempfile.gettempdir()) / f"rowcast-spill-{sha256(known.supabase_url.encode()).hexdigest()[:12]}"
    return Spill(Path(known.spill_dir) if known.spill_dir else elsewhere)
