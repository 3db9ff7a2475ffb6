"""Sign-in on the site's own origin: passes `/auth/v1/…` on to the embedded stack's Supabase door.

The hosted service answers browsers of other origins; the embedded one's auth door does not, and its mails point at the
site's address. `GET /auth/v1/verify`, where those mails lead, stays with the site, whose page redeems the link.
"""

import httpx
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

ROOT = "/auth/v1/"
_PAGE = "/auth/v1/verify"
_SENT = {"accept", "apikey", "authorization", "content-type", "user-agent", "x-client-info", "x-supabase-api-version"}
_RETURNED = {"cache-control", "content-type", "location", "retry-after", "x-sb-error-code", "x-supabase-api-version"}
_SECONDS = 20.0


class AuthDoor:
    """A pass to the auth door of one Supabase."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._client = httpx.AsyncClient(timeout=_SECONDS, trust_env=False)

    def takes(self, scope: Scope) -> bool:
        """Tell whether a request is for this door."""
        if scope["type"] != "http" or not scope["path"].startswith(ROOT) or ".." in scope["path"]:
            return False
        return scope["path"] != _PAGE or scope["method"] not in {"GET", "HEAD"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request with the door's answer, redirects included."""
        request = Request(scope, receive)
        try:
            answer = await self._client.request(
                request.method,
                f"{self._address}{request.url.path}?{request.url.query}",
                headers={name: value for name, value in request.headers.items() if name in _SENT},
                content=await request.body(),
            )
        except httpx.TransportError:
            response = Response("The sign-in service does not answer.\n", status_code=502, media_type="text/plain")
        else:
            headers = {name: value for name, value in answer.headers.items() if name in _RETURNED}
            response = Response(answer.content, status_code=answer.status_code, headers=headers)
        await response(scope, receive, send)

    async def close(self) -> None:
        """Hang up."""
        await self._client.aclose()
