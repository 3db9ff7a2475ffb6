"""The frame around every function: one FastAPI app whose outermost layer is `Frame`.

The frame gives each request an id, bounds its body, answers browsers' preflights, turns what nobody caught into the
one problem body, and writes one log line. It is pure ASGI: no task and no thread of its own.
"""

import re
import sys
import time
from typing import Any
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, FastAPI
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uuid_utils import uuid7

from api._lib import VERSION, cors, log, problems
from api._lib.errors import ApiError, BodyTooLarge, Unexpected
from api._lib.hot import HotTable
from api._lib.settings import settings

# FastAPI looks for models of pydantic 1 in every field, for which it imports all of that version: 20 ms of a cold start.
# This makes the import fail at once, which FastAPI provides for.
sys.modules.setdefault("pydantic.v1", None)  # type: ignore[arg-type]  # None is how Python marks a module as absent

MAX_BODY_BYTES = 4_500_000
"""What the platform lets into a function; the same everywhere, so that nothing works locally and fails when deployed."""

DRAINED_BYTES = 32_000_000
_CLIENT_LEFT = 499
_REQUEST_ID = re.compile(r"[\w.:\-]{1,128}", re.ASCII)
_TRACEPARENT = re.compile(rb"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_NOSNIFF = (b"x-content-type-options", b"nosniff")
_NO_STORE = (b"cache-control", b"no-store")


class Api(FastAPI):
    """FastAPI with `Frame` in place of its outer layers."""

    def build_middleware_stack(self) -> ASGIApp:
        """Put the layers together: frame, our error answers, FastAPI's own exit stack, routes."""
        routes: ASGIApp = AsyncExitStackMiddleware(self.router)
        handlers: Any = self.exception_handlers
        return Frame(ExceptionMiddleware(routes, handlers=handlers), HotTable(self.routes))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; lifespan and WebSockets go FastAPI's ordinary way."""
        if scope["type"] == "lifespan":
            await super().__call__(scope, receive, send)
            return
        if self.middleware_stack is None:
            self.middleware_stack = self.build_middleware_stack()
        scope["app"] = self
        await self.middleware_stack(scope, receive, send)


def create_app(*routers: APIRouter) -> Api:
    """Make one app of one or more routers; their routes carry full paths."""
    app = Api(title="Rowcast", version=VERSION, openapi_url=None, docs_url=None, redoc_url=None)
    for router in routers:
        # Not include_router: routes that already carry full paths need no second copy, built at every cold start.
        app.router.routes.extend(router.routes)
    problems.install(app)
    return app


class Frame:
    """The outermost layer."""

    def __init__(self, app: ASGIApp, hot: HotTable) -> None:
        self.app = app
        self.hot = hot

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if b"__path=" in scope["query_string"]:
            restore_path(scope)
        await _Exchange(self.hot.find(scope) or self.app, scope, receive, send).run()


class _Exchange:
    """One request and its answer."""

    __slots__ = (
        "app",
        "headers",
        "is_head",
        "note",
        "receive",
        "received",
        "scope",
        "seconds",
        "send",
        "started",
        "status",
    )

    def __init__(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        self.app, self.scope, self.receive, self.send = app, scope, receive, send
        self.headers = headers = dict(scope["headers"])
        self.started = time.perf_counter()
        self.received = 0
        self.status = 0
        self.seconds = 0.0
        self.is_head = scope["method"] == "HEAD"
        made = uuid7()
        new_id = str(made)
        self.note = log.RequestNote(
            headers, _request_id(headers) or new_id, _trace_id(headers) or made.hex, new_id, _peer(scope)
        )

    async def run(self) -> None:
        scope = self.scope
        token = log.request_note.set(self.note)
        if self.is_head:
            scope["method"] = "GET"
        try:
            await self._answer()
        except ClientDisconnect:
            self.status = self.status or _CLIENT_LEFT
        except ApiError as error:
            await self._answer_problem(error)
        except Exception as error:  # noqa: BLE001  the last door: nothing may leave as a traceback
            log.exception("unexpected", error)
            await self._answer_problem(Unexpected())
        finally:
            self._write_line()
            for work in self.note.behind:
                await work()
            log.request_note.reset(token)

    async def _answer(self) -> None:
        scope, headers = self.scope, self.headers
        if scope["method"] == "OPTIONS" and b"access-control-request-method" in headers:
            await cors.preflight(headers)(scope, self.receive, self._send)
            return
        receive = self.receive
        length = headers.get(b"content-length")
        if length is not None:
            await self._bound(int(length) if length.isdigit() else 0, is_more=True)
        elif b"transfer-encoding" in headers:
            receive = self._receive
        await self.app(scope, receive, self._send)

    async def _answer_problem(self, error: ApiError) -> None:
        if not self.status:
            await problems.problem_response(error)(self.scope, self.receive, self._send)

    async def _bound(self, size: int, *, is_more: bool) -> None:
        """Refuse a body above the bound, once it has passed by.

        A client that is still sending when the connection ends never sees the answer.
        """
        if size <= MAX_BODY_BYTES:
            return
        passed = 0
        while is_more and passed < DRAINED_BYTES:
            message = await self.receive()
            passed += len(message.get("body", b""))
            is_more = message.get("more_body", False)
        raise BodyTooLarge(
            f"The body is above {MAX_BODY_BYTES / 1e6:.1f} MB. Send fewer rows at a time, "
            "or upload the file with POST /api/datasets, which has no such limit"
        )

    async def _receive(self) -> Message:
        message = await self.receive()
        self.received += len(message.get("body", b""))
        await self._bound(self.received, is_more=message.get("more_body", False))
        return message

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self._complete(message.setdefault("headers", []))
        else:
            if self.is_head:
                message = {**message, "body": b""}
            if not message.get("more_body"):
                self.seconds = time.perf_counter() - self.started
        await self.send(message)

    def _complete(self, headers: list[tuple[bytes, bytes]]) -> None:
        """Add what every answer carries."""
        note = self.note
        headers += (_NOSNIFF, (b"x-request-id", note.request_id.encode()))
        if not any(name == b"cache-control" for name, _ in headers):
            headers.append(_NO_STORE)
        if note.standing:
            headers += note.standing.headers()
        if note.degraded:
            headers.append((b"x-rowcast-degraded", ", ".join(note.degraded).encode()))
        if origin := self.headers.get(b"origin"):
            headers += cors.allow(origin)

    def _write_line(self) -> None:
        route = self.scope.get("route")
        method = "HEAD" if self.is_head else self.scope["method"]
        log.request(method, route and route.path, self.status, self.seconds, self.note)


def restore_path(scope: Scope) -> None:
    """Give a rewritten request its own path back.

    A platform may hand a rewritten request over with the function's path. The rewrite then carries the caller's
    path in `__path`, which is removed from the query in any case: no route ever sees it.
    """
    query: bytes = scope["query_string"]
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    given = next((value for name, value in pairs if name == "__path"), "")
    scope["query_string"] = urlencode([pair for pair in pairs if pair[0] != "__path"]).encode()
    function = scope["path"].rstrip("/")
    if settings().is_on_vercel and function.startswith("/api/") and function.count("/") == 2:  # noqa: PLR2004
        scope["path"] = "/" + given.lstrip("/")


def _peer(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


def _request_id(headers: dict[bytes, bytes]) -> str:
    """Take the platform's id, so that its logs and ours meet, else the caller's."""
    given = headers.get(b"x-vercel-id" if settings().is_on_vercel else b"x-request-id")
    if given is None:
        return ""
    text = given.decode("latin-1")
    return text if _REQUEST_ID.fullmatch(text) else ""


def _trace_id(headers: dict[bytes, bytes]) -> str:
    """Continue the caller's trace (W3C Trace Context)."""
    given = headers.get(b"traceparent")
    matched = _TRACEPARENT.fullmatch(given) if given else None
    return matched[1].decode() if matched else ""
