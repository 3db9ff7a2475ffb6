"""The queue: is anybody working, does anything wait too long, was anything left behind."""

from collections.abc import Iterator
from typing import Any

from api._commands.doctor.finding import Finding, fail, ok, skip, warn
from api._commands.doctor.subject import Away, Subject

LONG_WAIT_SECONDS = 120
STALLED_SECONDS = 60
"""A worker shows itself every five seconds; workers themselves take a job over after fifteen."""

_STATE = """
select
  (select count(*) from procrastinate.procrastinate_jobs where status = 'todo') as waiting,
  (select extract(epoch from now() - min(e.at)) from procrastinate.procrastinate_jobs j
     join procrastinate.procrastinate_events e on e.job_id = j.id and e.type = 'deferred'
     where j.status = 'todo' and coalesce(j.scheduled_at, now()) <= now()) as oldest,
  (select count(*) from procrastinate.procrastinate_jobs j
     left join procrastinate.procrastinate_workers w on w.id = j.worker_id
     where j.status = 'doing' and (w.id is null or w.last_heartbeat < now() - make_interval(secs => %(stalled)s))
  ) as stalled,
  (select count(*) from procrastinate.procrastinate_jobs where status = 'failed') as failed,
  (select extract(epoch from now() - max(last_heartbeat)) from procrastinate.procrastinate_workers) as seen,
  (select count(*) from public.deliveries where state in ('pending', 'failed')
     and next_attempt_at < now() - make_interval(secs => %(long)s)) as undelivered
"""


def check_queue(subject: Subject) -> Iterator[Finding]:
    """Look at what waits and who works."""
    import psycopg

    try:
        with subject.database() as connection:
            row = connection.execute(_STATE, {"stalled": STALLED_SECONDS, "long": LONG_WAIT_SECONDS}).fetchone()
    except Away as away:
        yield skip("queue", str(away))
        return
    except psycopg.Error as error:
        said = error.diag.message_primary or str(error).splitlines()[0]
        yield fail("queue", f"cannot be read: {said}", fix="./rowcast deploy migrate installs it")
        return
    assert row is not None
    yield _check_jobs(row, subject)
    yield _check_worker(row, subject)


def _check_jobs(row: dict[str, Any], subject: Subject) -> Finding:
    start = _how_to_start(subject)
    if row["stalled"]:
        return fail(
            "queue", f"{row['stalled']} jobs are held by a worker that has gone", fix=f"{start}; it takes them over"
        )
    if row["oldest"] is not None and row["oldest"] > LONG_WAIT_SECONDS:
        return fail(
            "queue", f"{row['waiting']} jobs wait, the oldest for {_long(row['oldest'])}: nobody takes them", fix=start
        )
    if row["undelivered"]:
        return warn("queue", f"{row['undelivered']} webhooks are overdue", fix=f"{start}, or let /api/cron be called")
    return ok("queue", f"{row['waiting']} jobs wait, none is stalled")


def _check_worker(row: dict[str, Any], subject: Subject) -> Finding:
    seen = row["seen"]
    if seen is not None and seen <= STALLED_SECONDS:
        return ok("worker", f"showed itself {seen:.0f} s ago")
    said = "no worker runs" if seen is None else f"no worker has shown itself for {_long(seen)}"
    if subject.kind == "embedded":
        return fail("worker", said, fix="./rowcast worker runs one; ./rowcast logs worker tells why it ended")
    # Without a long-lived worker, Actions drains the queue when something is in it: then silence is no fault.
    return ok("worker", f"{said}; nothing needs one at the moment") if not row["waiting"] else warn(
        "worker", f"{said}, and {row['waiting']} jobs wait", fix=_how_to_start(subject)
    )  # fmt: skip


def _how_to_start(subject: Subject) -> str:
    if subject.kind == "embedded":
        return "./rowcast worker runs one more worker"
    return "gh workflow run train.yml drains the queue once; ./rowcast worker does where there is a CPU"


def _long(seconds: float) -> str:
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.0f} hours"  # noqa: PLR2004
