"""The deployed product on one origin of this machine: routing rules, files and functions of one build."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

import httpx
import uvicorn
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response, StreamingResponse
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.deploy import edge
from tests.deploy.passage import pass_websocket
from tests.deploy.routing import Router, Target

_SECONDS = 300.0
"""More than any function may take: its own limit cuts it off."""

type Reach = Callable[[str], Awaitable["Function"]]
"""Finds a function by its name, started if need be."""


class Function(Protocol):
    """What the origin has to know of a function."""

    @property
    def url(self) -> str:
        """Where it answers."""

    @property
    def max_seconds(self) -> float:
        """After this long the platform cuts it off."""


class Door(Protocol):
    """Something that answers before the rules do."""

    def takes(self, scope: Scope) -> bool:
        """Tell whether a request is for it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""

    async def close(self) -> None:
        """Give back what it holds."""


class Origin:
    """An ASGI application that answers as the deployment would.

    Args:
        router: The build's rules.
        static: The folder of its files.
        reach: Finds a function.
        supabase_url: The embedded stack's doors. They have no address under supabase.co, which the content security
            policy names, so theirs is added to it.
        door: Answers for the sign-in service, which the embedded stack offers on the site's origin only.
    """

    def __init__(self, router: Router, static: Path, reach: Reach, *, supabase_url: str, door: Door) -> None:
        self._router = router
        self._static = static
        self._files = StaticFiles(directory=static)
        self._reach = reach
        self._supabase_url = supabase_url
        self._door = door
        self._client = httpx.AsyncClient(timeout=_SECONDS, trust_env=False, limits=httpx.Limits(max_connections=None))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        if self._door.takes(scope):
            await self._door(scope, receive, send)
            return
        target = self._router.resolve(
            scope["raw_path"].decode("ascii"), dict(scope["headers"]).get(b"user-agent", b"").decode("latin-1")
        )
        request_id = edge.new_id()
        if scope["type"] == "websocket":
            function = await self._reach(target.function) if target.function else None
            address = caller_address(scope, target).decode("ascii")
            await pass_websocket(function, scope, receive, send, address, request_id)
            return
        if target.function is None:
            response = await self._file(scope, target)
            response.headers.update(self._headers(target) | {"server": "Vercel", "x-vercel-id": request_id})
            response.headers.setdefault("cache-control", "public, max-age=0, must-revalidate")
            await response(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            body = await edge.read_body(request)
        except edge.BodyTooLarge:
            await edge.refusal(413, "FUNCTION_PAYLOAD_TOO_LARGE", request_id)(scope, receive, send)
            return
        response = await self._ask(request, body, target, request_id)
        await response(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await self._client.aclose()
        await self._door.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _ask(self, request: Request, body: bytes, target: Target, request_id: str) -> Response:
        """Hand a request to its function; the answer is passed on piece by piece."""
        function = await self._reach(target.function or "")
        peer = request.client.host if request.client else ""
        asked = self._client.build_request(
            request.method,
            httpx.URL(function.url).copy_with(raw_path=caller_address(request.scope, target)),
            headers=edge.headers_for_function(request.headers, peer, request_id),
            content=body,
        )
        try:
            async with asyncio.timeout(function.max_seconds):
                answer = await self._client.send(asked, stream=True)
        except TimeoutError:
            return edge.refusal(504, "FUNCTION_INVOCATION_TIMEOUT", request_id)
        except httpx.TransportError:
            return edge.refusal(502, "FUNCTION_INVOCATION_FAILED", request_id)
        headers = edge.headers_for_caller(answer.headers, self._headers(target), request_id)
        return StreamingResponse(_pieces(answer, function.max_seconds), answer.status_code, headers=headers)

    async def _file(self, scope: Scope, target: Target) -> Response:
        if target.file is None:
            return PlainTextResponse("NOT_FOUND\n", status_code=target.status)
        if target.status != httpx.codes.OK:
            return FileResponse(self._static / target.file, status_code=target.status)
        try:
            return await self._files.get_response(target.file, scope)
        except HTTPException as error:
            return PlainTextResponse(f"{error.detail}\n", status_code=error.status_code)

    def _headers(self, target: Target) -> dict[str, str]:
        hosted = "https://*.supabase.co"
        return {name: value.replace(hosted, f"{hosted} {self._supabase_url}") for name, value in target.headers.items()}


def caller_address(scope: Scope, target: Target) -> bytes:
    """Write the address that a function sees: the caller's own path, with the queries of both."""
    query = "&".join(filter(None, [scope["query_string"].decode("ascii"), target.address.partition("?")[2]]))
    path: bytes = scope["raw_path"]
    return path + b"?" + query.encode("ascii") if query else path


async def _pieces(answer: httpx.Response, seconds: float) -> AsyncIterator[bytes]:
    """Yield what comes until the function ends, its time is over or the caller leaves, which ends the function's call."""
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                async for piece in answer.aiter_raw():
                    yield piece
    finally:
        await answer.aclose()


def bind() -> socket.socket:
    """Take a loopback port before anything serves it, so that functions can be told the address."""
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    return taken


@contextmanager
def served(application: ASGIApp, at: socket.socket) -> Iterator[None]:
    """Serve an application beside the tests."""
    config = uvicorn.Config(
        application,
        lifespan="on",
        proxy_headers=False,  # who asks is seen, not told
        log_level="warning",
        timeout_graceful_shutdown=2,
        ws="websockets-sansio",
        access_log=False,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([at],))
    thread.start()
    try:
        while not server.started and thread.is_alive():
            thread.join(0.01)
        assert thread.is_alive(), "the origin did not start"
        yield
    finally:
        server.should_exit = True
        thread.join(10)
        at.close()
