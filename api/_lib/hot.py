"""Routes whose function takes the request as it came and returns the answer itself: bytes in, bytes out.

FastAPI's argument handling costs several times what a prediction does, and its routing as much. A hot route keeps the
router and the OpenAPI entry; the frame finds it by one dictionary look-up and calls it. What goes in and comes out is
declared by hand.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, NamedTuple

from fastapi import Request, Response
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from api._lib.late import LateRoute
from api._lib.memory import remember

_REMEMBERED_PATH = 200
"""Of a longer path nobody remembers where it leads: what callers can fill is bounded."""

JSON = b"application/json"

HotEndpoint = Callable[..., Awaitable["Response | HotAnswer"]]


class HotRoute(LateRoute):
    """A route that calls its function with the request and the path's parts.

    FastAPI reads the function's parameters for the description of the API alone: a hot route checks them by itself.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        # What comes out is written by hand: the return annotation is for the type checker alone.
        super().__init__(path, endpoint, **{**options, "response_model": None})
        self.answer: HotEndpoint = endpoint
        self.is_prediction = path.startswith("/api/predict/") or "POST" in self.methods

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request that came the router's way; of another method, let the framework refuse it."""
        if scope["method"] not in self.methods:
            await super().handle(scope, receive, send)
            return
        response = await self.answer(Request(scope, receive, send), **scope["path_params"])
        await response(scope, receive, send)


class HotAnswer:
    """An answer, JSON as a rule, and its headers, sent as they are; `after` is called once the body is out, and what it returns is
    awaited before the request ends.
    """

    __slots__ = ("after", "body", "headers", "media_type")

    def __init__(
        self,
        body: bytes,
        headers: list[tuple[bytes, bytes]],
        after: Callable[[], Awaitable[object] | None] | None = None,
        media_type: bytes = JSON,
    ) -> None:
        self.body = body
        self.headers = headers
        self.after = after
        self.media_type = media_type

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Send it."""
        length = (b"content-length", b"%d" % len(self.body))
        headers = [(b"content-type", self.media_type), length, *self.headers]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})
        if self.after and (rest := self.after()):
            await rest


class Hot(NamedTuple):
    """A hot route and what stands in the request's path where its only parameter is."""

    route: HotRoute
    parameter: str

    def answer(self, request: Request) -> Awaitable[Response | HotAnswer]:
        """Call the route's function."""
        return self.route.answer(request, self.parameter)


class HotTable:
    """The hot routes with one parameter, by method and by what stands before and behind it."""

    def __init__(self, routes: Iterable[object]) -> None:
        self._found: dict[tuple[str, str, str], HotRoute] = {}
        self._asked: dict[tuple[str, str], Hot | None] = {}
        for route in routes:
            if isinstance(route, HotRoute) and route.path.count("{") == 1:
                prefix, _, rest = route.path.partition("{")
                suffix = rest.partition("}")[2]
                self._found |= {(method, prefix, suffix): route for method in route.methods or ()}

    def find(self, scope: Scope) -> Hot | None:
        """Return the route that this request is for; None: ask the router."""
        asked = (scope["method"], scope["path"])
        if asked in self._asked:
            return self._asked[asked]
        found = self._search("GET" if asked[0] == "HEAD" else asked[0], asked[1])
        if len(asked[1]) <= _REMEMBERED_PATH:
            remember(self._asked, asked, found)
        return found

    def _search(self, method: str, path: str) -> Hot | None:
        start, end = path.rfind("/") + 1, len(path)
        route = self._found.get((method, path[:start], ""))
        if route is None:  # a word may stand behind the parameter
            start, end = path.rfind("/", 0, max(0, start - 1)) + 1, start - 1
            route = self._found.get((method, path[:start], path[end:]))
        return Hot(route, path[start:end]) if route and start < end else None


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
