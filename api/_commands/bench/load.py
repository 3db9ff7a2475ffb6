"""A client that costs next to nothing: prepared bytes over kept connections, answers read to the byte."""

import re
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from api._commands.errors import CliError

_HEAD = (
    "POST {path} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n{headers}content-length: {length}\r\n\r\n"
)
_TOTAL = re.compile(rb"server-timing:[^\r]*total;dur=([0-9.]+)")


@dataclass(frozen=True)
class Times:
    """Seconds from the first byte sent to the last byte read, one for each request, and how each answer began."""

    seconds: list[float]
    heads: list[bytes] = field(default_factory=list)

    def at(self, share: float) -> float:
        """Return the time that this share of requests stayed below."""
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))]

    @property
    def in_server(self) -> list[float]:
        """Seconds that the server says it took, `total` of `Server-Timing`, one for each answer that says it."""
        return [float(found[1]) / 1e3 for head in self.heads if (found := _TOTAL.search(head))]


def prepare(path: str, body: bytes, headers: str = "") -> bytes:
    """Write one request; each of the further headers ends its line."""
    return _HEAD.format(path=path, headers=headers, length=len(body)).encode() + body


class Connections:
    """Some kept connections to one server, each with one request under way at a time."""

    def __init__(self, port: int, count: int) -> None:
        self._sockets = [socket.create_connection(("127.0.0.1", port)) for _ in range(count)]
        for each in self._sockets:
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, requests: Sequence[bytes]) -> Times:
        """Send all requests, as many at once as there are connections."""
        seconds, heads = [], []
        width = len(self._sockets)
        for start in range(0, len(requests), width):
            round_ = list(zip(self._sockets, requests[start : start + width], strict=False))
            sent = []
            for connection, request in round_:
                sent.append(time.perf_counter())
                connection.sendall(request)
            for (connection, _), began in zip(round_, sent, strict=True):
                heads.append(_read(connection))
                seconds.append(time.perf_counter() - began)
        return Times(seconds, heads)

    def close(self) -> None:
        """Hang up."""
        for each in self._sockets:
            each.close()


def _read(connection: socket.socket) -> bytes:
    """Read an answer to its end; returns its head."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += _some(connection)
    head, _, body = received.partition(b"\r\n\r\n")
    if b" 200 " not in head.partition(b"\r\n")[0]:
        raise CliError(f"the server refused a request of the benchmark: {head.decode('latin-1').splitlines()[0]}")
    length = next(
        int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")
    )
    while len(body) < length:
        body += _some(connection)
    return head


def _some(connection: socket.socket) -> bytes:
    part = connection.recv(1 << 16)
    if not part:
        raise CliError("the server hung up in the middle of the benchmark")
    return part
