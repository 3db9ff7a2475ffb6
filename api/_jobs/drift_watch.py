"""Compares the last weeks of every served version with its training, once a day."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb

from api._jobs.connection import connect
from api._jobs.queue import CHORES_QUEUE, app
from api._lib import log
from models import drift
from models.contract import Card
from models.drift import Comparison, Reference

WATCHED_DAYS = 60
"""How far back windows are made."""

Connection = psycopg.Connection[dict[str, Any]]

_SERVED = """
    select version.id, version.card from public.versions as version
    where version.id in (select held.version_id from public.aliases as held)
      and exists (select from public.value_days as seen where seen.version_id = version.id and seen.day >= %s)
"""
_DAYS = """
    select day, feature, missing, counts, fine_counts from public.value_days
    where version_id = %s and day >= %s and day < %s order by feature, day
"""
_KEEP = """
    insert into public.drift_checks (version_id, model_id, feature, since, until, rows, distance, "limit", is_beyond)
    select version.id, version.model_id, %s, %s, %s, %s, %s, %s, %s from public.versions as version where version.id = %s
    on conflict on constraint drift_checks_pkey do update set
      since = excluded.since, rows = excluded.rows, distance = excluded.distance, "limit" = excluded."limit",
      is_beyond = excluded.is_beyond, checked_at = clock_timestamp()
"""


@dataclass(frozen=True)
class Window:
    """Whole days taken together until there are enough rows."""

    since: date
    until: date
    counts: Sequence[int]
    missing: int


@app.periodic(cron="20 0 * * *")
@app.task(name="watch_drift", queue=CHORES_QUEUE, queueing_lock="watch_drift")
async def watch_drift(timestamp: int) -> None:
    """Look at every version that an alias points at, soon after midnight (UTC), when the day is counted."""
    del timestamp
    await asyncio.to_thread(watch_all)


def watch_all(today: date | None = None) -> None:
    """Compare all served versions, with the days before `today` (by the database's clock)."""
    with connect("drift") as connection:
        if today is None:
            clock = connection.execute("select (now() at time zone 'utc')::date as today").fetchone()
            assert clock is not None
            today = clock["today"]
        start = today - timedelta(days=WATCHED_DAYS)
        for version in connection.execute(_SERVED, [start]).fetchall():
            try:
                with connection.transaction():
                    _watch(connection, version["id"], Card.model_validate(version["card"]), start, today)
            except Exception as error:  # noqa: BLE001  what is wrong with one version must not stop the watch over all
                log.exception("drift not watched", error, version_id=str(version["id"]))


def _watch(connection: Connection, version_id: UUID, card: Card, start: date, today: date) -> None:
    days: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in connection.execute(_DAYS, [version_id, start, today]).fetchall():
        days[row["feature"]].append(row)
    known = drift.references(card)
    states = {}
    for reference in known:
        windows = list(make_windows(reference, days[reference.feature]))
        compared = [drift.compare(reference, window.counts, window.missing, tests=len(known)) for window in windows]
        for window, comparison in zip(windows, compared, strict=True):
            connection.execute(
                _KEEP,
                [
                    reference.feature, window.since, window.until, comparison.rows, comparison.distance,
                    comparison.limit, comparison.is_beyond, version_id,
                ],
            )  # fmt: skip
        states[reference.feature] = _facts(drift.judge(compared), compared)
    connection.execute("select private.set_drift_states(%s, %s)", [version_id, Jsonb(states)])
    drifted = sorted(name for name, facts in states.items() if facts["state"] == "drifted")
    log.info("drift watched", version_id=str(version_id), features=len(states), drifted=len(drifted))


def make_windows(reference: Reference, days: Iterable[dict[str, Any]]) -> Iterable[Window]:
    """Take days together, in their order, until each window has enough rows; what is left over waits for more days."""
    since: date | None = None
    counts: list[int] = []
    missing = 0
    for row in days:
        cells = row["fine_counts"] if reference.is_fine else row["counts"]
        if since is None:
            since, counts, missing = row["day"], [0] * len(cells), 0
        counts = [one + other for one, other in zip(counts, cells, strict=True)]
        missing += row["missing"]
        if sum(counts) + missing >= drift.MIN_ROWS:
            yield Window(since, row["day"] + timedelta(days=1), counts, missing)
            since = None


def _facts(state: drift.State, compared: Sequence[Comparison]) -> dict[str, Any]:
    last = compared[-1] if compared else None
    return {
        "state": state,
        "rows": last.rows if last else 0,
        "distance": last.distance if last else None,
        "limit": last.limit if last else None,
    }
