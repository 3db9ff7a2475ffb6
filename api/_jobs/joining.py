"""Joins actuals that wait in the tables of hooks to their predictions; triggers do it at once, this finds what they missed."""

import asyncio

from api._jobs.connection import connect
from api._jobs.queue import CHORES_QUEUE, app
from api._lib import log

AT_ONCE = 10_000
"""Per table and transaction."""


@app.periodic(cron="25 * * * *")
@app.task(name="join_actuals", queue=CHORES_QUEUE, queueing_lock="join_actuals")
async def join_actuals(timestamp: int) -> None:
    """Join every hour."""
    del timestamp
    await asyncio.to_thread(join_all)


def join_all() -> int:
    """Join what waits and return how many actuals that were."""
    with connect("joining") as connection:
        row = connection.execute("select private.join_all_actuals(%s) as joined", [AT_ONCE]).fetchone()
    assert row is not None
    joined: int = row["joined"]
    if joined:
        log.info("actuals joined", count=joined)
    return joined
