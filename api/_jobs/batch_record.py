"""A batch as its worker sees it: taking it up, noting what is done, ending it. The only file with SQL about batches.

Each write names the attempt it belongs to, so a worker that was thought dead and comes back cannot write any more.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from uuid_utils import uuid7

from api._jobs.connection import connect
from api._jobs.errors import RunLost, RunPostponed

MAX_ATTEMPTS = 5
STALE_AFTER = timedelta(seconds=10)
"""A running batch whose heartbeat is older may be taken up; its part was written or lost by then."""

_READ = """
select batch.status, batch.attempt, batch.heartbeat_at, batch.rows_total, batch.rows_done, batch.rows_failed, batch.parts,
  coalesce(batch.created_by::text, 'rowcast') || '/' || batch.id as folder,
  dataset.id as dataset_id, dataset.filename, dataset.object_path, dataset.size_bytes, dataset.sha256,
  version.digest, version.card
from public.batches as batch
join public.versions as version on version.id = batch.version_id
left join public.datasets as dataset on dataset.id = batch.dataset_id
where batch.id = %s for update of batch
"""
_TAKE_UP = """
update public.batches set status = 'running', attempt = attempt + 1, heartbeat_at = now(), reason = null,
  started_at = coalesce(started_at, now())
where id = %s returning attempt
"""
_NOTE = """
update public.batches set heartbeat_at = now(), rows_total = %(rows_total)s, rows_done = %(rows_done)s,
  rows_failed = %(rows_failed)s, parts = %(parts)s
where id = %(id)s and attempt = %(attempt)s and status = 'running' returning id
"""
_SUCCEED = """
with ended as (
  update public.batches set status = 'succeeded', heartbeat_at = null, finished_at = now(), rows_done = rows_total,
    rows_failed = %(rows_failed)s, result_path = %(path)s, result_bytes = %(size)s, result_sha256 = %(sha256)s
  where id = %(id)s and attempt = %(attempt)s and status = 'running'
  returning *
)
insert into public.predictions
  (id, model_id, version_id, at, source, caller_kind, caller_id, row_count, total_ms)
select %(log_id)s, model_id, version_id, finished_at, 'batch', case when created_by is null then 'house' else 'user' end,
  created_by, rows_total, extract(epoch from finished_at - started_at) * 1000
from ended returning id
"""
_END = """
update public.batches set status = %(status)s, reason = %(reason)s, attempt = attempt - %(give_back)s,
  heartbeat_at = null, finished_at = case when %(status)s = 'failed' then now() end
where id = %(id)s and attempt = %(attempt)s and status = 'running'
"""


@dataclass(slots=True)
class Progress:
    """How far a batch is. Rows that are done are in parts that Storage has."""

    rows_total: int = 0
    rows_done: int = 0
    rows_failed: int = 0
    parts: int = 0


class BatchRecord:
    """One attempt at one batch, and the connection it is written over."""

    def __init__(self, connection: psycopg.Connection[dict[str, Any]], batch_id: UUID) -> None:
        self.batch_id = batch_id
        self.attempt = 0
        self.facts: dict[str, Any] = {}
        self.progress = Progress()
        self._connection = connection

    @classmethod
    @contextmanager
    def open(cls, batch_id: UUID) -> Iterator["BatchRecord"]:
        """Connect to the database for the time of one batch."""
        record = cls(connect("batch"), batch_id)
        try:
            yield record
        finally:
            record._connection.close()

    def ensure_connected(self) -> None:
        """Connect again where the connection broke."""
        if self._connection.broken:
            self._connection.close()
            self._connection = connect("batch")

    def take_up(self) -> bool:
        """Make the batch this worker's, in state running; False when there is nothing left to do.

        Raises:
            RunPostponed: another worker still shows signs of life.
        """
        with self._connection.transaction():
            facts = self._connection.execute(_READ, (self.batch_id,)).fetchone()
            if facts is None:
                return False
            self.facts, self.attempt = facts, facts["attempt"]
            self.progress = Progress(facts["rows_total"] or 0, facts["rows_done"], facts["rows_failed"], facts["parts"])
            if facts["status"] not in {"queued", "running"}:
                return False
            if facts["status"] == "running":
                if facts["heartbeat_at"] is not None and datetime.now(UTC) - facts["heartbeat_at"] < STALE_AFTER:
                    raise RunPostponed("Another worker is at it.")
                if self.attempt >= MAX_ATTEMPTS:
                    self.fail(f"The worker died {MAX_ATTEMPTS} times in the middle of this batch.")
                    return False
            row = self._connection.execute(_TAKE_UP, (self.batch_id,)).fetchone()
            assert row is not None
            self.attempt = row["attempt"]
        return True

    def part(self, number: int) -> str:
        """Name the object of one part of the result."""
        return f"{self.facts['folder']}/parts/{number:06d}.csv"

    def note(self) -> None:
        """Write the progress and the heartbeat.

        Raises:
            RunLost: the batch was cancelled or taken up by another worker.
        """
        held = self.progress
        values = {
            "rows_total": held.rows_total,
            "rows_done": held.rows_done,
            "rows_failed": held.rows_failed,
            "parts": held.parts,
        }
        self._execute(_NOTE, **values)

    def succeed(self, path: str, *, size: int, sha256: str) -> None:
        """End the batch with its result, and log it as one prediction of many rows, in one transaction.

        Raises:
            RunLost: as in `note`.
        """
        failed = self.progress.rows_failed
        self._execute(_SUCCEED, path=path, size=size, sha256=sha256, rows_failed=failed, log_id=str(uuid7()))

    def fail(self, reason: str) -> None:
        """End the batch as failed, with the reason its owner reads."""
        self._end("failed", reason)

    def give_back(self, reason: str | None, *, is_counted: bool) -> None:
        """Put the batch back to queued; an attempt that was only interrupted does not count."""
        self._end("queued", reason, give_back=0 if is_counted else 1)

    def _execute(self, statement: str, **values: Any) -> None:
        named = {"id": self.batch_id, "attempt": self.attempt, **values}
        if self._connection.execute(statement, named).fetchone() is None:
            raise RunLost("The batch was cancelled or taken up by another worker.")

    def _end(self, status: str, reason: str | None, *, give_back: int = 0) -> None:
        values = {"id": self.batch_id, "attempt": self.attempt, "status": status, "reason": reason}
        self._connection.execute(_END, {**values, "give_back": give_back})
