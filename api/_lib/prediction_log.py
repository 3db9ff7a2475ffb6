"""What was predicted, for whom, from what: one record per answered request, written after the answer.

Nothing here delays an answer or fails one. Records hold what people sent, so they go to the database and, while that is
away, to the instance's disk, and never to the text log.
"""

import asyncio
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import orjson

from api._lib import log
from api._lib.auth import Caller
from api._lib.group_commit import GroupCommit
from api._lib.registry import Found
from api._lib.settings import settings
from api._lib.spill import Spill
from api._lib.store.predictions import write_predictions

MAX_ROWS = 1000
"""Of a request with more rows neither they nor the outputs are kept: many rows are what batches are for."""

INLINE_ROWS = 50
"""More rows are read and written in a thread."""

Source = Literal["api", "site", "hook", "batch", "v2", "mlflow"]
Cells = Callable[[], Sequence[Any]]
"""Makes one JSON value per row. Called behind the answer, so that nobody waits for it."""

_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")
_NO_NUL = rb"\1\\ufffd"

_writers: dict[asyncio.AbstractEventLoop, GroupCommit] = {}


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
    cache: str | None = None,
    status: int = 200,
) -> None:
    """Log an answer; returns when that is durable. To be awaited behind the answer: it takes some 30 ms.

    `rows` makes the features as they were sent, `outputs` the predictions as they were answered.
    """
    if not settings().supabase_secret_key:
        return
    facts = {
        **_names(found, caller),
        "id": prediction_id,
        "at": datetime.now(UTC),
        "source": source,
        "status": status,
        "row_count": row_count,
        "cache": cache,
        "parse_ms": parse_ms,
        "infer_ms": infer_ms,
        "total_ms": total_ms,
    }
    wanted = {} if row_count > MAX_ROWS else {"rows": rows, "outputs": outputs}
    if not found.keeps_inputs:
        wanted.pop("rows", None)
    try:
        is_small = row_count <= INLINE_ROWS
        content = _write(facts, wanted) if is_small else await asyncio.to_thread(_write, facts, wanted)
        await _writer().add(content)
    except Exception as error:  # noqa: BLE001  the answer is out: whatever this is, the caller has what they came for
        log.exception("prediction not logged", error)


def _names(found: Found, caller: Caller) -> dict[str, str | None]:
    """Name who asked what; a bundled version that nobody could look up is known by its file."""
    return {
        "version_id": found.version.id or None,
        "model": found.slug,
        "digest": found.version.digest,
        "caller_kind": caller.kind,
        "caller_id": caller.user_id or None,
    }


def is_behind() -> bool:
    """Tell whether logged predictions wait on disk for the database."""
    return _spill().is_waiting


def source_of(headers: Mapping[bytes, bytes]) -> Source:
    """Tell our own pages from everybody else; browsers do not let a page forge this header."""
    return "site" if headers.get(b"sec-fetch-site") == b"same-origin" else "api"


def _write(facts: Mapping[str, Any], wanted: Mapping[str, Cells]) -> bytes:
    made = {name: make() for name, make in wanted.items()}
    try:
        content = orjson.dumps({**facts, **made})
    except (
        orjson.JSONEncodeError
    ):  # a column that the model ignores may hold anything, nested as deep as it can be read
        content = orjson.dumps({**facts, "outputs": made["outputs"]})
    # Postgres has no NUL in its texts and would refuse the whole batch.
    return _NUL.sub(_NO_NUL, content) if b"\\u0000" in content else content


def _writer() -> GroupCommit:
    """Return the one writer of the running event loop."""
    loop = asyncio.get_running_loop()
    writer = _writers.get(loop)
    if writer is None:
        for stale in [each for each in _writers if each.is_closed()]:
            del _writers[stale]
        writer = _writers[loop] = GroupCommit(write_predictions, _spill())
    return writer


@cache
def _spill() -> Spill:
    known = settings()
    # What waits belongs to one database and must never reach another.
    elsewhere = Path(tempfile.gettempdir()) / f"rowcast-spill-{sha256(known.supabase_url.encode()).hexdigest()[:12]}"
    return Spill(Path(known.spill_dir) if known.spill_dir else elsewhere)
