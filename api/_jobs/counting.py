"""Counts what the log took in: traffic by the hour in SQL, values by the day through the model's card.

Each prediction is counted once: the names of what is new are taken and the counts are raised in one transaction.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

import orjson
import psycopg
from psycopg.types.json import set_json_loads
from pydantic import ValidationError

from api._jobs.connection import connect
from api._jobs.queue import CHORES_QUEUE, app
from api._lib import log
from models import tally
from models.contract import Card
from models.encoding import RowEncoder
from models.errors import InvalidRows
from models.tally import OUTPUT, Tally

BATCHES_AT_ONCE = 50
"""Batches of the log per transaction: some thousand predictions, a second's work."""

Connection = psycopg.Connection[dict[str, Any]]

_TAKE = """
    delete from private.uncounted
    where id in (select waiting.id from private.uncounted as waiting order by waiting.id limit %s for update skip locked)
    returning prediction_ids
"""
_READ = """
    select version_id, model_id, (at at time zone 'utc')::date as day, rows, outputs
    from public.predictions where id = any (%s) and outputs is not null
"""
_ADD = """
    insert into public.value_days as held (
      model_id, version_id, day, feature, seen, missing, unseen, counts, fine_counts, confidence
    )
    values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
    on conflict (model_id, version_id, day, feature) do update set
      seen = held.seen + excluded.seen,
      missing = held.missing + excluded.missing,
      unseen = held.unseen + excluded.unseen,
      counts = private.add_counts(held.counts, excluded.counts),
      fine_counts = private.add_counts(held.fine_counts, excluded.fine_counts),
      confidence = held.confidence + excluded.confidence
"""


class _Group(NamedTuple):
    """Predictions that are counted together."""

    model_id: UUID
    version_id: UUID
    day: date


class _Reader(NamedTuple):
    card: Card
    encoder: RowEncoder


@app.periodic(cron="* * * * *")
@app.task(name="count_predictions", queue=CHORES_QUEUE, queueing_lock="count_predictions")
async def count_predictions(timestamp: int) -> None:
    """Count what was logged since the last time; every minute, one worker at a time."""
    del timestamp
    await asyncio.to_thread(count_all)


def count_all() -> int:
    """Count everything that waits and return how many predictions that were."""
    total = 0
    with connect("counting") as connection:
        set_json_loads(orjson.loads, connection)
        while counted := _count_some(connection):
            total += counted
    if total:
        log.info("predictions counted", count=total)
    return total


def _count_some(connection: Connection) -> int:
    with connection.transaction():
        # The same rows of counts are raised by everybody: one after the other, or they would wait for each other.
        locked = connection.execute(
            "select pg_try_advisory_xact_lock(hashtext('count predictions')) as is_mine"
        ).fetchone()
        if locked is None or not locked["is_mine"]:
            return 0
        taken = connection.execute(_TAKE, [BATCHES_AT_ONCE]).fetchall()
        ids = [each for row in taken for each in row["prediction_ids"]]
        if not ids:
            return 0
        connection.execute("select private.count_traffic(%s)", [ids])
        added = list(_rows_to_add(connection, connection.execute(_READ, [ids]).fetchall()))
        with connection.cursor() as cursor:
            cursor.executemany(_ADD, added)
    return len(ids)


def _rows_to_add(connection: Connection, predictions: Iterable[dict[str, Any]]) -> Iterator[tuple[Any, ...]]:
    """Tally predictions by version and day."""
    groups: dict[_Group, list[dict[str, Any]]] = defaultdict(list)
    for row in predictions:
        groups[_Group(row["model_id"], row["version_id"], row["day"])].append(row)
    for group, logged in sorted(groups.items()):
        reader = _reader_of(connection, group.version_id)
        if reader is None:
            continue
        try:
            tallies = _tally(reader, logged)
        except Exception as error:  # noqa: BLE001  what is wrong with one version must not stop the counting of all
            log.exception("predictions not counted", error, version_id=str(group.version_id), count=len(logged))
            continue
        for name, counted in tallies.items():
            yield (
                *group, name, counted.seen, counted.missing, counted.unseen,
                counted.counts.tolist(), counted.fine_counts.tolist(), counted.confidence,
            )  # fmt: skip


def _tally(reader: _Reader, logged: Sequence[dict[str, Any]]) -> dict[str, Tally]:
    tallies = _tally_said(reader, [output for prediction in logged for output in prediction["outputs"]])
    rows = [row for prediction in logged for row in prediction["rows"] or ()]
    if not rows:
        return tallies
    try:
        return tallies | tally.tally_inputs(reader.card, reader.encoder.encode(rows))
    except InvalidRows:
        return tallies | _tally_apart(reader, rows)


def _tally_said(reader: _Reader, outputs: Sequence[Any]) -> dict[str, Tally]:
    """Tally what was answered; an answer of another form is left out: one such row must not stop the counting of all."""
    known = [output for output in outputs if _is_answer(reader.card, output)]
    if len(known) < len(outputs):
        log.warning("logged answers left out of the counts", count=len(outputs) - len(known))
    said = tally.tally_outputs(reader.card, known) if known else None
    return {OUTPUT: said} if said else {}


def _is_answer(card: Card, output: Any) -> bool:
    if not isinstance(output, dict):
        return False
    if card.task == "regression":
        return isinstance(output.get("value"), int | float)
    probabilities = output.get("probabilities")
    return isinstance(probabilities, dict) and isinstance(probabilities.get(output.get("label")), int | float)


def _tally_apart(reader: _Reader, rows: Sequence[Any]) -> dict[str, Tally]:
    """Tally rows one by one, without those that cannot be read any more: a log may hold what was accepted long ago."""
    tallies: dict[str, Tally] = {}
    for row in rows:
        try:
            encoded = reader.encoder.encode([row])
        except InvalidRows:
            continue
        for name, counted in tally.tally_inputs(reader.card, encoded).items():
            tallies[name] = tally.add(tallies.get(name), counted)
    return tallies


_readers: dict[UUID, _Reader | None] = {}


def _reader_of(connection: Connection, version_id: UUID) -> _Reader | None:
    """Return what reads the rows of a version; None if its card is of a format that is not known here."""
    if version_id not in _readers:
        if len(_readers) >= 200:  # noqa: PLR2004  cards of 50 kB
            _readers.clear()
        found = connection.execute("select card from public.versions where id = %s", [version_id]).fetchone()
        try:
            card = Card.model_validate(found["card"]) if found else None
        except ValidationError as error:
            log.warning("card not read", version_id=str(version_id), reason=str(error.errors()[0]["msg"]))
            card = None
        _readers[version_id] = _Reader(card, RowEncoder(card)) if card else None
    return _readers[version_id]
