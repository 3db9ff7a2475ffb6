"""What the platform's edge does to every request on its way to a function: who asks, under which number, and how large."""

from collections.abc import Mapping
from itertools import count

from starlette.requests import Request
from starlette.responses import PlainTextResponse

MAX_BODY_BYTES = int(4.5 * 2**20)
_HOP_BY_HOP = {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
_TELLING = {"forwarded", "x-real-ip", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-port"}
_NUMBERS = count(1)


class BodyTooLarge(Exception):
    """More was sent than the platform takes."""


def new_id() -> str:
    """Number a request, in the platform's form: where it came in, where it runs, which it is."""
    return f"fra1::iad1::rehearsal-{next(_NUMBERS)}"


def headers_for_function(given: Mapping[str, str], peer: str, request_id: str) -> dict[str, str]:
    """Compose a function's request headers: the caller's, without what only the platform may tell."""
    kept = {
        name: value
        for name, value in given.items()
        if name not in _HOP_BY_HOP | _TELLING and not name.startswith(("x-vercel-", "sec-websocket-"))
    }
    told = dict.fromkeys(("x-real-ip", "x-forwarded-for", "x-vercel-forwarded-for"), peer)
    return (
        kept
        | told
        | {
            "x-forwarded-host": given.get("host", ""),
            "x-forwarded-proto": "http",
            "x-vercel-id": request_id,
            "x-vercel-internal-invocation-id": request_id,
            "x-vercel-internal-request-id": "1",
        }
    )


def headers_for_caller(given: Mapping[str, str], added: Mapping[str, str], request_id: str) -> dict[str, str]:
    """Compose an answer's headers: those of the project's rules win over the function's own."""
    kept = {name: value for name, value in given.items() if name not in _HOP_BY_HOP}
    return kept | dict(added) | {"server": "Vercel", "x-vercel-id": request_id}


async def read_body(request: Request) -> bytes:
    """Read a request's body. Raises BodyTooLarge as soon as it is known to be."""
    if int(request.headers.get("content-length", 0)) > MAX_BODY_BYTES:
        raise BodyTooLarge
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise BodyTooLarge
    return body


def refusal(status: int, code: str, request_id: str) -> PlainTextResponse:
    """Say in the platform's words why a function was not asked, or did not answer."""
    headers = {"x-vercel-error": code, "x-vercel-id": request_id, "server": "Vercel"}
    return PlainTextResponse(f"{code}\n\n{request_id}\n", status_code=status, headers=headers)
