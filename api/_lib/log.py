"""One JSON line per event on standard output, through structlog.

A line carries what happened and how long it took; never a row's values, a token or a secret.
structlog is imported with the first line, which follows the first answer: a cold start does not wait for it.
"""

import logging
import sys
from collections.abc import Mapping, MutableMapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import orjson

from api._lib.settings import settings


@dataclass(slots=True)
class RequestNote:
    """What is known about the request in hand: for its log line, its answer and the calls made for it."""

    request_id: str
    trace_id: str
    facts: dict[str, Any] = field(default_factory=dict)
    degraded: list[str] = field(default_factory=list)


request_note: ContextVar[RequestNote | None] = ContextVar("request_note", default=None)


def note(**facts: Any) -> None:
    """Add facts to the log line of the request in hand."""
    if current := request_note.get():
        current.facts.update(facts)


def note_degraded(part: str) -> None:
    """Remember that a part did not answer and was done without; the answer names it in `x-rowcast-degraded`."""
    if (current := request_note.get()) and part not in current.degraded:
        current.degraded.append(part)


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

    level = logging.getLevelNamesMapping()[settings().log_level.upper()]
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


def _add_request(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if current := request_note.get():
        event["request_id"] = current.request_id
        event["trace_id"] = current.trace_id
    return event


def _serialize(event: Mapping[str, Any], **_: Any) -> str:
    return orjson.dumps(event, default=str).decode()
