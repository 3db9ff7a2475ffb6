"""Signatures of webhooks, both ways: Standard Webhooks 1.0.0, whose own library does the cryptography. Pure: no I/O, the clock is
an argument.

What a stranger puts into the headers is judged here before the library sees it, so nothing but an `ApiError` comes out.
"""

import base64
import binascii
import hmac
import re
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from api._lib.errors import RequestMalformed, SignatureRejected

TOLERANCE_SECONDS = 300
"""How far a message's timestamp may be from our clock, either way: what the reference libraries use."""

PREFIX = "whsec_"
SECRET_BYTES = 32
_FEWEST_BYTES, _MOST_BYTES = 24, 64
_MAX_SIGNATURES = 16
_SECRET = re.compile(rf"(?:v1,)?(?:{PREFIX})?([A-Za-z0-9+/]+={{0,2}})", re.ASCII)
_MESSAGE_ID = re.compile(rb"[!-\-/-~]{1,256}")
"""Visible ASCII without the dot, which separates the parts of what is signed."""
_TIMESTAMP = re.compile(rb"[1-9][0-9]{0,10}")


class SecretInvalid(ValueError):
    """A text is not a signing secret; the message says what one looks like."""


def make_secret() -> str:
    """Make a new secret, `whsec_` and 32 random bytes in base64."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def read_secret(text: str) -> str:
    """Write a secret as `whsec_…`, whichever way it was written: with `v1,` in front, as Supabase Auth does, or bare.

    Raises:
        SecretInvalid: it is not 24 to 64 bytes in base64.
    """
    matched = _SECRET.fullmatch(text.strip())
    try:
        content = base64.b64decode(matched[1] + "=" * (-len(matched[1]) % 4), validate=True) if matched else b""
    except binascii.Error:
        content = b""
    if not _FEWEST_BYTES <= len(content) <= _MOST_BYTES:
        raise SecretInvalid(f"A secret is {PREFIX} and {_FEWEST_BYTES} to {_MOST_BYTES} bytes in base64")
    return PREFIX + base64.b64encode(content).decode()


def sign(message_id: str, body: bytes, known: Sequence[str], *, at: datetime) -> dict[str, str]:
    """Return the headers of a message signed with each of the secrets, so that a receiver may know either of two.

    The body is UTF-8, the id holds no dot, `at` is this attempt's time: each attempt is signed anew under the same id.
    """
    timestamp = int(at.timestamp())
    signatures = [_signature(secret, message_id, timestamp, body.decode()) for secret in known]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signatures),
    }


def verify(body: bytes, headers: Mapping[bytes, bytes], known: Sequence[str], *, now: float) -> str:
    """Return the id of a message that was signed with one of the secrets within the tolerance; `now` is Unix time.

    Raises:
        RequestMalformed: a header or the body cannot be what it should be.
        SignatureRejected: it is not signed, not by this secret, or not of this moment.
    """
    message_id, timestamp, signatures = (
        headers.get(b"webhook-" + part) for part in (b"id", b"timestamp", b"signature")
    )
    if message_id is None or timestamp is None or signatures is None:
        raise SignatureRejected("Sign the message: webhook-id, webhook-timestamp and webhook-signature are needed")
    if not _MESSAGE_ID.fullmatch(message_id):
        raise RequestMalformed("webhook-id is 1 to 256 visible ASCII characters without a dot")
    if not _TIMESTAMP.fullmatch(timestamp):
        raise RequestMalformed("webhook-timestamp is a time in whole Unix seconds")
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise RequestMalformed(f"The body is not UTF-8: byte {error.start} cannot be read") from None
    sent = _read_signatures(signatures)
    name, at = message_id.decode(), int(timestamp)
    expected = [_signature(secret, name, at, text).encode() for secret in known]
    if not any(hmac.compare_digest(mine, theirs) for mine in expected for theirs in sent):
        raise SignatureRejected("The signature does not match: another secret, or the body was changed on its way")
    if abs(at - now) > TOLERANCE_SECONDS:
        age = "old" if at < now else "far ahead of our clock"
        raise SignatureRejected(f"The message is too {age}: its timestamp is {abs(at - now):.0f} s away from ours")
    return name


def is_same(sent: bytes, known: Sequence[str]) -> bool:
    """Tell whether a shared secret that came in a header is one of ours, in a time that tells nothing."""
    return any(hmac.compare_digest(sent.strip(), secret.encode()) for secret in known)


def _read_signatures(header: bytes) -> list[bytes]:
    """Take the signatures of the one version we know from a list; others are somebody else's."""
    parts = header.split()
    if len(parts) > _MAX_SIGNATURES:
        raise RequestMalformed(f"webhook-signature holds more than {_MAX_SIGNATURES} signatures")
    return [part for part in parts if part.startswith(b"v1,")]


def _signature(secret: str, message_id: str, timestamp: int, text: str) -> str:
    from standardwebhooks.webhooks import Webhook  # 20 ms, which only those who sign pay

    return Webhook(secret).sign(message_id, datetime.fromtimestamp(timestamp, UTC), text)
