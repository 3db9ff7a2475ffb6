"""Supabase over HTTP: one client, one deadline per call, and its refusals in our words.

Knows nothing of tables and buckets: `store` does. The rights of a call are explicit: nobody's, the caller's own token
(row security decides), or the secret key, which is for what a caller cannot have a token for.
"""

import asyncio
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus
from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple

import orjson

from api._lib import VERSION, log
from api._lib.errors import Unavailable
from api._lib.refusals import explain_refusal
from api._lib.settings import settings

if TYPE_CHECKING:
    import httpx

DEADLINE_SECONDS = 8.0
KEEP_ALIVE_SECONDS = 30.0
CALLS_AT_ONCE = 64
"""Per process; others wait for their turn within their own deadline."""

SLOW_SECONDS = 1.0
"""A call that took so long, its turn included, is told in the log, so that somebody finds the missing index."""


class Rights(NamedTuple):
    """In whose name a call is made."""

    token: str = ""
    is_service: bool = False
    acting_for: str = ""
    """With the secret key, for the owner of an API key: a call must name that owner, as a filter or as the actor."""
    sees_all: bool = False
    """An admin's key: reads are not narrowed to what its owner has."""
    shared: tuple[str, ...] = ()
    """Models that are shared with that owner, by id."""
    edited: tuple[str, ...] = ()
    """Those of them that the owner may change."""

    def own(self, column: str) -> dict[str, str]:
        """Narrow a read to the rows of an API key's owner; for everybody else row security does it."""
        return {column: f"eq.{self.acting_for}"} if self.is_narrow else {}

    def own_models(self, *others: str, is_changing: bool = False) -> dict[str, str]:
        """Narrow a read or change of models to those an API key's owner has a part in; `others` are further conditions."""
        if not self.is_narrow:
            return {}
        shared = self.edited if is_changing else self.shared
        conditions = [*others, f"owner_id.eq.{self.acting_for}", *([f"id.in.({','.join(shared)})"] if shared else ())]
        return {"or": f"({','.join(conditions)})"}

    def actor(self, column: str) -> dict[str, str]:
        """Say for whom a row is written with the secret key; for everybody else the database knows."""
        return {column: self.acting_for} if self.acting_for else {}

    @property
    def is_narrow(self) -> bool:
        """Whether calls with the secret key must name the one they are made for."""
        return bool(self.acting_for) and not self.sees_all


PUBLIC = Rights()
SERVICE = Rights(is_service=True)

_clients: dict[asyncio.AbstractEventLoop, "httpx.AsyncClient"] = {}
_turns: dict[asyncio.AbstractEventLoop, asyncio.Semaphore] = {}


async def call(
    method: str,
    path: str,
    *,
    rights: Rights,
    params: Mapping[str, str] | None = None,
    json: object = None,
    headers: Mapping[str, str] | None = None,
    deadline: float = DEADLINE_SECONDS,
    is_repeatable: bool | None = None,
) -> "httpx.Response":
    """Make one call to Supabase; reads, and what the caller calls repeatable, are tried again on a broken connection.

    Raises:
        Unavailable: it did not answer in time, or answered that it cannot.
        ApiError: it refused; the refusal in our words.
    """
    content = None if json is None else orjson.dumps(json)
    if rights.is_narrow and rights.acting_for not in f"{path}{params}{content!r}":
        raise AssertionError("a call for an API key must name its owner")
    sent = {**_headers(rights), **(headers or {})}
    if content is not None:
        sent["content-type"] = "application/json"
    tries = 2 if is_repeatable or (is_repeatable is None and method == "GET") else 1
    response = await _send(method, path, params=params, content=content, headers=sent, deadline=deadline, tries=tries)
    if response.is_success or response.status_code == HTTPStatus.NOT_MODIFIED:
        return response
    raise explain_refusal(response)


def client() -> "httpx.AsyncClient":
    """Return the one client of the running event loop; a connection cannot outlive its loop."""
    import httpx

    loop = asyncio.get_running_loop()
    known = _clients.get(loop)
    if known is None:
        for stale in [each for each in _clients if each.is_closed()]:
            del _clients[stale]
        spare_imports()
        known = _clients[loop] = httpx.AsyncClient(
            base_url=settings().supabase_url,
            timeout=httpx.Timeout(DEADLINE_SECONDS, connect=2.0),
            # Nobody waits inside the pool: who is cancelled there may leave a connection that stays taken for ever.
            limits=httpx.Limits(
                max_connections=None, max_keepalive_connections=32, keepalive_expiry=KEEP_ALIVE_SECONDS
            ),
            headers={"user-agent": f"rowcast/{VERSION}"},
            trust_env=False,
        )
    return known


async def close() -> None:
    """Close the connections of the running event loop: for the end of a process."""
    if known := _clients.pop(asyncio.get_running_loop(), None):
        await known.aclose()


def spare_imports() -> None:
    """Tell httpcore once that sniffio is not installed.

    It tries to import it several times per request; a failing import looks for the file in every folder of the path each
    time, which was a third of the cost of a call.
    """
    if find_spec("sniffio") is None:
        sys.modules["sniffio"] = None  # type: ignore[assignment]  # None is how Python marks a module as absent


def service_headers() -> dict[str, str]:
    """Return the headers of a call with the secret key."""
    return _headers(SERVICE)


def _turn() -> asyncio.Semaphore:
    """Return what bounds the calls of the running event loop."""
    loop = asyncio.get_running_loop()
    known = _turns.get(loop)
    if known is None:
        for stale in [each for each in _turns if each.is_closed()]:
            del _turns[stale]
        known = _turns[loop] = asyncio.Semaphore(CALLS_AT_ONCE)
    return known


async def _send(
    method: str,
    path: str,
    *,
    params: Mapping[str, str] | None,
    content: bytes | None,
    headers: Mapping[str, str],
    deadline: float,
    tries: int,
) -> "httpx.Response":
    import httpx

    if not settings().supabase_url:
        raise Unavailable("No database is configured: SUPABASE_URL is not set")
    began = time.monotonic()
    try:
        async with asyncio.timeout(deadline), _turn():
            for _ in range(tries - 1):
                # A kept connection may have been closed by the other side in the very moment of its use.
                with suppress(httpx.RemoteProtocolError, httpx.ReadError):
                    return await client().request(method, path, params=params, content=content, headers=headers)
            return await client().request(method, path, params=params, content=content, headers=headers)
    except (TimeoutError, httpx.TransportError) as error:
        raise Unavailable("The database does not answer at the moment") from error
    finally:
        if (seconds := time.monotonic() - began) >= SLOW_SECONDS:
            # The path only: what stands behind it may hold what people look for.
            log.warning("slow call of the database", method=method, path=path, ms=round(seconds * 1000))


def _headers(rights: Rights) -> dict[str, str]:
    known = settings()
    # New-style keys are no JWTs: they belong in `apikey`, and only a person's token in `authorization`.
    sent = {"apikey": known.supabase_secret_key if rights.is_service else known.supabase_publishable_key}
    if rights.token:
        sent["authorization"] = f"Bearer {rights.token}"
    if current := log.request_note.get():
        sent["traceparent"] = f"00-{current.trace_id}-{current.trace_id[16:]}-01"
    return sent
