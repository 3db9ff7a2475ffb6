"""By which names a request goes: its own id and that of the trace it belongs to."""

import re
from collections.abc import Mapping

from api._lib.settings import settings

_REQUEST_ID = re.compile(r"[\w.:\-]{1,128}", re.ASCII)
_TRACEPARENT = re.compile(rb"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def given_id(headers: Mapping[bytes, bytes]) -> str:
    """Take the platform's id, so that its logs and ours meet, else the caller's; empty where there is none."""
    given = headers.get(b"x-vercel-id" if settings().is_on_vercel else b"x-request-id")
    if given is None:
        return ""
    text = given.decode("latin-1")
    return text if _REQUEST_ID.fullmatch(text) else ""


def given_trace(headers: Mapping[bytes, bytes]) -> str:
    """Continue the caller's trace (W3C Trace Context); empty where there is none."""
    given = headers.get(b"traceparent")
    matched = _TRACEPARENT.fullmatch(given) if given else None
    return matched[1].decode() if matched else ""
