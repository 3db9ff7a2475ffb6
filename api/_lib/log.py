"""One JSON line per event on standard output, through structlog.

A line carries what happened and how long it took; never a row's values, a token or a secret.
structlog is imported with the first line, which follows the first answer: a cold start does not wait for it.
"""

import asyncio
import atexit
import logging
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, cached_property, lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from api._lib.settings import settings

if TYPE_CHECKING:
    from api._lib.quotas import Standing


_GATHER_SECONDS = 0.01
"""Request lines are put together and written many at a time: each by itself would cost as much as a remembered answer."""


@dataclass(slots=True)
class RequestNote:
    """What is known about the request in hand: for its log line, its answer and the calls made for it."""

    headers: dict[bytes, bytes] = field(repr=False)
    request_id: str
    trace_id: str
    prediction_id: str
    """A new UUIDv7. It is the request's id too, unless the caller or the platform gave one."""
    peer: str = ""
    """The address of whoever holds the connection: the caller's, or that of a proxy."""
    facts: dict[str, Any] = field(default_factory=dict)
    degraded: list[str] = field(default_factory=list)
    standing: "Standing | None" = None
    """What is left of the caller's quota, once it was counted."""
    behind: list[Callable[[], Awaitable[None]]] = field(default_factory=list, repr=False)
    """What is done once the answer is out: nobody waits for it, and it raises nothing."""


request_note: ContextVar[RequestNote | None] = ContextVar("request_note", default=None)


def current() -> RequestNote:
    """Return the note of the request in hand."""
    found = request_note.get()
    assert found is not None
    return found


def note(**facts: Any) -> None:
    """Add facts to the log line of the request in hand."""
    if known := request_note.get():
        known.facts.update(facts)


def note_degraded(part: str) -> None:
    """Remember that a part did not answer and was done without; the answer names it in `x-rowcast-degraded`."""
    if (known := request_note.get()) and part not in known.degraded:
        known.degraded.append(part)


class _Line(NamedTuple):
    """What the line of a request says."""

    method: str
    route: str | None
    status: int
    seconds: float
    facts: Mapping[str, Any]
    request_id: str
    trace_id: str
    at: float
    """When it was answered, in seconds since 1970."""

    def write(self) -> bytes:
        """Write it as structlog would, whose processors cost as much as a prediction."""
        # What cannot hold a sign that JSON escapes is put together by hand; facts are whatever was noted.
        facts = b"%b," % orjson.dumps(self.facts, default=str)[1:-1] if self.facts else b""
        return (
            b'{"event":"request","method":%b,"route":%b,"status":%d,"ms":%.3f,%b"request_id":"%b","trace_id":"%b","level":"info","timestamp":%b}'
            % (
                _quoted(self.method),
                _quoted(self.route),
                self.status,
                self.seconds * 1e3,
                facts,
                self.request_id.encode(),
                self.trace_id.encode(),
                orjson.dumps(datetime.fromtimestamp(self.at, UTC), option=orjson.OPT_UTC_Z),
            )
        )


def request(
    method: str,
    route: str | None,
    status: int,
    seconds: float,
    facts: Mapping[str, Any],
    request_id: str,
    trace_id: str,
) -> None:
    """Write the one line of a request; its facts are not changed afterwards."""
    if not _request_writer.is_silent:
        _request_writer.add(_Line(method, route, status, seconds, facts, request_id, trace_id, time.time()))


@lru_cache(maxsize=256)
def _quoted(word: str | None) -> bytes:
    return orjson.dumps(word)


def info(event: str, **facts: Any) -> None:
    """Write one line about something that went as it should."""
    _logger().info(event, **facts)


def warning(event: str, **facts: Any) -> None:
    """Write one line about something that was survived."""
    _logger().warning(event, **facts)


def exception(event: str, error: BaseException, **facts: Any) -> None:
    """Write one line about a failure of ours, with its traceback."""
    _logger().error(event, exc_info=error, **facts)


@cache
def _logger() -> Any:
    import structlog

    level = _level()
    logger = logging.getLogger("rowcast")
    logger.setLevel(level)
    if not settings().is_on_vercel:
        # The platform's own root handler tells it which request a line belongs to; elsewhere we write ourselves.
        handler = logging.StreamHandler(sys.stdout)
        handler.setFormatter(logging.Formatter("%(message)s"))
        logger.addHandler(handler)
        logger.propagate = False
    # Without local variables: they hold rows, tokens and keys.
    tracebacks = structlog.tracebacks.ExceptionDictTransformer(show_locals=False, max_frames=30)
    structlog.configure(
        processors=[
            _add_request,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.ExceptionRenderer(tracebacks),
            structlog.processors.JSONRenderer(serializer=_serialize),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    return structlog.get_logger("rowcast")


class _RequestWriter:
    """Writes request lines: through the platform's handler, or many at once to standard output."""

    def __init__(self) -> None:
        self._waiting: list[_Line] = []
        self._flushed_by: asyncio.AbstractEventLoop | None = None

    @cached_property
    def is_silent(self) -> bool:
        return _level() > logging.INFO

    @cached_property
    def _platform(self) -> logging.Logger | None:
        if not settings().is_on_vercel:
            return None
        logger = logging.getLogger("rowcast")
        logger.setLevel(_level())
        return logger

    def add(self, line: _Line) -> None:
        if self._platform:
            self._platform.info(line.write().decode())
            return
        self._waiting.append(line)
        loop = asyncio.get_running_loop()
        if self._flushed_by is not loop:  # a loop that has ended flushes no more
            self._flushed_by = loop
            loop.call_later(_GATHER_SECONDS, self.flush)

    def flush(self) -> None:
        """Write what has been gathered."""
        lines, self._waiting, self._flushed_by = self._waiting, [], None
        if lines:
            sys.stdout.write(b"\n".join([*(line.write() for line in lines), b""]).decode())
            sys.stdout.flush()


_request_writer = _RequestWriter()
atexit.register(_request_writer.flush)


def _level() -> int:
    return logging.getLevelNamesMapping()[settings().log_level.upper()]


def _add_request(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if known := request_note.get():
        event["request_id"] = known.request_id
        event["trace_id"] = known.trace_id
    return event


def _serialize(event: Mapping[str, Any], **_: Any) -> str:
    return orjson.dumps(event, default=str).decode()
