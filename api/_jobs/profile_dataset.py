"""The profile job: what an uploaded table holds, found in a process of its own."""

import asyncio
import tempfile
import threading
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import psycopg
from procrastinate import JobContext
from psycopg.types.json import Jsonb

from api._jobs.connection import connect
from api._jobs.errors import RunPostponed, RunRejected
from api._jobs.queue import CHORES_QUEUE, TryAgain, app
from api._jobs.storage import Storage
from api._jobs.tables import fetch_file
from api._jobs.trainer import PROFILE_FILE, Order
from api._jobs.trainer_process import TrainerProcess, run_to_end
from api._lib import log
from api._lib.settings import settings

MAX_ATTEMPTS = 3
PROFILE_SECONDS = 300.0

_READ = """
select id as dataset_id, filename, object_path, size_bytes, sha256, corrections from public.datasets
where id = %s and profile_status = 'queued'
"""
_SUCCEED = """
update public.datasets set profile = %(profile)s, profile_status = 'ready', profile_reason = null,
  rows = %(rows)s, columns = %(columns)s
where id = %(id)s and profile_status = 'queued' and corrections = %(corrections)s
"""
_FAIL = "update public.datasets set profile_status = 'failed', profile_reason = %s where id = %s and profile_status = 'queued'"


@app.task(name="profile_dataset", queue=CHORES_QUEUE, retry=TryAgain(), pass_context=True)
async def profile_dataset(context: JobContext, dataset_id: str) -> None:
    """Profile one dataset; the worker's `stop` in the context interrupts it."""
    attempt = context.job.attempts + 1
    await asyncio.to_thread(carry_out, UUID(dataset_id), attempt, context.additional_context["stop"])


def carry_out(dataset_id: UUID, attempt: int, stop: threading.Event) -> None:
    """Find what a dataset holds and keep it.

    Raises:
        RunPostponed: something around it failed; the profile is still awaited.
        RunInterrupted: the worker has to stop.
    """
    with connect("profile") as connection:
        facts = connection.execute(_READ, (dataset_id,)).fetchone()
        if facts is None:
            return
        try:
            profile = _find(facts, stop)
        except RunRejected as error:
            _fail(connection, dataset_id, str(error))
            return
        except RunPostponed as error:
            if attempt < MAX_ATTEMPTS:
                raise
            _fail(connection, dataset_id, f"{error} Tried {attempt} times.")
            return
        values = {"id": dataset_id, "profile": Jsonb(profile), "corrections": Jsonb(facts["corrections"])}
        # Where it was corrected meanwhile, another job is on its way.
        connection.execute(_SUCCEED, {**values, "rows": profile["rows"], "columns": len(profile["columns"])})
        log.info("dataset profiled", dataset_id=str(dataset_id), rows=profile["rows"])


def _find(facts: dict[str, Any], stop: threading.Event) -> dict[str, Any]:
    with (
        tempfile.TemporaryDirectory(prefix="rowcast-profile-", ignore_cleanup_errors=True) as name,
        Storage.open() as storage,
    ):
        folder = Path(name)
        try:
            file = fetch_file(storage, facts, folder)
        except OSError as error:
            raise RunPostponed(f"The worker's machine failed: {error.strerror}.") from error
        with TrainerProcess.start(
            Order(str(file), name, facts["corrections"], "profile", settings().training_memory_mb)
        ) as process:
            run_to_end(process, PROFILE_SECONDS, stop)
        profile: dict[str, Any] = orjson.loads((folder / PROFILE_FILE).read_bytes())
    return profile


def _fail(connection: psycopg.Connection[dict[str, Any]], dataset_id: UUID, reason: str) -> None:
    connection.execute(_FAIL, (reason, dataset_id))
    log.info("dataset not profiled", dataset_id=str(dataset_id), reason=reason)
