"""From the bytes of a question to the bytes of an answer, by the shortest way that is known.

The same bytes were asked of the same version before: the answer is in memory. The same row was asked in other words: it
is in memory by what the model sees of it. Another instance answered it: it is in the shared store, which is asked only
where working it out costs more than the trip. Else: read, coerce, run, write.
"""

import asyncio
import hashlib
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

import orjson

from api._lib import answers, engines, kv, log, turns
from api._lib.answers import Answer
from api._lib.averages import Average
from api._lib.bodies import Batch
from api._lib.errors import RequestInvalid, Unavailable
from api._lib.hot import HotAnswer
from api._lib.memory import remember
from api._lib.places import refuse_rows
from api._lib.questions import Question
from api._lib.serving import INLINE_SECONDS, Granted
from api._lib.told import REMEMBERED, Way, write
from models.encoding import Encoded
from models.errors import ExplanationRefused, FieldError, InvalidRows
from models.runtime import OnnxModel

MAX_EXPLAINED_ROWS = 10
SHARED_ROWS = 64
SHARED_SECONDS = 7 * 24 * 3600
ROW_PAYS_SECONDS = 250e-6
"""Finding a row by what the model sees of it takes 5 µs by itself and several times that in a busy server, and few rows come
again in other words: below this, running the model again is as good."""

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


_HEADS = {task: b'"task":"%b","predictions":' % task.encode() for task in ("binary", "multiclass", "regression")}
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
        return write(granted, question, known, REMEMBERED, started)
    engine = engines.peek(digest) or await engines.find(digest)
    is_long = question.is_long
    if is_long:
        read = await asyncio.to_thread(_read, question, engine)
    else:
        read = _read(question, engine)
    made = await _work_out(engine, digest, question, read, is_long=is_long)
    return write(granted, question, *_put_together(key, engine, read, made), started)


async def answer_at_once(digest: str, question: Question) -> tuple[Answer, Way] | None:
    """Find or make the answer to a short question that is not to be explained; None if that might keep others waiting.

    Raises:
        ApiError, InvalidRows: it cannot be read or does not fit the model.
    """
    key = (digest, question.kind, question.content)
    if known := answers.find(key):
        return known, REMEMBERED
    engine, cost = engines.peek(digest), _cost_of(digest, question)
    seconds = cost.value
    if engine is None or seconds >= ROW_PAYS_SECONDS:
        return None
    began = time.perf_counter()
    batch = question.read()
    parsed = time.perf_counter()
    rows = batch.rows
    if rows is not None and len(rows) == 1 and seconds:
        company, row = turns.company_of(engine, cost), rows[0]
        together = company.join(row)
        found = company.run_one(row) if together is None else await together
        read = _Read(batch, found.encoded, began, parsed, found.validated)
        return _put_together(key, engine, read, _Made(found.predictions, b"", b"miss"))
    read = _encode(engine, batch, began, parsed)
    if seconds * len(read.encoded.numeric) >= ROW_PAYS_SECONDS:
        return None
    return _put_together(key, engine, read, _predict(engine, question, read, cost))


def _put_together(key: answers.Key, engine: OnnxModel, read: _Read, made: _Made) -> tuple[Answer, Way]:
    """Keep an answer, and tell how it was come by."""
    done = time.perf_counter()
    parsed = b"%.3f" % ((read.parsed - read.began) * 1e3)
    validated = b"%.3f" % ((read.validated - read.parsed) * 1e3)
    inferred = b"%.3f" % ((done - read.validated) * 1e3)
    tail = made.explanations + (_warnings(read) if read.encoded.warnings else _NO_WARNINGS)
    complete = Answer(_HEADS[engine.card.task], made.predictions, tail, len(read.encoded.numeric), read.batch.sent)
    is_kept = answers.keep(key, complete)
    way = Way(
        made.cache if is_kept or made.cache != b"miss" else b"skip",
        b'"parse_ms":%b,"validate_ms":%b,"infer_ms":%b' % (parsed, validated, inferred),
        b"parse;dur=%b, validate;dur=%b, infer;dur=%b" % (parsed, validated, inferred),
        partial(_share, made) if made.shared_key else None,
    )
    return complete, way


async def _work_out(engine: OnnxModel, digest: str, question: Question, read: _Read, *, is_long: bool) -> _Made:
    """Find or make what the model says to a coerced question."""
    rows = len(read.encoded.numeric)
    cost = _cost_of(digest, question)
    estimate = cost.value * rows
    if (estimate >= ROW_PAYS_SECONDS and rows <= SHARED_ROWS) or question.is_explained:
        return await _look_up(engine, digest, question, read, cost)
    if is_long or estimate > INLINE_SECONDS:
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
    return _encode(engine, batch, began, time.perf_counter())


def _encode(engine: OnnxModel, batch: Batch, began: float, parsed: float) -> _Read:
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
        predictions = engine.write(engine.run(read.encoded))
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
