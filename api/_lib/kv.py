"""The shared key-value store: a helper that may be slow, full, down or not there. Then life goes on without it.

Every call has a deadline of tenths of a second, nothing is tried twice, and after a failure it is left alone for a while.
Commands are counted, for all instances together, against a monthly budget: a free store has half a million.
"""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from api._lib.averages import Average
from api._lib.circuit import Circuit
from api._lib.errors import Unavailable
from api._lib.settings import settings

if TYPE_CHECKING:
    from upstash_redis.asyncio import Redis

KV_TIMEOUT_SECONDS = 0.3
REPORT_EVERY = 200
"""So many commands are counted here before the shared count is asked to include them."""

_COUNT_KEPT_SECONDS = 40 * 24 * 3600

trip = Average(guess=0.002)
"""How long one call takes. A shared answer pays only where working it out takes longer."""

_circuit = Circuit(seconds=5.0)

_clients: "dict[asyncio.AbstractEventLoop, Redis]" = {}
"""One for each event loop: connections belong to one."""


class _Spending:
    __slots__ = ("is_known", "month", "reported", "waiting")

    def __init__(self, month: str = "", reported: int = 0, waiting: int = 0, *, is_known: bool = False) -> None:
        self.month = month
        self.reported = reported
        self.waiting = waiting
        self.is_known = is_known


_spending = _Spending()


class Spent(NamedTuple):
    """Commands of this month, as far as this instance knows, and how many there may be."""

    commands: int
    budget: int


def is_configured() -> bool:
    """Tell whether this deployment has a key-value store at all."""
    return bool(settings().kv_url)


def is_usable() -> bool:
    """Tell whether asking makes sense: it is there, it answered lately, and this month's budget is not spent."""
    if not is_configured() or _circuit.is_open:
        return False
    known = spent()
    return known.commands < known.budget


def spent() -> Spent:
    """Count this month's commands."""
    _begin_month()
    return Spent(_spending.reported + _spending.waiting, settings().kv_monthly_commands)


async def ping() -> None:
    """Ask whether it is there.

    Raises:
        Unavailable: it is not, or was not a moment ago.
    """
    await run([["PING"]])


async def get(key: str) -> str | None:
    """Read a value.

    Raises:
        Unavailable: it did not answer.
    """
    answers = await run([["GET", key]])
    return answers[0]  # type: ignore[no-any-return]  # a text or nothing


async def put(key: str, value: str, seconds: int) -> None:
    """Keep a value for a while.

    Raises:
        Unavailable: it did not answer.
    """
    await run([["SET", key, value, "EX", str(seconds)]])


async def run(commands: Sequence[list[str]]) -> list[Any]:
    """Send commands in one round trip, the count among them when it is due.

    Raises:
        Unavailable: it did not answer.
    """
    if _circuit.is_open:
        raise Unavailable("The key-value store did not answer a moment ago")
    _begin_month()
    report = not _spending.is_known or _spending.waiting + len(commands) >= REPORT_EVERY
    sent = [*commands, *(_report(len(commands)) if report else ())]
    loop = asyncio.get_running_loop()
    client = _clients.get(loop) or _clients.setdefault(loop, await asyncio.to_thread(_make_client))
    pipeline = client.pipeline()
    is_connected = _spending.is_known  # the first call also pays for the connection
    started = time.perf_counter()
    try:
        async with asyncio.timeout(KV_TIMEOUT_SECONDS):
            for command in sent:
                pipeline.execute(command)
            answers: list[Any] = await pipeline.exec()
    except Exception as error:  # the client raises whatever comes
        _circuit.failed()
        raise Unavailable("The key-value store does not answer") from error
    _circuit.worked()
    if is_connected:
        trip.add(time.perf_counter() - started)
    if report:
        _spending.reported, _spending.waiting, _spending.is_known = int(answers[len(commands)]), 0, True
    else:
        _spending.waiting += len(sent)
    return answers


async def close() -> None:
    """Close the connections of the running event loop: for the end of a process."""
    if known := _clients.pop(asyncio.get_running_loop(), None):
        await known.close()


def _begin_month() -> None:
    global _spending  # noqa: PLW0603  the count of one month makes place for the next
    month = datetime.now(UTC).strftime("%Y-%m")
    if _spending.month != month:
        _spending = _Spending(month)


def _report(new: int) -> list[list[str]]:
    """Add what this instance has spent to what all have, this report included."""
    counter = f"rowcast:commands:{_spending.month}"
    due = _spending.waiting + new + 2
    return [["INCRBY", counter, str(due)], ["EXPIRE", counter, str(_COUNT_KEPT_SECONDS)]]


def _make_client() -> "Redis":
    """Make a client; in a thread, for the library and two sets of certificates take tenths of a second to read."""
    import httpx
    from upstash_redis.asyncio import Redis

    client = Redis(settings().kv_url, settings().kv_token, rest_encoding=None, rest_retries=0, allow_telemetry=False)
    # By default it waits for ever; there is no option for it.
    client._http._client = httpx.AsyncClient(timeout=KV_TIMEOUT_SECONDS, trust_env=False)  # noqa: SLF001
    return client
