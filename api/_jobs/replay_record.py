"""A replay as its worker sees it: which versions, which rows, and what they showed. The only file with SQL about replays."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from api._jobs.record import Record

_READ = """
select replay.status, replay.attempt, replay.heartbeat_at, replay.row_limit, replay.model_id, replay.dataset_id,
  version.digest, version.card, against.digest as against_digest, against.card as against_card,
  dataset.filename, dataset.object_path, dataset.size_bytes, dataset.sha256
from public.replays as replay
join public.versions as version on version.id = replay.version_id
join public.versions as against on against.id = replay.against_id
left join public.datasets as dataset on dataset.id = replay.dataset_id
where replay.id = %s for update of replay
"""
_TAKE_UP = """
update public.replays set status = 'running', attempt = attempt + 1, heartbeat_at = now(), reason = null,
  started_at = coalesce(started_at, now())
where id = %s returning attempt
"""
_BEAT = """
update public.replays set heartbeat_at = now()
where id = %(id)s and attempt = %(attempt)s and status = 'running' returning id
"""
_SUCCEED = """
update public.replays set status = 'succeeded', heartbeat_at = null, finished_at = now(), result = %(result)s
where id = %(id)s and attempt = %(attempt)s and status = 'running' returning id
"""
_END = """
update public.replays set status = %(status)s, reason = %(why)s, attempt = attempt - %(give_back)s,
  heartbeat_at = null, finished_at = case when %(status)s = 'failed' then now() end
where id = %(id)s and attempt = %(attempt)s and status = 'running'
"""
_LOGGED = """
select prediction.at, element.value as row, actual.value as actual
from (
  select held.id, held.at, held.rows from public.predictions as held
  where held.model_id = %(model_id)s and held.rows is not null and held.status = 200
  order by held.at desc limit %(limit)s
) as prediction
cross join lateral jsonb_array_elements(prediction.rows) with ordinality as element (value, place)
left join public.actuals as actual on actual.prediction_id = prediction.id and actual.row_index = element.place - 1
where jsonb_typeof(element.value) = 'object'
order by prediction.at desc, element.place
limit %(limit)s
"""


@dataclass(frozen=True, slots=True)
class ReplayRow:
    """A row to be asked about again, and the truth where it is known."""

    row: dict[str, Any]
    actual: str | float | None = None
    at: datetime | None = None


class ReplayRecord(Record):
    """One attempt at one replay."""

    NOUN = "replay"
    MAX_ATTEMPTS = 3
    READ, TAKE_UP, END = _READ, _TAKE_UP, _END

    def list_logged(self) -> list[ReplayRow]:
        """Read the newest logged rows of the model, with what has turned out to be true since."""
        values = {"model_id": self.facts["model_id"], "limit": self.facts["row_limit"]}
        found = self._connection.execute(_LOGGED, values).fetchall()
        return [ReplayRow(each["row"], each["actual"], each["at"]) for each in found]

    def beat(self) -> None:
        """Show that somebody is at it. Raises RunLost when somebody else is."""
        self._execute(_BEAT)

    def succeed(self, result: dict[str, Any]) -> None:
        """End the replay with what it showed. Raises RunLost as `beat` does."""
        self._execute(_SUCCEED, result=Jsonb(result))
