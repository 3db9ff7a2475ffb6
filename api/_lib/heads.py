"""Heads of requests (method, path, query and the headers that decide anything) whose like was answered a moment ago.

Machines ask the same way thousands of times, and to find out who asks for what takes longer than most answers. Whoever
finds out by the long way may leave behind how the next request with such a head is answered: the frame asks here first.
"""

from collections.abc import Awaitable, Mapping
from typing import Protocol

from starlette.types import Message, Receive, Scope, Send

from api._lib.memory import remember

_LONGEST_HEAD = 4096
"""Longer ones are not worth a place in memory: what callers can fill is bounded."""

Head = tuple[object, ...]


class LongWay(Exception):
    """A request that is not for a short way, after all: nothing was counted, sent or logged, and this much was received."""

    def __init__(self, message: Message) -> None:
        super().__init__()
        self.message = message


class ShortWay(Protocol):
    """How a request with a known head is answered."""

    def is_good(self) -> bool:
        """Tell whether the request in hand may go this way."""

    async def answer(self, headers: Mapping[bytes, bytes], receive: Receive, send: Send) -> Awaitable[object] | None:
        """Answer a request; returns what must still be waited for before it may end.

        Raises:
            LongWay: it is to be answered by the long way.
        """


_known: dict[Head, ShortWay] = {}


def find(scope: Scope, headers: Mapping[bytes, bytes]) -> ShortWay | None:
    """Find the short way for a request, if there is one and it is still good."""
    if not _known:
        return None
    way = _known.get(_read(scope, headers))
    return way if way and way.is_good() else None


def keep(scope: Scope, headers: Mapping[bytes, bytes], way: ShortWay) -> None:
    """Let the next requests with the head of this one go a short way."""
    head = _read(scope, headers)
    if sum(len(part) for part in head if isinstance(part, bytes | str)) <= _LONGEST_HEAD:
        remember(_known, head, way)


def _read(scope: Scope, headers: Mapping[bytes, bytes]) -> Head:
    get = headers.get
    return (
        scope["method"],
        scope["path"],
        scope["query_string"],
        get(b"x-api-key"),
        get(b"authorization"),
        get(b"content-type"),
        get(b"accept"),
        get(b"origin"),
        get(b"sec-fetch-site"),
    )


def replay(message: Message, receive: Receive) -> Receive:
    """Give a message that was received already once more, then what comes."""
    waiting = [message]

    async def again() -> Message:
        return waiting.pop() if waiting else await receive()

    return again
