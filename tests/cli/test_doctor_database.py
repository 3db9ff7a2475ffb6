"""Faults planted in the real database and Storage: the doctor finds each and names what puts it right."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version

import httpx
import pytest

from api._commands.doctor.subject import Subject
from api._stack.migrations import MIGRATIONS
from tests.cli.examining import hosted, look
from tests.conftest import RunningStack


@contextmanager
def planted(stack: RunningStack, plant: str, undo: str) -> Iterator[None]:
    """Do harm to the real database, and take it back."""
    with stack.connect() as connection:
        connection.execute(plant.encode())
    try:
        yield
    finally:
        with stack.connect() as connection:
            connection.execute(undo.encode())


WIDE = """
create policy "all" on public.datasets for select to authenticated using (true);
insert into public.datasets (owner_id, name, filename) values (null, 'doctor', 'doctor.csv')
"""
NARROW = """
drop policy "all" on public.datasets;
delete from public.datasets where name = 'doctor'
"""
OLD_JOB = """
insert into procrastinate.procrastinate_jobs (queue_name, task_name, args) values ('doctor', 'none', '{}');
update procrastinate.procrastinate_events as e set at = now() - interval '3 hours'
from procrastinate.procrastinate_jobs as j where j.id = e.job_id and j.queue_name = 'doctor';
"""
LOST_JOB = """
insert into procrastinate.procrastinate_jobs (queue_name, task_name, args, status)
values ('doctor', 'none', '{}', 'doing')
"""
NO_JOB = "delete from procrastinate.procrastinate_jobs where queue_name = 'doctor'"
LAST = max(path.stem.partition("_")[0] for path in MIGRATIONS.glob("*.sql"))

DATABASE_FAULTS = {
    "security": (
        "security",
        (
            "alter table public.api_keys disable row level security; revoke select on public.hooks from authenticated; "
            f"grant select on public.models to anon; grant select on public.runs to anon; {WIDE}"
        ),
        (
            "alter table public.api_keys enable row level security; grant select on public.hooks to authenticated; "
            "revoke select on public.models, public.runs from anon; grant select (id, slug, title, description, task, "
            f"target, visibility, created_at, updated_at, keep_inputs, archived_at) on public.models to anon; {NARROW}"
        ),
        {
            "row security": ("off for public.api_keys", "alter table public.api_keys enable row level security"),
            "rights of authenticated": ("select on public.hooks", "grant select on public.hooks to authenticated"),
            "rights of anon": ("select on public.models", "revoke select on public.models from anon"),
            "visitors": ("may read runs", "revoke select on table public.runs from anon"),
            "strangers": ("public.datasets", "drop the one that no migration makes"),
        },
    ),
    "dropped trigger": (
        "triggers",
        "drop trigger queue_run on public.runs",
        "create trigger queue_run after insert on public.runs for each row execute function private.queue_run()",
        {
            "triggers": ("missing: queue_run on public.runs", "create trigger queue_run"),
            "run trigger": ("no job is queued", "make the trigger of runs again"),
        },
    ),
    "silent trigger": (
        "triggers",
        "alter table public.audit_log disable trigger refuse_truncate",
        "alter table public.audit_log enable trigger refuse_truncate",
        {
            "triggers": (
                "switched off: refuse_truncate",
                "alter table public.audit_log enable trigger refuse_truncate",
            ),
            "append only": ("can be emptied", "refuse_truncate"),
        },
    ),
    "old job": ("queue", OLD_JOB, NO_JOB, {"queue": ("the oldest for 3 hours", "./rowcast worker")}),
    "lost job": ("queue", LOST_JOB, NO_JOB, {"queue": ("held by a worker that has gone", "./rowcast worker")}),
    "missing migration": (
        "migrations",
        (
            f"update supabase_migrations.schema_migrations set version = '0' where version = '{LAST}'; "
            "comment on schema procrastinate is '3.0.0'"
        ),
        (
            f"update supabase_migrations.schema_migrations set version = '{LAST}' where version = '0'; "
            f"comment on schema procrastinate is '{version('procrastinate')}'"
        ),
        {
            "migrations": ("not applied: ", "./rowcast deploy migrate"),
            "queue schema": ("tables of procrastinate 3.0.0", "./rowcast deploy migrate"),
        },
    ),
}


@pytest.mark.parametrize("fault", DATABASE_FAULTS)
def test_faults_of_the_database(stack: RunningStack, embedded: Callable[..., Subject], fault: str):
    """Planted in the real database, found, and named with what puts it right; then sound again."""
    check, plant, undo, expected = DATABASE_FAULTS[fault]
    with planted(
        stack, f"set search_path = procrastinate, public; {plant}", f"set search_path = procrastinate; {undo}"
    ):
        found = look(embedded(), check)
    for name, (said, fix) in expected.items():
        assert (found[name].state, said in found[name].fact, fix in found[name].fix) == ("fail", True, True), found[
            name
        ]

    sound = look(embedded(), check)
    # What other tests have left queued may wait for long by now.
    assert {sound[name].state for name in expected if name != "queue"} <= {"ok"}


def test_missing_bucket(stack: RunningStack, embedded: Callable[..., Subject]):
    """One bucket of three is gone, then public."""
    drop = "set session_replication_role = replica; update storage.buckets set id = 'lost' where id = 'results'"
    back = "set session_replication_role = replica; update storage.buckets set id = 'results' where id = 'lost'"
    with planted(stack, drop, back):
        found = look(embedded(), "storage")["storage"]
    assert (found.state, "no bucket results" in found.fact) == ("fail", True), found
    assert "./rowcast deploy migrate" in found.fix

    with planted(
        stack,
        "update storage.buckets set public = true where id = 'models'",
        "update storage.buckets set public = false where id = 'models'",
    ):
        found = look(embedded(), "storage")["storage"]
    assert (found.state, found.fact) == ("fail", "open to everybody: models")


def test_database_asleep(embedded: Callable[..., Subject]):
    """A paused project, and a database that nobody finds; the checks behind it say that they could not look."""
    asleep = look(hosted(lambda _: httpx.Response(540)), "database")["data api"]
    assert (asleep.state, "sleeps" in asleep.fact, "Restore" in asleep.fix) == ("fail", True, True)

    subject = embedded(DATABASE_URL="postgresql://postgres:hidden@127.0.0.1:9/postgres")
    found = look(subject, "database", "migrations", "triggers", "queue", "plans")
    assert (found["database"].state, "hidden" in found["database"].fact) == ("fail", False), found["database"]
    assert {found[name].state for name in ("migrations", "triggers", "queue", "free plans")} == {"skip"}

    refused = look(embedded(SUPABASE_SECRET_KEY="sb_secret_other"), "database")["secret key"]
    assert (refused.state, "is not accepted" in refused.fact, "API keys" in refused.fix) == ("fail", True, True)
