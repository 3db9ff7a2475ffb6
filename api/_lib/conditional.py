"""Answers that a client may keep, and the empty answer when it has the newest already."""

import hashlib

from fastapi import Request, Response

MATCH_HEADER = "if-none-match"


def tag(content: bytes) -> str:
    """Make a validator of the content itself."""
    return f'"{hashlib.sha256(content).hexdigest()[:32]}"'


def is_known(request: Request, etag: str) -> bool:
    """Tell whether the client has exactly this already."""
    known = request.headers.get(MATCH_HEADER, "")
    return known == "*" or etag in [each.strip().removeprefix("W/") for each in known.split(",")]


def answer_json(request: Request, content: bytes, *, cache_control: str, etag: str | None = None) -> Response:
    """Answer with JSON, or with 304 when the client has it already."""
    etag = etag or tag(content)
    headers = {"etag": etag, "cache-control": cache_control, "vary": "authorization, x-api-key, accept-encoding"}
    if is_known(request, etag):
        return Response(status_code=304, headers=headers)
    return Response(content, media_type="application/json", headers=headers)
