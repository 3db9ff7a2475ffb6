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
from api._lib.serving import INLINE_BYTES, Granted
from models.encoding import Encoded
from models.errors import ExplanationRefused, FieldError, InvalidRows
from models.runtime import OnnxModel

MAX_EXPLAINED_ROWS = 10
SHARED_ROWS = 64
SHARED_SECONDS = 7 * 24 * 3600
ROW_PAYS_SECONDS = 60e-6
"""Finding a row by what the model sees of it takes 5 µs; below this, running the model again is as good."""

_ROW_POINTER = "#/rows/0"


class _Read(NamedTuple):
    """A question after reading and coercion, and when each was done."""

    batch: Batch
    encoded: Encoded
    began: float
    parsed: float
    validated: float


class _Made(NamedTuple):
    """What the model says, as members of the answer, where that came from, and the key to share it by if that pays."""

    content: bytes
    cache: bytes
    shared_key: str = ""


class _Way(NamedTuple):
    """How an answer was come by: for its headers, and for what is done once it is out."""

    cache: bytes
    batch: Callable[[], Batch]
    steps: tuple[float, float, float] = (0.0, 0.0, 0.0)
    share: Callable[[], Awaitable[None]] | None = None


_costs: dict[tuple[str, bool], Average] = {}


async def answer(granted: Granted, question: Question, started: float) -> HotAnswer:
    """Answer a question with a version that the caller may use.

    Raises:
        ApiError: it cannot be read, does not fit the model, or the model cannot be had.
    """
    digest = granted.found.version.digest
    key = (digest, question.kind, question.content)
    if known := answers.find(key):
        return _write(granted, known, _Way(b"hit-local", question.read), started)
    engine = engines.peek(digest) or await engines.find(digest)
    if len(question.content) > INLINE_BYTES:
        read = await asyncio.to_thread(_read, question, engine)
    else:
        read = _read(question, engine)
    made = await _work_out(engine, digest, question, read)
    done = time.perf_counter()
    complete = Answer(made.content + _warnings(read), len(read.encoded.numeric))
    is_kept = answers.keep(key, complete)
    way = _Way(
        made.cache if is_kept or made.cache != b"miss" else b"skip",
        lambda: read.batch,
        (read.parsed - read.began, read.validated - read.parsed, done - read.validated),
        partial(_share, made.shared_key, made.content) if made.shared_key else None,
    )
    return _write(granted, complete, way, started)


async def _work_out(engine: OnnxModel, digest: str, question: Question, read: _Read) -> _Made:
    """Find or make what the model says to a coerced question."""
    rows = len(read.encoded.numeric)
    cost = _cost_of(digest, question)
    estimate = cost.value * rows
    if estimate < ROW_PAYS_SECONDS or rows > SHARED_ROWS:
        return _Made(await _run(engine, question, read, cost), b"miss")
    seen = hashlib.sha256(b"".join(read.encoded.canonical(row) for row in range(rows))).digest()
    row_key = (digest, "explained row" if question.is_explained else "row", seen)
    if known := answers.find(row_key):
        return _Made(known.content, b"hit-local")
    shared_key = ""
    if estimate > kv.trip.value and kv.is_usable():
        shared_key = f"rowcast:{row_key[1]}:{digest}:{seen.hex()}"
        if content := await _ask_shared(shared_key):
            answers.keep(row_key, Answer(content, rows))
            return _Made(content, b"hit-kv")
    content = await _run(engine, question, read, cost)
    answers.keep(row_key, Answer(content, rows))
    return _Made(content, b"miss", shared_key)


def _cost_of(digest: str, question: Question) -> Average:
    key = (digest, question.is_explained)
    if key not in _costs:
        remember(_costs, key, Average(guess=0.0))
    return _costs[key]


async def _run(engine: OnnxModel, question: Question, read: _Read, cost: Average) -> bytes:
    is_long = question.is_explained or len(question.content) > INLINE_BYTES
    started = time.perf_counter()
    content = await asyncio.to_thread(_predict, engine, question, read) if is_long else _predict(engine, question, read)
    cost.add((time.perf_counter() - started) / max(1, len(read.encoded.numeric)))
    return content


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


def _predict(engine: OnnxModel, question: Question, read: _Read) -> bytes:
    """Run the model and write what it says, as members of the answer."""
    try:
        content = b'"task":"%b","predictions":%b' % (
            engine.card.task.encode(),
            orjson.dumps(engine.decode(engine.run(read.encoded))),
        )
        if question.is_explained:
            content += b',"explanations":' + orjson.dumps(_explain(engine, read.encoded))
    except InvalidRows as refused:
        refuse_rows(refused.errors, partial(_relocate, read.batch))
    return content


def _explain(engine: OnnxModel, encoded: Encoded) -> Sequence[Any]:
    from models.explanation import explain

    if len(encoded.numeric) > MAX_EXPLAINED_ROWS:
        raise RequestInvalid(f"At most {MAX_EXPLAINED_ROWS} rows are explained at a time")
    try:
        return explain(engine, encoded)
    except ExplanationRefused as refused:
        raise RequestInvalid(str(refused)) from None


def _warnings(read: _Read) -> bytes:
    if not read.encoded.warnings:
        return b',"warnings":[]'
    places = [_relocate(read.batch, place) for place in read.encoded.warnings]
    return b',"warnings":' + orjson.dumps([{"pointer": pointer, "detail": detail} for pointer, detail in places])


def _relocate(batch: Batch, place: FieldError) -> FieldError:
    """Name a place as the caller sees it: a body that is the row has no `rows/0` in it."""
    return FieldError(f"#{place.pointer[len(_ROW_POINTER) :]}", place.detail) if batch.is_single else place


def _write(granted: Granted, known: Answer, way: _Way, started: float) -> HotAnswer:
    note = log.current()
    found = granted.found
    if prediction_log.is_behind():
        log.note_degraded("log")
    times = tuple(round(seconds * 1e3, 3) for seconds in (*way.steps, time.perf_counter() - started))
    number, alias = found.version.number, found.alias
    body = b'{"id":"%b","model":"%b","version":%b,"alias":%b,%b,"timing":{%b}}' % (
        note.prediction_id.encode(),
        found.slug.encode(),
        b"null" if number is None else b"%d" % number,
        b"null" if alias is None else b'"%b"' % alias.encode(),
        known.content,
        b'"parse_ms":%.3f,"validate_ms":%.3f,"infer_ms":%.3f,"total_ms":%.3f' % times,
    )
    if len(body) > MAX_BODY_BYTES:
        raise BodyTooLarge(f"The answer would be above {MAX_BODY_BYTES / 1e6:.1f} MB. Send fewer rows at a time")
    cache = way.cache.decode()
    note.facts |= {"rows": known.rows, "cache": cache}
    timing = b"parse;dur=%.3f, validate;dur=%.3f, infer;dur=%.3f, total;dur=%.3f" % times

    async def after() -> None:
        if way.share:
            await way.share()
        await prediction_log.record(
            found,
            granted.caller,
            prediction_id=note.prediction_id,
            source=prediction_log.source_of(note.headers),
            row_count=known.rows,
            rows=lambda: way.batch().to_rows(),
            outputs=lambda: orjson.loads(b"{%b}" % known.content)["predictions"],
            parse_ms=times[0],
            infer_ms=times[2],
            total_ms=times[3],
            cache=cache,
        )

    return HotAnswer(body, [(b"x-rowcast-cache", way.cache), (b"server-timing", timing)], after)


async def _ask_shared(key: str) -> bytes | None:
    try:
        content = await kv.get(key)
    except Unavailable:
        log.note_degraded("kv")
        return None
    return content.encode() if content else None


async def _share(key: str, content: bytes) -> None:
    """Let other instances have an answer."""
    with suppress(Unavailable):
        await kv.put(key, content.decode(), SHARED_SECONDS)
