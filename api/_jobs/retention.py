"""Forgets logged predictions after the time that the deployment keeps them, and before they fill the database. Counts,
actuals and opinions stay.
"""

import asyncio
from datetime import UTC, datetime, timedelta

from api._jobs.connection import connect
from api._jobs.queue import CHORES_QUEUE, app
from api._lib import log
from api._lib.settings import settings

AT_ONCE = 5000
"""Deleted per transaction: locks and write-ahead log stay small."""


@app.periodic(cron="40 1 * * *")
@app.task(name="drop_old_predictions", queue=CHORES_QUEUE, queueing_lock="drop_old_predictions")
async def drop_old_predictions(timestamp: int) -> None:
    """Delete what is older than the setting says, every night."""
    del timestamp
    await asyncio.to_thread(drop_all, datetime.now(UTC))


def drop_all(now: datetime) -> int:
    """Delete in small steps and return how many rows that were."""
    known = settings()
    older_than = now - timedelta(days=known.prediction_days)
    total = 0
    with connect("retention") as connection:
        for function, bound in (
            ("drop_old_predictions", older_than),
            ("drop_predictions_above", known.log_max_mb * 1024 * 1024),
        ):
            dropped = AT_ONCE
            while dropped == AT_ONCE:
                row = connection.execute(f"select private.{function}(%s, %s) as dropped", [bound, AT_ONCE]).fetchone()
                assert row is not None
                dropped = row["dropped"]
                total += dropped
    if total:
        log.info("predictions dropped", count=total)
    return total
