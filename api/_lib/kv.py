"""The shared key-value store: a helper that may be slow, full, down or not there. Then life goes on without it.

Every call has a deadline of tenths of a second, nothing is tried twice, and after a failure it is left alone for a while.
"""

import asyncio
from functools import cache
from typing import TYPE_CHECKING, Any

from api._lib.circuit import Circuit
from api._lib.errors import Unavailable
from api._lib.settings import settings

if TYPE_CHECKING:
    from upstash_redis.asyncio import Redis

KV_TIMEOUT_SECONDS = 0.3

_circuit = Circuit(seconds=5.0)


def is_configured() -> bool:
    """Tell whether this deployment has a key-value store at all."""
    return bool(settings().kv_url)


async def ping() -> None:
    """Ask whether it is there.

    Raises:
        Unavailable: it is not, or was not a moment ago.
    """
    await _run("PING")


async def _run(*command: str) -> Any:
    if _circuit.is_open:
        raise Unavailable("The key-value store did not answer a moment ago")
    redis = _redis(asyncio.get_running_loop())
    try:
        async with asyncio.timeout(KV_TIMEOUT_SECONDS):
            answer = await redis.execute(list(command))
    except Exception as error:  # the client raises whatever comes
        _circuit.failed()
        raise Unavailable("The key-value store does not answer") from error
    _circuit.worked()
    return answer


@cache
def _redis(_loop: asyncio.AbstractEventLoop) -> "Redis":
    """Make the client of this event loop."""
    import httpx
    from upstash_redis.asyncio import Redis

    client = Redis(settings().kv_url, settings().kv_token, rest_encoding=None, rest_retries=0, allow_telemetry=False)
    # By default it waits for ever; there is no option for it.
    client._http._client = httpx.AsyncClient(timeout=KV_TIMEOUT_SECONDS, trust_env=False)  # noqa: SLF001
    return client
