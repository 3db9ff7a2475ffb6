"""From a message to its answer, once.

The message is claimed by its id before any work; then mapped, predicted, and completed in one transaction with all that it
causes. Whoever comes with the same id meanwhile is sent away, afterwards gets the stored answer. A process that dies on
the way leaves a claim that another one may take over once its lease is over. What cannot be used is given back.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

import orjson

from api._lib import engines, hook_counts, hook_doors, log, prediction_log, registry, serving
from api._lib.errors import ApiError, Conflict, DeliveryChanged, NotAllowed, Unavailable
from api._lib.hook_doors import Door
from api._lib.hook_mapping import WRITTEN_COLUMNS, Mapped, Mapper
from api._lib.hook_payloads import Delivery, is_unchanged, why_ignored
from api._lib.hot import HotAnswer
from api._lib.idempotency import REPLAYED
from api._lib.places import refuse_rows
from api._lib.store import hooks as store
from models.encoding import row_pointer
from models.errors import FieldError, InvalidRows
from models.runtime import OnnxModel, Prediction

LEASE_SECONDS = 30
WORK_SECONDS = 20
"""Well within the lease: who is late has stopped before another process takes over."""

_REPLAYED = (REPLAYED.encode(), b"true")


class _Claim(NamedTuple):
    id: str
    attempt: int
    prediction_id: str


class Said(NamedTuple):
    """What the model says to mapped rows."""

    predictions: list[Prediction]
    warnings: list[dict[str, str]]


class _Ignored(Exception):
    """The change asks for no prediction; the reason is the text."""


async def answer(hook_id: str, body: bytes) -> HotAnswer:
    """Answer one message.

    Raises:
        ApiError: it is refused, or cannot be answered now. The refusal is counted, nothing else of it is kept.
    """
    started = time.perf_counter()
    door = await hook_doors.find(hook_id)
    try:
        delivery = await hook_doors.receive(door, body)
        return await _answer_once(door, delivery, len(body), started)
    except _Ignored as ignored:
        hook_counts.add(hook_id, ignored=1)
        return HotAnswer(orjson.dumps({"ignored": str(ignored)}), [])
    except ApiError as error:
        if error.status < Unavailable.status and not isinstance(error, Conflict):
            hook_counts.add(hook_id, refused=1, reason=f"{error.code}: {error.detail}")
        raise


async def _answer_once(door: Door, delivery: Delivery, size: int, started: float) -> HotAnswer:
    if reason := why_ignored(delivery.payload, door.markers):
        raise _Ignored(reason)
    if door.mode == "write_back" and not door.key_columns:
        raise Conflict(f"This hook may not write to {door.table!r} yet: apply the migration of that table")
    claim = await _claim(door, delivery)
    if isinstance(claim, HotAnswer):
        return claim
    try:
        async with asyncio.timeout(WORK_SECONDS):
            return await _carry_out(door, delivery, claim, size, started)
    except TimeoutError:
        await _release(claim)
        raise Unavailable("The work on this message took too long") from None
    except Exception:
        await _release(claim)
        raise


async def _claim(door: Door, delivery: Delivery) -> _Claim | HotAnswer:
    """Claim a delivery, or return the answer that it had before."""
    held = await store.claim(
        hook_id=door.hook_id,
        delivery_id=delivery.delivery_id,
        payload_hash=delivery.payload_hash,
        event=delivery.event,
        prediction_id=log.current().prediction_id,
        lease_seconds=LEASE_SECONDS,
        keep_seconds=delivery.keep_seconds,
    )
    match held["state"]:
        case "claimed":
            return _Claim(held["id"], held["attempt"], held["prediction_id"])
        case "answered":
            return HotAnswer(held["answer"].encode(), [_REPLAYED])
        case "changed":
            raise DeliveryChanged(delivery.delivery_id)
        case "running":
            raise Conflict("This delivery is being worked on; ask again", headers={"retry-after": "2"})
    raise NotAllowed("This hook is disabled")


async def _release(claim: _Claim) -> None:
    """Give the claim back; if that cannot be done, its lease ends."""
    with suppress(ApiError):
        await store.release(claim.id, claim.attempt)


async def _carry_out(door: Door, delivery: Delivery, claim: _Claim, size: int, started: float) -> HotAnswer:
    found = await registry.resolve(door.reference, door.owner)
    log.note(model=found.slug, version=found.version.number, hook=door.hook_id)
    engine = engines.peek(found.version.digest) or await engines.find(found.version.digest)
    mapper = mapper_of(door, engine)
    if is_unchanged(delivery.payload, mapper, door.markers):
        raise _Ignored("nothing that the model reads has changed")
    mapped = mapper.apply(delivery.payload)
    began = time.perf_counter()
    said = await serving.work(size, partial(predict, engine, mapper, mapped))
    done_at = time.perf_counter()
    total_ms = round((done_at - started) * 1e3, 3)
    entry = prediction_log.Entry(
        prediction_log.names_of(found, door.owner),
        claim.prediction_id,
        "hook",
        len(mapped.rows),
        orjson.dumps({"infer_ms": round((done_at - began) * 1e3, 3), "total_ms": total_ms})[1:-1],
        prediction_log.write_cells(lambda: mapped.rows) if prediction_log.keeps_rows(found, len(mapped.rows)) else None,
        prediction_log.write_cells(lambda: said.predictions),
    )
    done = {
        "id": claim.id,
        "attempt": claim.attempt,
        "version": found.version.number,
        "row_count": len(mapped.rows),
        "answer": _write(found, engine, claim, delivery, mapped, said).decode(),
        "total_ms": total_ms,
        "writes": write_backs(mapped.keys, said.predictions, found.version.number),
    }
    ended = await store.complete(done, prediction_log.write_entry(entry, time.time()))
    if ended["state"] != "answered":
        raise Conflict("Another process took this delivery over; ask again", headers={"retry-after": "2"})
    return HotAnswer(ended["answer"].encode(), [])


def mapper_of(door: Door, engine: OnnxModel) -> Mapper:
    """Read a hook's mapping for the version that answers."""
    written = [f"{door.prefix}{column}" for column in WRITTEN_COLUMNS] if door.mode == "write_back" else ()
    return Mapper(door.mapping, engine.card, key_columns=door.key_columns, written=written)


def predict(engine: OnnxModel, mapper: Mapper, mapped: Mapped) -> Said:
    """Ask the model about mapped rows; what does not fit is named by its place in the payload.

    Raises:
        RowsInvalid: some cells do not fit the model.
    """
    places = {
        row_pointer(index, name): mapper.place_of(name, place)
        for index, place in enumerate(mapped.places)
        for name in ("", *mapper.features)
    }

    def relocate(error: FieldError) -> FieldError:
        return error._replace(pointer=places.get(error.pointer, error.pointer))

    try:
        encoded = engine.encode(mapped.rows)
        predictions = engine.decode(engine.run(encoded))
    except InvalidRows as refused:
        refuse_rows(refused.errors, relocate)
    warnings = [relocate(warning) for warning in encoded.warnings]
    return Said(predictions, [{"pointer": place, "detail": detail} for place, detail in warnings])


def write_backs(
    keys: Sequence[Mapping[str, Any]], predictions: Sequence[Prediction], version: int | None
) -> list[dict[str, Any]]:
    """Say what is written into which row: the label and its probability, or the value of a regression."""
    return [
        {"key": key, **_columns(prediction), "version": version}
        for key, prediction in zip(keys, predictions, strict=bool(keys))
    ]


def _columns(prediction: Prediction) -> dict[str, Any]:
    if "label" in prediction:
        return {"label": prediction["label"], "score": prediction["probabilities"][prediction["label"]]}
    return {"label": None, "score": prediction["value"]}


def _write(
    found: registry.Found, engine: OnnxModel, claim: _Claim, delivery: Delivery, mapped: Mapped, said: Said
) -> bytes:
    told: dict[str, Any] = {
        "id": claim.prediction_id,
        "delivery_id": delivery.delivery_id,
        "model": found.slug,
        "version": found.version.number,
        "alias": found.alias,
        "task": engine.card.task,
        "predictions": said.predictions,
        "warnings": said.warnings,
    }
    if mapped.keys:
        told["keys"] = mapped.keys
    return orjson.dumps(told)
