"""An answer as it is told: the bytes of its body, its headers, and the record of it that is logged behind it."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import NamedTuple

from api._lib import log, prediction_log
from api._lib.answers import Answer
from api._lib.app import MAX_BODY_BYTES
from api._lib.errors import BodyTooLarge
from api._lib.hot import HotAnswer
from api._lib.questions import Question
from api._lib.serving import Granted

Headers = list[tuple[bytes, bytes]]


class Way(NamedTuple):
    """How an answer was come by: for its headers, and for what is done once it is out."""

    cache: bytes
    timing: bytes
    """Members of the answer, for what was measured before the answer was written."""
    steps: bytes
    """The same for `Server-Timing`."""
    share: Callable[[], Awaitable[None]] | None = None


class Told(NamedTuple):
    """An answer's body, the members of its record that say how long it took, and the headers that only it has."""

    body: bytes
    timing: bytes
    headers: Headers


REMEMBERED = Way(
    b"hit-local", b'"parse_ms":0.0,"validate_ms":0.0,"infer_ms":0.0', b"parse;dur=0.0, validate;dur=0.0, infer;dur=0.0"
)


def write(granted: Granted, question: Question, known: Answer, way: Way, started: float) -> HotAnswer:
    """Tell an answer to the request in hand.

    Raises:
        BodyTooLarge: it would be longer than the platform lets out.
    """
    note = log.current()
    if prediction_log.is_behind():
        log.note_degraded("log")
    told = tell(note.prediction_id, granted, known, way, started)
    if len(told.body) > MAX_BODY_BYTES:
        raise BodyTooLarge(
            f"The answer would be above {MAX_BODY_BYTES / 1e6:.1f} MB. Send fewer rows at a time, "
            "or score a whole file in the background: POST /api/batches"
        )
    note.facts["rows"] = known.rows
    note.facts["cache"] = way.cache.decode()
    source = prediction_log.source_of(note.headers)
    after = partial(follow_up, note.prediction_id, source, granted, question, known, way, told.timing)
    return HotAnswer(told.body, told.headers, after)


def tell(prediction_id: str, granted: Granted, known: Answer, way: Way, started: float) -> Told:
    """Put an answer together."""
    total = b"%.3f" % ((time.perf_counter() - started) * 1e3)
    timing = b'%b,"total_ms":%b' % (way.timing, total)
    body = b'{"id":"%b",%b,%b%b%b,"timing":{%b}}' % (
        prediction_id.encode(),
        granted.names,
        known.head,
        known.predictions,
        known.tail,
        timing,
    )
    return Told(
        body,
        timing,
        [(b"x-rowcast-cache", way.cache), (b"server-timing", b"%b, total;dur=%b" % (way.steps, total))],
    )


def follow_up(
    prediction_id: str,
    source: prediction_log.Source,
    granted: Granted,
    question: Question,
    known: Answer,
    way: Way,
    timing: bytes,
) -> Awaitable[object] | None:
    """Begin what is to be done once an answer is out."""
    if not prediction_log.is_on():
        return way.share() if way.share else None
    is_kept = prediction_log.keeps_rows(granted.found, known.rows)
    is_later = is_kept and known.sent is None and question.is_long
    rows = None
    if is_kept and not is_later:
        rows = known.sent.of(question.content) if known.sent else _rewrite(question)
    entry = prediction_log.Entry(
        granted.record_names,
        prediction_id,
        source,
        known.rows,
        timing,
        rows,
        known.predictions if known.rows <= prediction_log.MAX_ROWS else None,
        b'"%b"' % way.cache,
    )
    if is_later:
        return _log_later(entry, question, way)
    logged = prediction_log.add(entry)
    return _both(logged, way.share()) if way.share else logged


async def _log_later(entry: prediction_log.Entry, question: Question, way: Way) -> None:
    """Log a long request whose rows cannot be cut out of it: they are written in a thread."""
    rows = await asyncio.to_thread(_rewrite, question)
    await prediction_log.add(entry._replace(rows=rows))
    if way.share:
        await way.share()


async def _both(logged: Awaitable[object], share: Awaitable[None]) -> None:
    await share
    await logged


def _rewrite(question: Question) -> bytes | None:
    """Write the rows of a question, whatever its form, as JSON."""
    return prediction_log.write_cells(lambda: question.read().to_rows())
