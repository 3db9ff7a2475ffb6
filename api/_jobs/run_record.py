"""A run as its worker sees it: taking it up, noting what happens, ending it. The only file with SQL about runs.

Each write names the attempt it belongs to, so a worker that was thought dead and comes back cannot write any more.
The database numbers the events and notes the changes of status itself.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb

from api._jobs.connection import connect
from api._jobs.errors import RunLost, RunPostponed, RunRejected

MAX_ATTEMPTS = 3
STALE_AFTER = timedelta(seconds=10)
"""A running run whose heartbeat is older has no worker. Workers beat every two seconds."""

_TAKEN_OVER = "PT410"
_READ = """
select run.id, run.status, run.attempt, run.heartbeat_at, run.model_slug, run.title, run.description, run.target, run.options,
dataset.id as dataset_id, dataset.name as dataset_name, dataset.filename, dataset.object_path, dataset.size_bytes,
dataset.sha256, dataset.source, dataset.licence
from public.runs as run left join public.datasets as dataset on dataset.id = run.dataset_id
where run.id = %s for update of run
"""
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
update public.runs set status = %(status)s, message = %(message)s, reason = %(reason)s,
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


class RunRecord:
    """One attempt at one run, and the connection it is written over."""

    def __init__(self, connection: psycopg.Connection[dict[str, Any]], run_id: UUID) -> None:
        self.run_id = run_id
        self.attempt = 0
        self.facts: dict[str, Any] = {}
        self._connection = connection

    @classmethod
    @contextmanager
    def open(cls, run_id: UUID) -> Iterator["RunRecord"]:
        """Connect to the database for the time of one run."""
        record = cls(connect("run"), run_id)
        try:
            yield record
        finally:
            record._connection.close()

    def reconnect(self) -> None:
        """Replace a connection that broke."""
        self._connection.close()
        self._connection = connect("run")

    def ensure_connected(self) -> None:
        """Connect again where the connection broke."""
        if self._connection.broken:
            self.reconnect()

    def take_up(self) -> bool:
        """Make the run this worker's, in state running; False when there is nothing left to do.

        Raises:
            RunPostponed: another worker still shows signs of life.
        """
        with self._connection.transaction():
            facts = self._connection.execute(_READ, (self.run_id,)).fetchone()
            if facts is None or facts["status"] not in {"queued", "running"}:
                return False
            self.facts, self.attempt = facts, facts["attempt"]
            if facts["status"] == "running":
                if facts["heartbeat_at"] is not None and datetime.now(UTC) - facts["heartbeat_at"] < STALE_AFTER:
                    raise RunPostponed("Another worker is at it.")
                if self.attempt >= MAX_ATTEMPTS:
                    self.fail(f"The worker died {MAX_ATTEMPTS} times in the middle of this run.")
                    return False
                self._end("queued", "The worker died; starting again")
            row = self._connection.execute(_TAKE_UP, (self.run_id,)).fetchone()
            assert row is not None
            self.attempt = row["attempt"]
        return True

    def note(self, events: Sequence[Event] = (), *, progress: float = 0.0, message: str | None = None) -> None:
        """Write events and the heartbeat, in one statement.

        Raises:
            RunLost: the run was cancelled, deleted or taken up by another worker.
        """
        parameters = {
            "id": self.run_id,
            "attempt": self.attempt,
            "progress": progress,
            "message": message,
            "ats": [event.at for event in events],
            "kinds": [event.kind for event in events],
            "data": [json.dumps(event.data) for event in events],
        }
        if self._connection.execute(_NOTE, parameters).fetchone() is None:
            raise RunLost("The run was cancelled or taken up by another worker.")

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
            (self.run_id,),
        )
        return [row["digest"] for row in rows]

    @contextmanager
    def digest_lock(self, digest: str) -> Iterator[bool]:
        """Hold a digest for one transaction and tell whether some version has it.

        Uploading with registering, and removing, exclude each other: no artefact is taken away that another run is
        about to register. A worker that dies loses the lock with its connection.
        """
        with self._connection.transaction():
            self._connection.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", (digest,))
            query = "select exists (select from public.versions where digest = %s) as is_used"
            row = self._connection.execute(query, (digest,)).fetchone()
            assert row is not None
            yield row["is_used"]

    def register(self, digest: str, card: Mapping[str, Any], size_bytes: int) -> Version:
        """End the run with a certified version.

        Raises:
            RunLost: as in `note`; the registry is as before.
            RunRejected: the registry refuses it, for instance because the name was taken meanwhile.
        """
        call = "select id, number from public.register_version(%s, %s, %s, %s, %s)"
        arguments = (self.run_id, self.attempt, digest, Jsonb(card), size_bytes)
        try:
            row = self._connection.execute(call, arguments).fetchone()
        except psycopg.OperationalError:
            raise
        except psycopg.DatabaseError as error:
            said = error.diag.message_primary or "The registry refused the version."
            raise (RunLost if error.sqlstate == _TAKEN_OVER else RunRejected)(said) from error
        assert row is not None
        return Version(row["id"], row["number"])

    def fail(self, reason: str) -> None:
        """End the run as failed, with the reason its owner reads."""
        self._end("failed", "Failed", reason=reason)

    def give_back(self, message: str, *, is_counted: bool) -> None:
        """Put the run back to queued; an attempt that was only interrupted does not count."""
        self._end("queued", message, give_back=0 if is_counted else 1)

    def _end(self, status: str, message: str, *, reason: str | None = None, give_back: int = 0) -> None:
        self._connection.execute(
            _END,
            {
                "id": self.run_id,
                "attempt": self.attempt,
                "status": status,
                "message": message,
                "reason": reason,
                "give_back": give_back,
            },
        )
