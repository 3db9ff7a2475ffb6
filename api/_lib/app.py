"""The frame around every function: one FastAPI app whose outermost layer is `Frame`.

It is pure ASGI: no task and no thread of its own. What it does with a request is `Exchange`'s business.
"""

from collections.abc import Awaitable
from typing import Any
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, FastAPI
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from api._lib import VERSION, afterwork, heads, problems
from api._lib.exchange import MAX_BODY_BYTES, Exchange
from api._lib.hot import HotTable
from api._lib.settings import settings

__all__ = ["MAX_BODY_BYTES", "Api", "create_app", "restore_path"]


class Api(FastAPI):
    """FastAPI with `Exchange` in place of its outer layers."""

    def build_middleware_stack(self) -> ASGIApp:
        """Put the layers together: our error answers, FastAPI's own exit stack, routes."""
        routes: ASGIApp = AsyncExitStackMiddleware(self.router)
        handlers: Any = self.exception_handlers
        self.hot = HotTable(self.routes)
        return ExceptionMiddleware(routes, handlers=handlers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; lifespan and WebSockets go FastAPI's ordinary way."""
        if scope["type"] == "lifespan":
            await super().__call__(scope, receive, send)
            return
        if self.middleware_stack is None:
            self.middleware_stack = self.build_middleware_stack()
        scope["app"] = self
        if b"__path=" in scope["query_string"]:
            restore_path(scope)
        if scope["type"] != "http":
            await self.middleware_stack(scope, receive, send)
            return
        rest = await self._answer(scope, receive, send, self.middleware_stack)
        if rest is None:
            return
        if self.state.lasts:
            afterwork.leave(rest)
        else:
            await rest

    async def _answer(self, scope: Scope, receive: Receive, send: Send, stack: ASGIApp) -> Awaitable[object] | None:
        """Answer by a short way that was found before, else by the long one; returns what must still be waited for."""
        headers = dict(scope["headers"])
        if way := heads.find(scope, headers):
            try:
                return await way.answer(headers, receive, send)
            except heads.LongWay as left:
                receive = heads.replay(left.message, receive)
        return await Exchange(scope, headers, receive, send).run(self.hot.find(scope), stack)


def create_app(*routers: APIRouter) -> Api:
    """Make one app of one or more routers; their routes carry full paths."""
    app = Api(
        title="Rowcast", version=VERSION, openapi_url=None, docs_url=None, redoc_url=None, lifespan=afterwork.living
    )
    app.state.lasts = False
    for router in routers:
        # Not include_router: routes that already carry full paths need no second copy, built at every cold start.
        app.router.routes.extend(router.routes)
    problems.install(app)
    return app


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
