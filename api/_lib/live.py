"""The events of a run, told as they happen: over server-sent events and over a WebSocket.

Both are read from the database by number, so a listener who comes back with the last number misses nothing and hears
nothing twice. Both end by themselves before the platform cuts them.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import orjson
from starlette.websockets import WebSocket, WebSocketDisconnect

from api._lib import auth, run_tickets
from api._lib.errors import ApiError, NotSignedIn, RequestMalformed
from api._lib.problems import problem_body
from api._lib.store import runs
from api._lib.upstream import SERVICE, Rights

STREAM_SECONDS = 50.0
"""Functions are cut after 60 seconds; listeners come back."""

POLL_SECONDS = 0.4
HEARTBEAT_SECONDS = 10.0
GREETING_SECONDS = 10.0

_LAST_KINDS = frozenset({"succeeded", "failed", "cancelled"})
_NORMAL, _REFUSED, _COME_BACK = 1000, 1008, 1012


async def stream_events(run_id: str, after: int, rights: Rights) -> AsyncIterator[bytes]:
    """Write a run's events as server-sent events; a comment every few seconds keeps the connection open."""
    yield b"retry: 1000\n\n"
    async for event in _follow(run_id, after, rights):
        if event is None:
            yield b": still here\n\n"
        else:
            yield b"id: %d\nevent: %s\ndata: %s\n\n" % (event["seq"], event["kind"].encode(), orjson.dumps(event))


async def serve_events(websocket: WebSocket, run_id: str) -> None:
    """Tell a run's events over a WebSocket: a greeting names the caller, then each event is one message.

    Browsers cannot send headers with a WebSocket, and a token in an address ends up in logs: hence the greeting. It may be
    a ticket for this one run instead of a token.
    """
    await websocket.accept()
    try:
        after, rights = await _greet(websocket, run_id)
        listener = asyncio.ensure_future(websocket.receive())  # nothing more is expected: it ends when they leave
        try:
            code = await _tell(websocket, run_id, after, rights, listener)
        finally:
            listener.cancel()
        await websocket.close(code)
    except ApiError as error:
        await websocket.send_text(orjson.dumps(problem_body(error)).decode())
        await websocket.close(_REFUSED, reason=error.code)
    except WebSocketDisconnect:
        return


async def _greet(websocket: WebSocket, run_id: str) -> tuple[int, Rights]:
    """Read who is there and what they know already; tell in whose name the events are read."""
    try:
        greeting = orjson.loads(await asyncio.wait_for(websocket.receive_text(), GREETING_SECONDS))
        after, ticket = int(greeting.get("after", 0)), str(greeting.get("ticket") or "")
        token = "" if ticket else str(greeting["access_token"])
    except (TimeoutError, AttributeError, KeyError, TypeError, ValueError):
        raise RequestMalformed('Greet with {"access_token": "…", "after": 0} first, or with a ticket') from None
    if ticket:
        run_tickets.check(ticket, run_id)
        return after, SERVICE
    return after, await _rights_of(token, run_id)


async def _rights_of(token: str, run_id: str) -> Rights:
    caller = await auth.identify(f"Bearer {token}", None)
    if caller.kind == "anonymous":
        raise NotSignedIn
    caller.must_hold("train")
    caller.must_reach()
    await runs.RUNS.find(run_id, caller.rights)
    return caller.rights


async def _tell(websocket: WebSocket, run_id: str, after: int, rights: Rights, listener: "asyncio.Future[Any]") -> int:
    async for event in _follow(run_id, after, rights):
        if listener.done():
            raise WebSocketDisconnect
        await websocket.send_text('{"kind":"heartbeat"}' if event is None else orjson.dumps(event).decode())
        if event and event["kind"] in _LAST_KINDS:
            return _NORMAL
    return _COME_BACK


async def _follow(run_id: str, after: int, rights: Rights) -> AsyncIterator[dict[str, Any] | None]:
    """Yield events as they come, None as a heartbeat, until the run or the time is over."""
    ends_at = time.monotonic() + STREAM_SECONDS
    beats_at = time.monotonic() + HEARTBEAT_SECONDS
    while time.monotonic() < ends_at:
        events = await runs.list_events(run_id, after, rights)
        for event in events:
            after = event["seq"]
            yield event
            if event["kind"] in _LAST_KINDS:
                return
        if len(events) == runs.EVENTS_PER_CALL:
            continue
        if time.monotonic() > beats_at:
            beats_at = time.monotonic() + HEARTBEAT_SECONDS
            yield None
        await asyncio.sleep(POLL_SECONDS)
