"""Tells subscribers once a month when something that there is only so much of is nearly used up."""

import asyncio
from contextlib import suppress

from api._jobs.connection import connect
from api._jobs.queue import CHORES_QUEUE, app
from api._lib import free_tiers, kv, log
from api._lib.errors import Unavailable


@app.periodic(cron="50 5 * * *")
@app.task(name="watch_quotas", queue=CHORES_QUEUE, queueing_lock="watch_quotas")
async def watch_quotas(timestamp: int) -> None:  # noqa: ARG001  what is used now is what counts
    """Read the meters every morning."""
    if kv.is_configured():
        with suppress(Unavailable):
            await kv.ping()  # brings the count of all instances along
    await asyncio.to_thread(warn, kv.spent())


def warn(spent: kv.Spent) -> list[str]:
    """Emit an event for each quota that is nearly used up and return their names, new and old."""
    with connect("quotas") as connection:
        row = connection.execute("select public.usage() as usage").fetchone()
        assert row is not None
        near = [
            meter
            for meter in free_tiers.read(row["usage"], spent.commands, spent.budget)
            if meter.share >= free_tiers.NEAR
        ]
        for meter in near:
            statement = "select private.warn_of_quota(%s, %s, %s) as is_new"
            told = connection.execute(statement, [meter.quota.name, meter.used, meter.quota.limit]).fetchone()
            if told and told["is_new"]:
                log.warning("quota near", quota=meter.quota.name, share=round(meter.share, 3))
    return [meter.quota.name for meter in near]
