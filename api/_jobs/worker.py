"""The worker: takes runs, batches and shorter jobs from the queue until it is told to stop, or until there are none left.

    python -m api._jobs.worker [--drain] [--concurrency N]

More workers are more capacity; two never take the same run. A worker that is told to stop (SIGTERM, SIGINT) gives its
runs back within seconds; one that is killed is noticed by the others, and its runs are started again.
"""

import argparse
import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from typing import Any

import psycopg
from procrastinate.exceptions import ConnectorException
from psycopg_pool import PoolTimeout

from api._jobs import queue
from api._jobs.deliver import deliver
from api._jobs.hook_sender import send_outbox
from api._lib import log
from api._lib.settings import settings

HEARTBEAT_SECONDS = 5.0
STALLED_AFTER_SECONDS = 15.0
RECONNECT_SECONDS = 3.0
SCORING_PLACES = 1
"""Beside the runs: a batch of a minute does not wait for a training of ten."""

SHORT_PLACES = 4
"""For all short queues together. A worker that drains has one: chores are asked for in the order in which they make sense."""
_OUTAGE = (ConnectorException, psycopg.OperationalError, PoolTimeout, OSError)


async def work(*, is_draining: bool, concurrency: int, stop: asyncio.Event) -> None:
    """Work until told to stop, over outages of the database; when draining, until the queue is empty.

    Raises:
        psycopg.OperationalError: draining, and the database does not answer.
    """
    log.info("worker started", concurrency=concurrency, is_draining=is_draining, pid=os.getpid())
    while not stop.is_set():
        try:
            await _serve(is_draining=is_draining, concurrency=concurrency, stop=stop)
        except _OUTAGE as error:
            if is_draining:
                raise
            log.warning("database away", reason=str(error).splitlines()[0] if str(error) else type(error).__name__)
        if is_draining:
            break
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), RECONNECT_SECONDS)
    log.info("worker stopped")


async def _serve(*, is_draining: bool, concurrency: int, stop: asyncio.Event) -> None:
    async with await psycopg.AsyncConnection.connect(settings().database_url, connect_timeout=5) as connection:
        if await queue.install(connection):
            log.info("queue installed")
        if is_draining:
            # Where no worker lives long enough for its periodic tasks, each visit does them once.
            await connection.execute("select private.queue_chores()")
    stop_runs = threading.Event()
    async with queue.app.open_async():
        await _recover()
        places = (
            ((queue.TRAINING_QUEUE,), concurrency),
            ((queue.SCORING_QUEUE,), SCORING_PLACES),
            (queue.SHORT_QUEUES, 1 if is_draining else SHORT_PLACES),
        )
        jobs = [_take_jobs(names, count, stop_runs, is_draining=is_draining) for names, count in places]
        await _until(stop, stop_runs, *jobs, deliver(is_draining=is_draining), send_outbox(is_draining=is_draining))
        if is_draining and not stop.is_set():
            # What came of the first round: events to be told, files to be removed.
            short = _take_jobs(queue.SHORT_QUEUES, 1, stop_runs, is_draining=True)
            await _until(stop, stop_runs, short, deliver(is_draining=True), send_outbox(is_draining=True))


async def _until(stop: asyncio.Event, stop_runs: threading.Event, *work: Coroutine[Any, Any, None]) -> None:
    """Do several things at once until all are done, one fails, or the worker has to stop."""
    workers = [asyncio.create_task(each) for each in work]
    others = [asyncio.create_task(stop.wait()), asyncio.create_task(_keep_recovering())]
    finished = asyncio.gather(*workers)
    ends: list[asyncio.Future[Any]] = [finished, others[0]]
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    if stop.is_set():
        stop_runs.set()
    # A worker ends when its jobs have: interrupted now, or, after an outage of the queue only, in their own time.
    for task in (*workers, *others):
        task.cancel()
    ended = await asyncio.gather(*workers, finished, *others, return_exceptions=True)
    for how in ended:
        if isinstance(how, Exception):
            raise how


async def _take_jobs(names: Sequence[str], places: int, stop: threading.Event, *, is_draining: bool) -> None:
    await queue.app.run_worker_async(
        queues=list(names),
        name=" ".join(names),
        concurrency=places,
        wait=not is_draining,
        delete_jobs="successful",
        install_signal_handlers=False,
        update_heartbeat_interval=HEARTBEAT_SECONDS,
        stalled_worker_timeout=STALLED_AFTER_SECONDS,
        additional_context={"stop": stop},
    )


async def _keep_recovering() -> None:
    while True:
        await asyncio.sleep(HEARTBEAT_SECONDS)
        with suppress(*_OUTAGE):  # the worker meets the same outage and says so
            await _recover()


async def _recover() -> None:
    """Bring back what a dead worker left behind, and whatever is unfinished and has no job."""
    manager = queue.app.job_manager
    for name in (*queue.LONG_QUEUES, *queue.SHORT_QUEUES):
        for job in await manager.get_stalled_jobs(queue=name, seconds_since_heartbeat=STALLED_AFTER_SECONDS):
            with suppress(ConnectorException):  # another worker was faster
                await manager.retry_job(job)
                log.warning("job recovered", **job.task_kwargs)
    for function in queue.REQUEUE:
        for row in await queue.app.connector.execute_query_all_async(f"select private.{function}() as id"):
            log.warning("requeued", by=function, id=str(row["id"]))


class _ThroughLog(logging.Handler):
    """Passes what libraries log on as JSON lines of ours."""

    def emit(self, record: logging.LogRecord) -> None:
        log.warning(record.getMessage(), logger=record.name)


def main() -> int:
    """Run the worker from the command line and return the exit code."""
    parser = argparse.ArgumentParser(prog="worker", description="Do what is queued: runs, batches, shorter jobs.")
    parser.add_argument("--drain", action="store_true", help="end when the queue is empty")
    parser.add_argument("--concurrency", type=int, default=1, metavar="N", help="runs at the same time (default 1)")
    arguments = parser.parse_args()
    missing = [
        name
        for name, value in (
            ("DATABASE_URL", settings().database_url),
            ("SUPABASE_URL", settings().supabase_url),
            ("SUPABASE_SECRET_KEY", settings().supabase_secret_key),
        )
        if not value
    ]
    if missing or arguments.concurrency < 1:
        parser.error(f"set {', '.join(missing)}" if missing else "--concurrency is at least 1")
    logging.basicConfig(handlers=[_ThroughLog(logging.WARNING)])
    try:
        asyncio.run(_until_signalled(is_draining=arguments.drain, concurrency=arguments.concurrency))
    except _OUTAGE as error:
        log.exception("worker failed", error)
        return 1
    return 0


async def _until_signalled(*, is_draining: bool, concurrency: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await work(is_draining=is_draining, concurrency=concurrency, stop=stop)


if __name__ == "__main__":
    sys.exit(main())
