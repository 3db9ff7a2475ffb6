"""JSON as the clients of both protocols write it: their encoders put the token NaN where a value is missing.

NaN is no JSON, so it is read as null, and only in bodies that the strict parser refused. Infinity stays refused.
"""

from typing import Any

from api._lib.bodies import parse_json
from api._lib.errors import RequestMalformed

# Bytes that no JSON text may hold stand for the two escapes while texts are told from what is between them.
_BACKSLASH, _QUOTE = b"\0", b"\1"
_JOINED = 10_000


def parse_client_json(content: bytes | memoryview) -> Any:
    """Parse JSON in which NaN may stand for null.

    Raises:
        RequestMalformed: it is not JSON for another reason.
    """
    try:
        return parse_json(content)
    except RequestMalformed:
        plain = bytes(content)
        if b"NaN" not in plain or _BACKSLASH in plain or _QUOTE in plain:
            raise
        return parse_json(_with_null(plain))


def _with_null(content: bytes) -> bytes:
    """Write null for each NaN outside of texts."""
    parts = content.replace(b"\\\\", _BACKSLASH).replace(b'\\"', _QUOTE).split(b'"')
    parts[::2] = [between.replace(b"NaN", b"null") for between in parts[::2]]
    # In two steps: joining keeps 80 bytes per part in hand, and a body may have millions.
    longer = [b'"'.join(parts[start : start + _JOINED]) for start in range(0, len(parts), _JOINED)]
    return b'"'.join(longer).replace(_QUOTE, b'\\"').replace(_BACKSLASH, b"\\\\")
