"""The other side of outgoing webhooks: a server that verifies with the standard's own library, and misbehaves on demand.

What it does is named by the path: `/500`, `/hang`, `/reset` and so on; any other path is answered 200. It speaks over raw
sockets, because no well-behaved HTTP server can be made to do half of this.
"""

import asyncio
import contextlib
import gzip
import socket
import ssl
import struct
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Self

from standardwebhooks.webhooks import Webhook


@dataclass
class Request:
    """One message as it arrived."""

    path: str
    headers: dict[str, str]
    body: bytes

    def verify(self, secret: str) -> Any:
        """Check the signature as a receiver does and return the decoded body."""
        return Webhook(secret).verify(self.body, self.headers)


Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter, Request], Awaitable[None]]


@dataclass
class Receiver:
    """A receiver on a loopback port of its own, in a thread of its own. Use as a context manager."""

    tls: ssl.SSLContext | None = None
    requests: list[Request] = field(default_factory=list)
    behaviours: dict[str, Behaviour] = field(default_factory=dict)
    """Path -> what it does, where that is not its name's."""

    open_now: int = 0
    """Connections that are open."""

    most_open: Counter[str] = field(default_factory=Counter)
    """Path -> most requests under way at a time."""

    _under_way: Counter[str] = field(default_factory=Counter)

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        serving = asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.tls)
        self._server = asyncio.run_coroutine_threadsafe(serving, self._loop).result(10)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        """Return the address of a path."""
        return f"http{'s' if self.tls else ''}://{host}:{self.port}{path}"

    def ids(self, path: str) -> Counter[str]:
        """Count the messages that came to a path by their id."""
        return Counter(request.headers["webhook-id"] for request in self.requests if request.path == path)

    async def _close(self) -> None:
        self._server.close()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open_now += 1
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                request = await _read(reader)
                self.requests.append(request)
                path = request.path.partition("?")[0]
                self._under_way[path] += 1
                self.most_open[path] = max(self.most_open[path], self._under_way[path])
                try:
                    await (self.behaviours.get(path) or BEHAVIOURS.get(path, answer))(reader, writer, request)
                finally:
                    self._under_way[path] -= 1
        self.open_now -= 1
        writer.close()


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Request(head[0].split()[1], headers, body)


async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Request) -> None:
    """Answer with the status that the path names, or 200, as any server does."""
    name = request.path.partition("?")[0].strip("/")
    status = int(name) if name.isdecimal() else 200
    body = b"" if status == 204 else f"answered {status}".encode()
    writer.write(b"HTTP/1.1 %d X\r\ncontent-length: %d\r\n\r\n%b" % (status, len(body), body))
    await writer.drain()


def saying(raw: bytes) -> Behaviour:
    """Make a behaviour that sends these bytes and ends the connection."""

    async def behave(_: asyncio.StreamReader, writer: asyncio.StreamWriter, __: Request) -> None:
        writer.write(raw)
        await writer.drain()
        raise OSError

    return behave


def slow(seconds: float) -> Behaviour:
    """Make a behaviour that answers well, late."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Request) -> None:
        await asyncio.sleep(seconds)
        await answer(reader, writer, request)

    return behave


async def _reset(_: asyncio.StreamReader, writer: asyncio.StreamWriter, __: Request) -> None:
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
    raise OSError


async def _half_close(_: asyncio.StreamReader, writer: asyncio.StreamWriter, __: Request) -> None:
    """Say that nothing more is sent, then never read or close."""
    writer.write(b"HTTP/1.1 200 OK\r\n\r\nfine")
    writer.write_eof()
    await asyncio.sleep(60)


async def _trickle(_: asyncio.StreamReader, writer: asyncio.StreamWriter, __: Request) -> None:
    """Send a head that never ends, a byte at a time."""
    writer.write(b"HTTP/1.1 200 OK\r\nx: ")
    while True:
        writer.write(b"a")
        await writer.drain()
        await asyncio.sleep(0.05)


async def _endless(_: asyncio.StreamReader, writer: asyncio.StreamWriter, __: Request) -> None:
    """Send a good status and a body without an end, as fast as it is taken."""
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        writer.write(b"0123456789abcdef" * 4096)
        await writer.drain()


async def _body_stalls(_: asyncio.StreamReader, writer: asyncio.StreamWriter, __: Request) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nbegun")
    await writer.drain()
    await asyncio.sleep(60)


async def _interim(_: asyncio.StreamReader, writer: asyncio.StreamWriter, __: Request) -> None:
    """Announce for ever that an answer will come."""
    while True:
        writer.write(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.01)


_BOMB = gzip.compress(b"\0" * 20_000_000)

BEHAVIOURS: dict[str, Behaviour] = {
    "/hang": slow(60),
    "/slow": slow(0.5),
    "/reset": _reset,
    "/close": saying(b""),
    "/half-close": _half_close,
    "/trickle": _trickle,
    "/endless": _endless,
    "/body-stalls": _body_stalls,
    "/interim": _interim,
    "/garbage": saying(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "/cut-head": saying(b"HTTP/1.1 200 OK\r\ncontent-le"),
    "/huge-head": saying(b"HTTP/1.1 200 OK\r\nx: " + b"a" * 200_000 + b"\r\n\r\n"),
    "/huge-body": saying(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n" + b"a" * 1_000_000),
    "/bomb": saying(b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(_BOMB) + _BOMB),
    "/redirect": saying(b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/secret\r\ncontent-length: 0\r\n\r\n"),
    "/metadata": saying(b"HTTP/1.1 307 X\r\nlocation: http://169.254.169.254/latest/\r\ncontent-length: 0\r\n\r\n"),
    "/nul": saying(b"HTTP/1.1 200 OK\r\nx: \xff\xfe\r\ncontent-length: 6\r\n\r\na\x00b\xff\xc3("),
    "/429": saying(b"HTTP/1.1 429 X\r\nretry-after: 120\r\ncontent-length: 0\r\n\r\n"),
    "/odd-status": saying(b"HTTP/1.1 799 X\r\ncontent-length: 0\r\n\r\n"),
}
