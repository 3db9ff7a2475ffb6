"""Routes whose function takes the request as it came and returns the answer itself: bytes in, bytes out.

FastAPI's argument handling costs several times what a prediction does. A hot route keeps the router and the OpenAPI
entry and leaves the rest out; what goes in and comes out is declared by hand.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.types import Receive, Scope, Send

HotEndpoint = Callable[..., Awaitable[Response]]


class HotRoute(APIRoute):
    """An `APIRoute` that calls its function with the request and the path's parts."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        answer: HotEndpoint = endpoint

        async def run(scope: Scope, receive: Receive, send: Send) -> None:
            response = await answer(Request(scope, receive, send), **scope["path_params"])
            await response(scope, receive, send)

        self.app = run
