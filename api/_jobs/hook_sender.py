"""The worker's sender of attached tables: where the database cannot send by itself, it carries the outbox's messages to their hooks.

The database says what is due and signs it (`rowcast.take_messages`, of the migration that attached a table), and is told
what came back (`rowcast.settle`). What a killed sender had in hand is due again after a pause, under the same id.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple
from uuid import UUID

import httpx
import psycopg

from api._lib import VERSION, log
from api._lib.settings import settings

CHANNEL = "rowcast_outbox"
BATCH = 64
PARALLEL = 16
ANSWER_SECONDS = 30.0
LOOK_SECONDS = 2.0
"""How often to look without having been woken: what is sent again is due at a time, not at a word."""

RECONNECT_SECONDS = 2.0
_TOLD_CHARACTERS = 500
_IS_OURS = (
    "select to_regprocedure('rowcast.take_messages(integer, uuid[])') is not null "
    "and to_regprocedure('net.http_post(text, jsonb, jsonb, jsonb, integer)') is null"
)


class _Message(NamedTuple):
    id: UUID
    attempt: int
    url: str
    headers: dict[str, str]
    body: str


class _Answer(NamedTuple):
    message: UUID
    attempt: int
    status: int | None
    told: str | None


async def send_outbox(*, is_draining: bool) -> None:
    """Send what is due: until nothing is when draining, else until cancelled, over outages of the database.

    Raises:
        psycopg.OperationalError: draining, and the database does not answer.
    """
    limits = httpx.Limits(max_connections=PARALLEL, max_keepalive_connections=PARALLEL)
    timeout = httpx.Timeout(ANSWER_SECONDS, connect=5.0)
    headers = {"user-agent": f"rowcast/{VERSION}"}
    async with httpx.AsyncClient(limits=limits, timeout=timeout, headers=headers, trust_env=False) as client:
        if is_draining:
            async with await _connect() as connection:
                await _send_all(connection, client)
            return
        while True:
            try:
                async with await _connect() as connection:
                    await _serve(connection, client)
            except (psycopg.Error, OSError) as error:
                log.warning("outbox away", reason=str(error).partition("\n")[0] or type(error).__name__)
            await asyncio.sleep(RECONNECT_SECONDS)


async def _connect() -> psycopg.AsyncConnection[Any]:
    return await psycopg.AsyncConnection.connect(
        settings().database_url,
        autocommit=True,
        connect_timeout=5,
        application_name="rowcast outbox",
        keepalives_idle=5,
        keepalives_interval=2,
        keepalives_count=3,
    )


async def _serve(connection: psycopg.AsyncConnection[Any], client: httpx.AsyncClient) -> None:
    await connection.execute(f"listen {CHANNEL}")
    while True:
        await _send_all(connection, client)
        with suppress(TimeoutError):
            async for _ in connection.notifies(timeout=LOOK_SECONDS, stop_after=1):
                break


async def _send_all(connection: psycopg.AsyncConnection[Any], client: httpx.AsyncClient) -> None:
    """Send until nothing is due."""
    found = await (await connection.execute(_IS_OURS)).fetchone()
    if not (found and found[0]):
        return
    while messages := await _take(connection):
        answers = await asyncio.gather(*(_send(client, message) for message in messages))
        async with connection.cursor() as cursor:
            await cursor.executemany("select rowcast.settle(%s, %s, %s, %s)", answers)
        _tell(answers)


async def _take(connection: psycopg.AsyncConnection[Any]) -> list[_Message]:
    found = await connection.execute("select id, attempt, url, headers, body from rowcast.take_messages(%s)", (BATCH,))
    return [_Message(*row) for row in await found.fetchall()]


async def _send(client: httpx.AsyncClient, message: _Message) -> _Answer:
    try:
        answer = await client.post(message.url, content=message.body.encode(), headers=message.headers)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return _Answer(message.id, message.attempt, None, f"{type(error).__name__}: {error}"[:_TOLD_CHARACTERS])
    told = None if answer.is_success else answer.text[:_TOLD_CHARACTERS].replace("\0", "")
    return _Answer(message.id, message.attempt, answer.status_code, told)


def _tell(answers: Sequence[_Answer]) -> None:
    failed = [answer for answer in answers if answer.told is not None]
    if failed:
        log.warning("messages not delivered", count=len(failed), status=failed[0].status, attempt=failed[0].attempt)
