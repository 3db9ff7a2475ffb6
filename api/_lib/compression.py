"""Big answers leave packed when the client can unpack them, with brotli or gzip; small ones are not worth the time.

Only answers that are there whole are packed: never a stream, a part of a file, or what is packed already. The frame asks
`choose` when an answer begins, and gives it to the `Packer` it gets.
"""

import asyncio
import re
import zlib
from collections.abc import Awaitable, Callable

from starlette.types import Message

COMPRESS_BYTES = 16 * 1024
"""Below this, what is saved on the wire is less than what packing costs (0.2 ms for 16 kB)."""

_THREAD_BYTES = 64 * 1024
_LEVEL, _QUALITY = 3, 1
"""Measured on predictions as JSON, CPU per MB: gzip leaves 26 % in 15 ms (level 3) or 25 % in 30 ms (6), brotli 25 % in
6 ms (quality 1) or in 19 ms (4)."""

_GZIP = zlib.MAX_WBITS | 16
_ACCEPTED = re.compile(rb"\s*([\w*.\-]+)\s*(?:;\s*q\s*=\s*(\d?\.?\d*)\s*)?", re.IGNORECASE)
_TEXTUAL = re.compile(rb"application/(?:[\w.-]+\+)?json\b|text/(?!event-stream)", re.IGNORECASE)
_WHOLE = 200

Send = Callable[[Message], Awaitable[None]]


def choose(head: Message, accepted: bytes | None) -> "Packer | None":
    """Return what packs the answer that begins with this head; None where it goes as it is."""
    if accepted is None or head["status"] != _WHOLE:
        return None
    headers: dict[bytes, bytes] = dict(head["headers"])
    length = headers.get(b"content-length")
    if length is None or int(length) < COMPRESS_BYTES or b"content-encoding" in headers:
        return None
    if not _TEXTUAL.match(headers.get(b"content-type", b"")):
        return None
    head["headers"].append((b"vary", b"accept-encoding"))
    weights = _weights(accepted)
    brotli, gzip = weights.get(b"br", 0.0), _gzip_weight(weights)  # `*` is no word for br: gzip is better known
    if not brotli and not gzip:
        return None
    return Packer(head, b"br" if brotli >= gzip else b"gzip")


def accepts_gzip(accepted: bytes) -> bool:
    """Read an Accept-Encoding header; `gzip;q=0` is a no, and only `*` speaks for what is not named."""
    return _gzip_weight(_weights(accepted)) > 0


def _weights(accepted: bytes) -> dict[bytes, float]:
    """Read how much each coding is wanted (RFC 9110, 12.5.3), from 0 (not at all) to 1; what cannot be read is not wanted."""
    weights = {}
    for part in accepted.lower().split(b","):
        if read := _ACCEPTED.fullmatch(part):
            weights[read[1]] = 1.0 if read[2] is None else min(1.0, float(read[2].rstrip(b".") or 0))
    return weights


def _gzip_weight(weights: dict[bytes, float]) -> float:
    return weights.get(b"gzip", weights.get(b"x-gzip", weights.get(b"*", 0.0)))


class Packer:
    """One answer: its head waits until its body is packed."""

    __slots__ = ("_coding", "_head")

    def __init__(self, head: Message, coding: bytes) -> None:
        self._head: Message | None = head
        self._coding = coding

    async def send(self, message: Message, send: Send, *, is_head: bool) -> None:
        """Send the body, packed, with the head before it; to a HEAD request, the head that a GET would get."""
        head, self._head = self._head, None
        if head is not None:
            if not message.get("more_body"):
                message = {**message, "body": await _pack(message["body"], self._coding)}
                head["headers"] = _relabel(head["headers"], len(message["body"]), self._coding)
            await send(head)
        await send({**message, "body": b""} if is_head else message)


async def _pack(content: bytes, coding: bytes) -> bytes:
    pack = _brotli if coding == b"br" else _gzip
    return pack(content) if len(content) <= _THREAD_BYTES else await asyncio.to_thread(pack, content)


def _brotli(content: bytes) -> bytes:
    import brotli

    packed: bytes = brotli.compress(content, mode=brotli.MODE_TEXT, quality=_QUALITY)
    return packed


def _gzip(content: bytes) -> bytes:
    packer = zlib.compressobj(_LEVEL, wbits=_GZIP)
    return packer.compress(content) + packer.flush()


def _relabel(headers: list[tuple[bytes, bytes]], length: int, coding: bytes) -> list[tuple[bytes, bytes]]:
    """Tell the new length and the packing; an ETag becomes a weak one, for these are other bytes of the same content."""
    labels: list[tuple[bytes, bytes]] = []
    for name, value in headers:
        if name == b"content-length":
            labels.append((name, b"%d" % length))
        elif name == b"etag" and not value.startswith(b"W/"):
            labels.append((name, b"W/" + value))
        else:
            labels.append((name, value))
    return [*labels, (b"content-encoding", coding)]
