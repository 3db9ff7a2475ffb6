"""A run as its worker sees it: noting what happens, registering what came of it. The only file with SQL about runs.

The database numbers the events and notes the changes of status itself.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb

from api._jobs.artefacts import digest_lock
from api._jobs.errors import RunLost, RunRejected
from api._jobs.record import Record

_TAKEN_OVER = "PT410"
_PLACE = re.compile(r"^[a-z_.]+: ")
"""Names the field of a request; whoever reads why a run ended has no request before them."""
_LOOK = """
select run.id, run.status, run.attempt, run.heartbeat_at, run.model_slug, run.title, run.description, run.target, run.options, run.kind,
dataset.corrections, dataset.id as dataset_id, dataset.name as dataset_name, dataset.filename, dataset.object_path, dataset.size_bytes,
dataset.sha256, dataset.source, dataset.licence
from public.runs as run left join public.datasets as dataset on dataset.id = run.dataset_id
where run.id = %s
"""
_READ = f"{_LOOK} for update of run"
_NOTE = """
with beat as (
  update public.runs set heartbeat_at = now(), last_seq = last_seq + cardinality(%(kinds)s::text[]),
    progress = greatest(progress, %(progress)s::real), message = coalesce(%(message)s::text, message)
  where id = %(id)s and attempt = %(attempt)s and status = 'running'
  returning last_seq - cardinality(%(kinds)s::text[]) as before
), noted as (
  insert into public.run_events (run_id, seq, at, kind, data)
  select %(id)s, beat.before + event.n, event.at, event.kind, event.data
  from beat, unnest(%(ats)s::timestamptz[], %(kinds)s::text[], %(data)s::jsonb[])
    with ordinality as event (at, kind, data, n)
)
select before from beat
"""
_TAKE_UP = """
update public.runs set status = 'running', attempt = attempt + 1, heartbeat_at = now(), message = 'Started',
  reason = null, progress = 0, started_at = coalesce(started_at, now())
where id = %s returning attempt
"""
_END = """
update public.runs set status = %(status)s,
  message = case %(status)s when 'failed' then 'Failed' else %(why)s end,
  reason = case %(status)s when 'failed' then %(why)s end,
  attempt = attempt - %(give_back)s, heartbeat_at = null,
  finished_at = case when %(status)s = 'failed' then now() end
where id = %(id)s and attempt = %(attempt)s and status = 'running'
"""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened, on its way to `run_events`."""

    kind: str
    data: Mapping[str, Any]
    at: datetime


@dataclass(frozen=True, slots=True)
class Version:
    """What registration made of a certified model."""

    id: UUID
    number: int


class RunRecord(Record):
    """One attempt at one run."""

    NOUN = "run"
    MAX_ATTEMPTS = 3
    READ, TAKE_UP, END = _READ, _TAKE_UP, _END

    def look(self) -> str:
        """Read how the run stands, without taking it up; "" when it is gone."""
        facts = self._connection.execute(_LOOK, (self.row_id,)).fetchone()
        if facts is None:
            return ""
        self.facts, self.attempt = facts, facts["attempt"]
        return str(facts["status"])

    def note(self, events: Sequence[Event] = (), *, progress: float = 0.0, message: str | None = None) -> None:
        """Write events and the heartbeat, in one statement.

        Raises:
            RunLost: the run was cancelled, deleted or taken up by another worker.
        """
        self._execute(
            _NOTE,
            progress=progress,
            message=message,
            ats=[event.at for event in events],
            kinds=[event.kind for event in events],
            data=[json.dumps(event.data) for event in events],
        )

    def note_table(self, rows: int, columns: int) -> None:
        """Keep with the dataset what reading it showed."""
        self._connection.execute(
            "update public.datasets set rows = %s, columns = %s where id = %s",
            (rows, columns, self.facts["dataset_id"]),
        )

    def noted_digests(self) -> list[str]:
        """List the digests that this or an earlier attempt set out to publish."""
        rows = self._connection.execute(
            "select distinct data ->> 'digest' as digest from public.run_events where run_id = %s and data ? 'digest'",
            (self.row_id,),
        )
        return [row["digest"] for row in rows]

    @contextmanager
    def digest_lock(self, digest: str) -> Iterator[bool]:
        """Hold a digest for one transaction and tell whether some version has it."""
        with digest_lock(self._connection, digest) as is_used:
            yield is_used

    def register(self, digest: str, card: Mapping[str, Any], size_bytes: int) -> Version:
        """End the run with a certified version.

        Raises:
            RunLost: as in `note`; the registry is as before.
            RunRejected: the registry refuses it, for instance because the name was taken meanwhile.
        """
        call = "select id, number from public.register_version(%s, %s, %s, %s, %s)"
        arguments = (self.row_id, self.attempt, digest, Jsonb(card), size_bytes)
        try:
            row = self._connection.execute(call, arguments).fetchone()
        except psycopg.OperationalError:
            raise
        except psycopg.DatabaseError as error:
            said = _PLACE.sub("", error.diag.message_primary or "The registry refused the version.")
            raise (RunLost if error.sqlstate == _TAKEN_OVER else RunRejected)(said) from error
        assert row is not None
        return Version(row["id"], row["number"])
