"""The log of predictions, written in batches."""

import asyncio
from collections.abc import Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING

from api._lib.errors import Unavailable
from api._lib.refusals import explain_refusal
from api._lib.settings import settings
from api._lib.upstream import service_headers

if TYPE_CHECKING:
    from api._lib.kept_connection import KeptConnection

WRITE_DEADLINE_SECONDS = 5.0

_PATH = "/rest/v1/rpc/log_predictions"
_connections: dict[asyncio.AbstractEventLoop, "KeptConnection"] = {}


async def write_predictions(records: Sequence[bytes]) -> int:
    """Write a batch of records, each a JSON object; returns how many were new. Writing one again changes nothing.

    A record is a prediction, or `{"refusal": {...}}`: so many requests that were refused in the same way.

    Raises:
        Unavailable: the database did not answer in time, or answered that it cannot.
        ApiError: it refused; the refusal in our words.
    """
    from api._lib.kept_connection import ConnectionFailed

    parts = [b'{"batch":{"predictions":[', records[0]]
    for record in records[1:]:
        parts += (b",", record)
    content = b"".join((*parts, b"]}}"))  # copied once: a batch may be a megabyte
    headers = {**service_headers(), "content-type": "application/json"}
    try:
        async with asyncio.timeout(WRITE_DEADLINE_SECONDS):
            status, answer = await _connection().post(_PATH, headers, content)
    except (TimeoutError, ConnectionFailed) as error:
        raise Unavailable("The database does not answer at the moment") from error
    if status == HTTPStatus.OK:
        return int(answer)
    import httpx

    raise explain_refusal(httpx.Response(status, content=answer))


def hang_up() -> None:
    """Close the connection of the running event loop: for the end of a process."""
    if known := _connections.pop(asyncio.get_running_loop(), None):
        known.close()


def _connection() -> "KeptConnection":
    """Return the one connection of the running event loop."""
    loop = asyncio.get_running_loop()
    known = _connections.get(loop)
    if known is None:
        for stale in [each for each in _connections if each.is_closed()]:
            del _connections[stale]
        from api._lib.kept_connection import KeptConnection

        known = _connections[loop] = KeptConnection(settings().supabase_url)
    return known
