"""The worker: takes runs from the queue until it is told to stop, or until there are none left.

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
from contextlib import suppress

import psycopg
from procrastinate.exceptions import ConnectorException
from psycopg_pool import PoolTimeout

from api._jobs import queue
from api._lib import log
from api._lib.settings import settings

HEARTBEAT_SECONDS = 5.0
STALLED_AFTER_SECONDS = 15.0
RECONNECT_SECONDS = 3.0
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
    stop_runs = threading.Event()
    async with queue.app.open_async():
        await _recover()
        worker = asyncio.create_task(
            queue.app.run_worker_async(
                queues=[queue.TRAINING_QUEUE],
                concurrency=concurrency,
                wait=not is_draining,
                delete_jobs="successful",
                install_signal_handlers=False,
                update_heartbeat_interval=HEARTBEAT_SECONDS,
                stalled_worker_timeout=STALLED_AFTER_SECONDS,
                additional_context={"stop": stop_runs},
            )
        )
        others = [asyncio.create_task(stop.wait()), asyncio.create_task(_keep_recovering())]
        await asyncio.wait([worker, others[0]], return_when=asyncio.FIRST_COMPLETED)
        if stop.is_set():
            stop_runs.set()
        # The worker ends when its runs have: interrupted now, or, after an outage of the queue only, in their own time.
        for task in (worker, *others):
            task.cancel()
        ended, *_ = await asyncio.gather(worker, *others, return_exceptions=True)
    if isinstance(ended, Exception):
        raise ended


async def _keep_recovering() -> None:
    while True:
        await asyncio.sleep(HEARTBEAT_SECONDS)
        with suppress(*_OUTAGE):  # the worker meets the same outage and says so
            await _recover()


async def _recover() -> None:
    """Bring back what a dead worker left behind, and runs that no job stands for."""
    manager = queue.app.job_manager
    stalled = await manager.get_stalled_jobs(queue=queue.TRAINING_QUEUE, seconds_since_heartbeat=STALLED_AFTER_SECONDS)
    for job in stalled:
        with suppress(ConnectorException):  # another worker was faster
            await manager.retry_job(job)
            log.warning("job recovered", **job.task_kwargs)
    for row in await queue.app.connector.execute_query_all_async("select private.requeue_lost_runs() as run_id"):
        log.warning("run requeued", run_id=str(row["run_id"]))


class _ThroughLog(logging.Handler):
    """Passes what libraries log on as JSON lines of ours."""

    def emit(self, record: logging.LogRecord) -> None:
        log.warning(record.getMessage(), logger=record.name)


def main() -> int:
    """Run the worker from the command line and return the exit code."""
    parser = argparse.ArgumentParser(prog="worker", description="Train queued runs.")
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
