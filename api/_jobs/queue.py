"""The queue: procrastinate on Postgres, in a schema of its own.

Its tables come from the installed package and are never copied into our migrations. Jobs are put in by the database
itself (`private.defer_job`, called by triggers), so nothing here is needed to start one.
"""

from datetime import timedelta
from typing import Any

from procrastinate import App, PsycopgConnector, RetryDecision
from procrastinate.jobs import Job
from procrastinate.retry import BaseRetryStrategy
from procrastinate.schema import SchemaManager
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from api._jobs.errors import RunInterrupted, RunPostponed
from api._lib.settings import settings

SCHEMA = "procrastinate"
TRAINING_QUEUE = "training"
SCORING_QUEUE = "scoring"
CHORES_QUEUE = "chores"
"""Short work on data and registry: profiles, replays, what is left lying about."""

LONG_QUEUES = (TRAINING_QUEUE, SCORING_QUEUE)
SHORT_QUEUES = (CHORES_QUEUE,)
"""Queues whose jobs take seconds; they share their places, so that nothing short waits for a training."""

REQUEUE = ("requeue_lost_runs", "requeue_lost_batches", "requeue_lost_profiles", "requeue_lost_replays")
"""Functions of the schema `private` that queue again what no job stands for, and return the ids."""

RETRY_AFTER = (timedelta(seconds=5), timedelta(seconds=20))
"""Waiting times before the second and the third attempt."""


class TryAgain(BaseRetryStrategy):
    """Put a job that raised back into the queue: at once when its worker had to stop, later when something failed.

    It ends nevertheless: a run counts its attempts and fails after the last one, which a job never sees.
    """

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision:
        """Say when."""
        if isinstance(exception, RunInterrupted):
            return RetryDecision()
        is_known = isinstance(exception, RunPostponed)
        wait = RETRY_AFTER[min(job.attempts, len(RETRY_AFTER) - 1) if is_known else -1]
        return RetryDecision(retry_in={"seconds": int(wait.total_seconds())})


async def use_schema(connection: AsyncConnection[Any]) -> None:
    """Let a connection find procrastinate's tables, which its queries name without a schema."""
    await connection.execute(f"set search_path = {SCHEMA}")
    await connection.commit()


def _open_pool(**options: Any) -> AsyncConnectionPool:
    return AsyncConnectionPool(
        settings().database_url,
        min_size=1,
        max_size=8,
        kwargs={"application_name": "rowcast worker"},
        **options,
    )


async def install(connection: AsyncConnection[Any]) -> bool:
    """Create procrastinate's tables where there are none; tell whether that was needed."""
    async with connection.transaction():
        await connection.execute("select pg_advisory_xact_lock(hashtext('procrastinate'))")
        found = await connection.execute("select to_regclass('procrastinate.procrastinate_jobs') is not null")
        row = await found.fetchone()
        if row is not None and row[0]:
            return False
        await connection.execute(f"create schema if not exists {SCHEMA}")
        await connection.execute(f"set local search_path = {SCHEMA}")
        await connection.execute(SchemaManager.get_schema())
    return True


app = App(
    connector=PsycopgConnector(pool_factory=_open_pool, configure=use_schema),
    import_paths=[
        "api._jobs.train_run",
        "api._jobs.assist_run",
        "api._jobs.score_batch",
        "api._jobs.profile_dataset",
        "api._jobs.replay",
        "api._jobs.sweep",
        "api._jobs.counting",
        "api._jobs.joining",
        "api._jobs.drift_watch",
        "api._jobs.retention",
        "api._jobs.quota_watch",
    ],
)
