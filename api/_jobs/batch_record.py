"""A batch as its worker sees it: noting what is done, ending it. The only file with SQL about batches."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
from uuid_utils import uuid7

from api._jobs.record import Record

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
update public.batches set status = %(status)s, reason = %(why)s, attempt = attempt - %(give_back)s,
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


class BatchRecord(Record):
    """One attempt at one batch."""

    NOUN = "batch"
    MAX_ATTEMPTS = 5
    READ, TAKE_UP, END = _READ, _TAKE_UP, _END

    def __init__(self, connection: psycopg.Connection[dict[str, Any]], row_id: UUID) -> None:
        super().__init__(connection, row_id)
        self.progress = Progress()

    def take_up(self) -> bool:
        """Make the batch this worker's, and go on where the one before it stopped."""
        is_ours = super().take_up()
        if facts := self.facts:
            self.progress = Progress(facts["rows_total"] or 0, facts["rows_done"], facts["rows_failed"], facts["parts"])
        return is_ours

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
