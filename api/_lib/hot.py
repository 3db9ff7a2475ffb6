"""Routes whose function takes the request as it came and returns the answer itself: bytes in, bytes out.

FastAPI's argument handling costs several times what a prediction does, and its routing as much. A hot route keeps the
router and the OpenAPI entry; the frame finds it by one dictionary look-up and calls it. What goes in and comes out is
declared by hand.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

HotEndpoint = Callable[..., Awaitable["Response | HotAnswer"]]


class HotRoute(APIRoute):
    """An `APIRoute` that calls its function with the request and the path's parts."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        # What comes out is written by hand: the return annotation is for the type checker alone.
        super().__init__(path, endpoint, **{**options, "response_model": None})
        answer: HotEndpoint = endpoint

        async def run(scope: Scope, receive: Receive, send: Send) -> None:
            response = await answer(Request(scope, receive, send), **scope["path_params"])
            await response(scope, receive, send)

        self.app = run


class HotAnswer:
    """A JSON answer and its headers, sent as they are; `after` is done once the body is out."""

    __slots__ = ("after", "body", "headers")

    def __init__(
        self,
        body: bytes,
        headers: list[tuple[bytes, bytes]],
        after: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.body = body
        self.headers = headers
        self.after = after

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Send it."""
        length = (b"content-length", b"%d" % len(self.body))
        headers = [(b"content-type", b"application/json"), length, *self.headers]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})
        if self.after:
            await self.after()


class HotTable:
    """The hot routes whose path ends in its only parameter, by method and what stands before it."""

    def __init__(self, routes: Iterable[object]) -> None:
        self._found: dict[tuple[str, str], tuple[HotRoute, str]] = {}
        for route in routes:
            if isinstance(route, HotRoute) and route.path.count("{") == 1 and route.path.endswith("}"):
                prefix, _, parameter = route.path.removesuffix("}").partition("{")
                self._found |= {(method, prefix): (route, parameter) for method in route.methods or ()}

    def find(self, scope: Scope) -> ASGIApp | None:
        """Return the app of the route that this request is for, and tell the scope; None: ask the router."""
        path: str = scope["path"]
        cut = path.rfind("/") + 1
        found = self._found.get((scope["method"], path[:cut]))
        if found is None or cut == len(path):
            return None
        route, parameter = found
        scope["route"] = route
        scope["path_params"] = {parameter: path[cut:]}
        return route.app


async def read_body(request: Request) -> bytes:
    """Read the whole body; as a rule it is one message."""
    message = await request.receive()
    body: bytes = message.get("body", b"")
    if not message.get("more_body"):
        _check_connected(message)
        return body
    parts = [body]
    while message.get("more_body"):
        message = await request.receive()
        _check_connected(message)
        parts.append(message.get("body", b""))
    return b"".join(parts)


def _check_connected(message: Any) -> None:
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
