"""The worker's sender of webhooks: beside its jobs, woken by the database, else looking every few seconds."""

import asyncio
from contextlib import suppress

import psycopg

from api._jobs.delivery_store import DeliveryStore
from api._lib import log
from api._lib.delivery_round import Round, make_sender
from api._lib.errors import ApiError, Unavailable
from api._lib.settings import settings

CHANNEL = "rowcast_deliveries"
DRAIN_SECONDS = 600.0
LISTEN_AGAIN_SECONDS = 5.0
PRUNE_SECONDS = 600.0


async def deliver(*, is_draining: bool) -> None:
    """Send what is due: until nothing is when draining, else until cancelled.

    Raises:
        ConnectionError: draining, and the database does not answer.
    """
    async with make_sender() as sender, DeliveryStore() as store:
        work = Round(sender, store=store)
        if is_draining:
            try:
                tally = await work.sweep(DRAIN_SECONDS)
            except Unavailable as error:
                raise ConnectionError(error.detail) from error
            log.info("deliveries drained", **tally)
            return
        beside = [asyncio.create_task(_listen(work.wake)), asyncio.create_task(_keep_pruning())]
        try:
            await work.serve()
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)


async def _keep_pruning() -> None:
    """Forget what ended long ago, a bite at a time."""
    while True:
        with suppress(ApiError):
            async with DeliveryStore() as store:
                await store.prune()
        await asyncio.sleep(PRUNE_SECONDS)


async def _listen(wake: asyncio.Event) -> None:
    """Wake the sender when the database says so. Without this it would only be slower."""
    while True:
        with suppress(psycopg.Error, OSError):
            connection = await psycopg.AsyncConnection.connect(
                settings().database_url,
                autocommit=True,
                connect_timeout=5,
                application_name="rowcast listener",
                keepalives_idle=30,
            )
            async with connection:
                await connection.execute(f"listen {CHANNEL}")
                wake.set()
                async for _ in connection.notifies():
                    wake.set()
        await asyncio.sleep(LISTEN_AGAIN_SECONDS)
