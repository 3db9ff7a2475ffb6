"""The worker's way to its deliveries: one connection of its own, over the same functions that the API calls over HTTP.

A call over the connection costs a tenth of one over HTTP, and takes nothing from those who ask for predictions.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Self

import psycopg
from psycopg.types.json import Jsonb

from api._lib.errors import RequestInvalid, Unavailable
from api._lib.settings import settings
from api._lib.store.deliveries import Claimed, Row

CONNECT_SECONDS = 5
_TIMEOUT = "set statement_timeout = '20s'"


class DeliveryStore:
    """Deliveries over a connection, which is opened when it is needed. One call at a time."""

    def __init__(self) -> None:
        self._connection: psycopg.AsyncConnection[Any] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._close()

    async def claim(self, *, wanted: int, lease_seconds: int, per_receiver: int) -> Claimed:
        """Lease deliveries that are due, a fair share for each receiver."""
        found = await self._call("select public.claim_deliveries(%s, %s, %s)", (wanted, lease_seconds, per_receiver))
        return Claimed(found["due"], found["next_seconds"])

    async def record(self, attempts: Sequence[Row]) -> None:
        """Write attempts down, and what follows from each."""
        await self._call("select public.record_attempts(%s)", (Jsonb({"attempts": list(attempts)}),))

    async def release(self, leases: Sequence[str]) -> None:
        """Give back what was leased and perhaps not sent."""
        await self._call("select public.release_deliveries(%s)", (Jsonb({"leases": list(leases)}),))

    async def prune(self) -> int:
        """Forget a bite of what ended long ago; return how much that was."""
        return int(await self._call("select public.prune_deliveries()", ()))

    async def _call(self, statement: str, values: Sequence[Any]) -> Any:
        """Call a function and return what it returns.

        Raises:
            Unavailable: the database is away.
            RequestInvalid: it will not take these values, now or later.
        """
        try:
            if self._connection is None:
                self._connection = await psycopg.AsyncConnection.connect(
                    settings().database_url,
                    autocommit=True,
                    connect_timeout=CONNECT_SECONDS,
                    application_name="rowcast deliveries",
                )
                await self._connection.execute(_TIMEOUT)
            cursor = await self._connection.execute(statement, values)
            row = await cursor.fetchone()
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            raise RequestInvalid(str(error)) from error
        except (psycopg.Error, OSError) as error:
            await self._close()
            raise Unavailable(str(error).partition("\n")[0]) from error
        assert row is not None
        return row[0]

    async def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(psycopg.Error):
                await connection.close()
