"""The helping job: a worker with nothing else to do joins the search of a run that another one leads.

Whatever happens here, the run does not depend on it: it only tries more recipes in the same time.
"""

import asyncio
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from procrastinate import JobContext

from api._jobs import study
from api._jobs.errors import JobError, RunInterrupted
from api._jobs.queue import TRAINING_QUEUE, TryAgain, app
from api._jobs.run_record import Event, RunRecord
from api._jobs.storage import Storage
from api._jobs.tables import fetch_file
from api._jobs.trainer import ENDED, Order
from api._jobs.trainer_process import TrainerProcess
from api._jobs.training_options import compose
from api._lib import log
from api._lib.settings import settings

WAIT_SECONDS = 30.0
LOOK_SECONDS = 1.0


@app.task(name="assist", queue=TRAINING_QUEUE, retry=TryAgain(), pass_context=True)
async def assist(context: JobContext, run_id: str, helper: int) -> None:
    """Help one run; the worker's `stop` in the context ends it."""
    await asyncio.to_thread(carry_out, UUID(run_id), helper, context.additional_context["stop"])


def carry_out(run_id: UUID, helper: int, stop: threading.Event) -> None:
    """Join the search of a run until it is over. Raises RunInterrupted, so that another worker may help instead."""
    try:
        with RunRecord.open(run_id) as record, Storage.open() as storage:
            if _is_running(record, stop):
                _help(record, storage, helper, stop)
    except RunInterrupted:
        raise
    except (JobError, EOFError, OSError, psycopg.Error) as error:
        log.warning("help ended", run_id=str(run_id), helper=helper, reason=str(error))


def _is_running(record: RunRecord, stop: threading.Event) -> bool:
    """Wait a little for the worker that leads the run."""
    gives_up_at = time.monotonic() + WAIT_SECONDS
    while (status := record.look()) == "queued" and time.monotonic() < gives_up_at:
        if stop.wait(LOOK_SECONDS):
            return False
    return status == "running"


def _help(record: RunRecord, storage: Storage, helper: int, stop: threading.Event) -> None:
    attempt = record.attempt
    log.info("help started", run_id=str(record.row_id), helper=helper)
    with tempfile.TemporaryDirectory(prefix="rowcast-help-", ignore_cleanup_errors=True) as name:
        table = fetch_file(storage, record.facts, Path(name))
        options = compose(record.facts) | {"study": study.share(record.row_id)}
        order = Order(str(table), name, options, "assist", settings().training_memory_mb)
        with TrainerProcess.start(order) as process:
            is_wanted = lambda: record.look() == "running" and record.attempt == attempt  # noqa: E731
            reason = _follow(process, is_wanted, lambda event: _tell(record, {**event, "worker": helper + 1}), stop)
    log.info("help ended", run_id=str(record.row_id), helper=helper, reason=reason)


def _tell(record: RunRecord, event: dict[str, Any]) -> None:
    """Add a trial to the events of the run, as the leading worker does with its own."""
    kind, at = event.pop("kind"), datetime.fromisoformat(event.pop("at"))
    event.pop("progress", None)
    record.note([Event(kind, event, at)])


def _follow(
    process: TrainerProcess,
    is_wanted: Callable[[], bool],
    tell: Callable[[dict[str, Any]], None],
    stop: threading.Event,
) -> str:
    looked_at = time.monotonic()
    while True:
        if stop.is_set():
            raise RunInterrupted("The worker was told to stop.")
        event = process.next_event(LOOK_SECONDS)
        if event is not None and event["kind"] == ENDED:
            return str(event["reason"])
        if event is not None and event["kind"] == "trial":
            tell(event)
        if time.monotonic() - looked_at >= LOOK_SECONDS:
            looked_at = time.monotonic()
            if not is_wanted():
                return "the run is over"
