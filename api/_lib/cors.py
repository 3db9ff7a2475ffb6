"""Which web pages may call the API from a browser.

Callers prove who they are with a header they hold, never with a cookie: letting a page call gives it no one's rights.
"""

from starlette.responses import Response

from api._lib.settings import settings

_METHODS = b"GET, HEAD, POST, PUT, PATCH, DELETE"
_REQUEST_HEADERS = (
    b"authorization, content-type, idempotency-key, if-none-match, inference-header-content-length, "
    b"last-event-id, traceparent, x-api-key, x-request-id"
)
_ANSWER_HEADERS = (
    b"etag, idempotency-replayed, inference-header-content-length, ratelimit, ratelimit-policy, retry-after, server-timing, "
    b"x-request-id, x-rowcast-cache, x-rowcast-degraded, x-rowcast-prediction-id, x-rowcast-version"
)
_PREFLIGHT_SECONDS = b"7200"
"""The longest that any browser remembers a preflight."""


def allow(origin: bytes) -> list[tuple[bytes, bytes]]:
    """Return the headers that let a page of this origin read the answer; none if it may not."""
    allowed = settings().cors_origins
    if "*" in allowed:
        named = b"*"
    elif origin.decode("latin-1") in allowed:
        named = origin
    else:
        return [(b"vary", b"origin")]
    return [
        (b"access-control-allow-origin", named),
        (b"access-control-expose-headers", _ANSWER_HEADERS),
        (b"vary", b"origin"),
    ]


def preflight(headers: dict[bytes, bytes]) -> Response:
    """Answer a browser's question before the real request; the frame adds who may read."""
    response = Response(status_code=204)
    if len(allow(headers.get(b"origin", b""))) > 1:
        response.raw_headers += [
            (b"access-control-allow-methods", _METHODS),
            (b"access-control-allow-headers", _REQUEST_HEADERS),
            (b"access-control-max-age", _PREFLIGHT_SECONDS),
        ]
    return response
