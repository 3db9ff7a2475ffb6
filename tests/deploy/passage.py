"""A WebSocket through the platform: upgraded by the function, then passed on message by message until it is cut off."""

import asyncio
from typing import TYPE_CHECKING

from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.deploy import edge

if TYPE_CHECKING:
    from tests.deploy.origin import Function

GOING_AWAY = 1001
_NORMAL, _NO_STATUS, _LOST = 1000, 1005, 1006


async def pass_websocket(
    function: "Function | None", scope: Scope, receive: Receive, send: Send, address: str, request_id: str
) -> None:
    """Connect a caller with a function; a function that refuses the upgrade refuses the caller."""
    caller = WebSocket(scope, receive, send)
    if function is None:
        await caller.close()
        return
    told = edge.headers_for_function(caller.headers, caller.client.host if caller.client else "", request_id)
    # The client library writes its own host; a function knows the caller's by x-forwarded-host.
    told = {name: value for name, value in told.items() if name != "host"}
    asked = connect(
        function.url.replace("http", "ws", 1) + address,
        additional_headers=told,
        subprotocols=scope["subprotocols"] or None,
        compression=None,
        max_size=None,
        proxy=None,
        user_agent_header=None,
    )
    try:
        async with asked as upstream:
            await caller.accept(upstream.subprotocol)
            await _exchange(caller, upstream, function.max_seconds)
    except InvalidStatus:
        await caller.close()


async def _exchange(caller: WebSocket, upstream: ClientConnection, seconds: float) -> None:
    """Pass messages both ways until either side ends it, or the function's time is over."""
    ways = {asyncio.create_task(_up(caller, upstream)), asyncio.create_task(_down(caller, upstream))}
    done, open_ = await asyncio.wait(ways, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for way in open_:
        way.cancel()
    await asyncio.gather(*open_, return_exceptions=True)
    if not done:
        await caller.close(GOING_AWAY)
    for way in done:
        way.result()


async def _up(caller: WebSocket, upstream: ClientConnection) -> None:
    message = await caller.receive()
    while message["type"] != "websocket.disconnect":
        given = message.get("text")
        try:
            await upstream.send(message["bytes"] if given is None else given)
        except ConnectionClosed:
            return
        message = await caller.receive()
    code = message.get("code", _NO_STATUS)
    await upstream.close(_NORMAL if code in {_NO_STATUS, _LOST} else code)


async def _down(caller: WebSocket, upstream: ClientConnection) -> None:
    try:
        while True:
            message = await upstream.recv()
            await (caller.send_text(message) if isinstance(message, str) else caller.send_bytes(message))
    except ConnectionClosed as closed:
        ending = closed.rcvd
        await caller.close(ending.code if ending else GOING_AWAY, ending.reason if ending else None)
