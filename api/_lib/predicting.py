"""From the bytes of a question to the bytes of an answer, by the shortest way that is known.

The same bytes were asked of the same version before: the answer is in memory. The same row was asked in other words: it
is in memory by what the model sees of it. Another instance answered it: it is in the shared store, which is asked only
where working it out costs more than the trip. Else: read, coerce, run, write.
"""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

import orjson

from api._lib import answers, engines, kv, log, prediction_log
from api._lib.answers import Answer
from api._lib.app import MAX_BODY_BYTES
from api._lib.averages import Average
from api._lib.bodies import Batch
from api._lib.errors import BodyTooLarge, RequestInvalid, Unavailable
from api._lib.hot import HotAnswer
from api._lib.memory import remember
from api._lib.places import refuse_rows
from api._lib.questions import Question
from api._lib.serving import INLINE_BYTES, INLINE_SECONDS, Granted
from models.encoding import Encoded
from models.errors import ExplanationRefused, FieldError, InvalidRows
from models.runtime import OnnxModel

MAX_EXPLAINED_ROWS = 10
SHARED_ROWS = 64
SHARED_SECONDS = 7 * 24 * 3600
ROW_PAYS_SECONDS = 60e-6
"""Finding a row by what the model sees of it takes 5 µs; below this, running the model again is as good."""

_ROW_POINTER = "#/rows/0"
_BETWEEN = b"\n"
"""Separates what is shared; JSON is written without it."""


class _Read(NamedTuple):
    """A question after reading and coercion, and when each was done."""

    batch: Batch
    encoded: Encoded
    began: float
    parsed: float
    validated: float


class _Made(NamedTuple):
    """What the model says, where that came from, and the key to share it by if that pays."""

    predictions: bytes
    explanations: bytes
    cache: bytes
    shared_key: str = ""


class _Way(NamedTuple):
    """How an answer was come by: for its headers, and for what is done once it is out."""

    cache: bytes
    timing: bytes
    """Members of the answer, for what was measured before the answer was written."""
    steps: bytes
    """The same for `Server-Timing`."""
    share: Callable[[], Awaitable[None]] | None = None


_HEADS = {task: b'"task":"%b","predictions":' % task.encode() for task in ("binary", "multiclass", "regression")}
_REMEMBERED = _Way(
    b"hit-local", b'"parse_ms":0.0,"validate_ms":0.0,"infer_ms":0.0', b"parse;dur=0.0, validate;dur=0.0, infer;dur=0.0"
)
_NO_WARNINGS = b',"warnings":[]'

_costs: dict[tuple[str, bool], Average] = {}


async def answer(granted: Granted, question: Question, started: float) -> HotAnswer:
    """Answer a question with a version that the caller may use.

    Raises:
        ApiError: it cannot be read, does not fit the model, or the model cannot be had.
    """
    digest = granted.found.version.digest
    key = (digest, question.kind, question.content)
    if known := answers.find(key):
        return _write(granted, question, known, _REMEMBERED, started)
    engine = engines.peek(digest) or await engines.find(digest)
    if len(question.content) > INLINE_BYTES:
        read = await asyncio.to_thread(_read, question, engine)
    else:
        read = _read(question, engine)
    made = await _work_out(engine, digest, question, read)
    done = time.perf_counter()
    times = ((read.parsed - read.began) * 1e3, (read.validated - read.parsed) * 1e3, (done - read.validated) * 1e3)
    tail = made.explanations + (_warnings(read) if read.encoded.warnings else _NO_WARNINGS)
    complete = Answer(_HEADS[engine.card.task], made.predictions, tail, len(read.encoded.numeric), read.batch.sent)
    is_kept = answers.keep(key, complete)
    way = _Way(
        made.cache if is_kept or made.cache != b"miss" else b"skip",
        b'"parse_ms":%.3f,"validate_ms":%.3f,"infer_ms":%.3f' % times,
        b"parse;dur=%.3f, validate;dur=%.3f, infer;dur=%.3f" % times,
        partial(_share, made) if made.shared_key else None,
    )
    return _write(granted, question, complete, way, started)


async def _work_out(engine: OnnxModel, digest: str, question: Question, read: _Read) -> _Made:
    """Find or make what the model says to a coerced question."""
    rows = len(read.encoded.numeric)
    cost = _cost_of(digest, question)
    estimate = cost.value * rows
    if (estimate >= ROW_PAYS_SECONDS and rows <= SHARED_ROWS) or question.is_explained:
        return await _look_up(engine, digest, question, read, cost)
    if len(question.content) > INLINE_BYTES or estimate > INLINE_SECONDS:
        return await asyncio.to_thread(_predict, engine, question, read, cost)
    return _predict(engine, question, read, cost)


async def _look_up(engine: OnnxModel, digest: str, question: Question, read: _Read, cost: Average) -> _Made:
    """Find what is costly by the rows as the model sees them, here or in the shared store; else make it."""
    rows = len(read.encoded.numeric)
    if rows > MAX_EXPLAINED_ROWS and question.is_explained:
        raise RequestInvalid(f"At most {MAX_EXPLAINED_ROWS} rows are explained at a time")
    seen = hashlib.sha256(b"".join(read.encoded.canonical(row) for row in range(rows))).digest()
    row_key = (digest, "explained row" if question.is_explained else "row", seen)
    if known := answers.find(row_key):
        return _Made(known.predictions, known.tail, b"hit-local")
    shared_key = ""
    if cost.value * rows > kv.trip.value and kv.is_usable():
        shared_key = f"rowcast:{row_key[1]}:{digest}:{seen.hex()}"
        if content := await _ask_shared(shared_key):
            predictions, _, explanations = content.partition(_BETWEEN)
            answers.keep(row_key, Answer(b"", predictions, explanations, rows))
            return _Made(predictions, explanations, b"hit-kv")
    if question.is_explained or cost.value * rows > INLINE_SECONDS:
        made = await asyncio.to_thread(_predict, engine, question, read, cost)
    else:
        made = _predict(engine, question, read, cost)
    answers.keep(row_key, Answer(b"", made.predictions, made.explanations, rows))
    return made._replace(shared_key=shared_key)


def _cost_of(digest: str, question: Question) -> Average:
    key = (digest, question.is_explained)
    known = _costs.get(key)
    if known is None:
        remember(_costs, key, known := Average(guess=0.0))
    return known


def _read(question: Question, engine: OnnxModel) -> _Read:
    began = time.perf_counter()
    batch = question.read()
    parsed = time.perf_counter()
    try:
        columns = batch.columns
        encoded = engine.encode(batch.rows or ()) if columns is None else engine.encode_columns(columns)
    except InvalidRows as refused:
        refuse_rows(refused.errors, partial(_relocate, batch))
    return _Read(batch, encoded, began, parsed, time.perf_counter())


def _predict(engine: OnnxModel, question: Question, read: _Read, cost: Average) -> _Made:
    """Run the model and write what it says: the predictions, and where it is asked for, a member with explanations."""
    started = time.perf_counter()
    try:
        # A copy: orjson's own takes 4 kB, however short it is, and this one may be kept for long.
        predictions = memoryview(engine.write(engine.run(read.encoded))).tobytes()
        explanations = b""
        if question.is_explained:
            explanations = b',"explanations":' + orjson.dumps(_explain(engine, read.encoded))
    except InvalidRows as refused:
        refuse_rows(refused.errors, partial(_relocate, read.batch))
    cost.add((time.perf_counter() - started) / max(1, len(read.encoded.numeric)))
    return _Made(predictions, explanations, b"miss")


def _explain(engine: OnnxModel, encoded: Encoded) -> Sequence[Any]:
    from models.explanation import explain

    try:
        return explain(engine, encoded)
    except ExplanationRefused as refused:
        raise RequestInvalid(str(refused)) from None


def _warnings(read: _Read) -> bytes:
    places = [_relocate(read.batch, place) for place in read.encoded.warnings]
    return b',"warnings":' + orjson.dumps([{"pointer": pointer, "detail": detail} for pointer, detail in places])


def _relocate(batch: Batch, place: FieldError) -> FieldError:
    """Name a place as the caller sees it: a body that is the row has no `rows/0` in it."""
    return FieldError(f"#{place.pointer[len(_ROW_POINTER) :]}", place.detail) if batch.is_single else place


def _write(granted: Granted, question: Question, known: Answer, way: _Way, started: float) -> HotAnswer:
    note = log.current()
    if prediction_log.is_behind():
        log.note_degraded("log")
    total = (time.perf_counter() - started) * 1e3
    timing = b'%b,"total_ms":%.3f' % (way.timing, total)
    body = b'{"id":"%b",%b,%b%b%b,"timing":{%b}}' % (
        note.prediction_id.encode(),
        granted.names,
        known.head,
        known.predictions,
        known.tail,
        timing,
    )
    if len(body) > MAX_BODY_BYTES:
        raise BodyTooLarge(
            f"The answer would be above {MAX_BODY_BYTES / 1e6:.1f} MB. Send fewer rows at a time, "
            "or score a whole file in the background: POST /api/batches"
        )
    note.facts["rows"] = known.rows
    note.facts["cache"] = way.cache.decode()

    headers = [(b"x-rowcast-cache", way.cache), (b"server-timing", b"%b, total;dur=%.3f" % (way.steps, total))]
    return HotAnswer(body, headers, partial(_follow_up, granted, question, known, way, timing))


def _follow_up(
    granted: Granted, question: Question, known: Answer, way: _Way, timing: bytes
) -> Awaitable[object] | None:
    """Begin what is to be done once an answer is out."""
    if not prediction_log.is_on():
        return way.share() if way.share else None
    note = log.current()
    entry = prediction_log.Entry(
        granted.record_names,
        note.prediction_id,
        prediction_log.source_of(note.headers),
        known.rows,
        timing,
        None,
        known.predictions if known.rows <= prediction_log.MAX_ROWS else None,
        b'"%b"' % way.cache,
    )
    if not prediction_log.keeps_rows(granted.found, known.rows):
        logged = prediction_log.add(entry)
    elif len(question.content) > INLINE_BYTES:
        return _log_later(entry, question, way)
    else:
        rows = known.sent.of(question.content) if known.sent else _rewrite(question)
        logged = prediction_log.add(entry._replace(rows=rows))
    return _both(logged, way.share()) if way.share else logged


async def _log_later(entry: prediction_log.Entry, question: Question, way: _Way) -> None:
    """Log a large request: its rows are written in a thread."""
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


async def _ask_shared(key: str) -> bytes | None:
    try:
        content = await kv.get(key)
    except Unavailable:
        log.note_degraded("kv")
        return None
    return content.encode() if content else None


async def _share(made: _Made) -> None:
    """Let other instances have an answer."""
    content = made.predictions + _BETWEEN + made.explanations
    with suppress(Unavailable):
        await kv.put(made.shared_key, content.decode(), SHARED_SECONDS)
