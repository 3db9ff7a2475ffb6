"""Triggers: there, switched on, and doing their work, which is tried in a transaction that is rolled back."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from api._commands.doctor import blueprint
from api._commands.doctor.finding import Finding, fail, ok, skip
from api._commands.doctor.subject import Away, Subject

if TYPE_CHECKING:
    import psycopg

_PRESENT = """
select n.nspname || '.' || c.relname as "table", t.tgname as name, t.tgenabled in ('O', 'A') as is_on
from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_namespace n on n.oid = c.relnamespace
where not t.tgisinternal and n.nspname in ('public', 'private')
"""
_DATASET = """
insert into public.datasets (owner_id, name, filename, size_bytes, sha256, status)
values (null, 'doctor', 'doctor.csv', 1, repeat('0', 64), 'ready') returning id
"""
_RUN = """
insert into public.runs (dataset_id, model_slug, target) values (%s, %s, 'doctor') returning id
"""
_PROBE = "rowcast-doctor-probe"


def check_triggers(subject: Subject) -> Iterator[Finding]:
    """Hold the triggers to the migrations, then let the most important ones fire."""
    plan = blueprint.read(subject.root / "supabase" / "migrations")
    try:
        with subject.database() as connection:
            yield _check_present(connection, plan)
            yield from _check_firing(connection)
    except Away as away:
        yield skip("triggers", str(away))


def _check_present(connection: "psycopg.Connection[dict[str, Any]]", plan: blueprint.Blueprint) -> Finding:
    present = {(row["table"], row["name"]): row["is_on"] for row in connection.execute(_PRESENT).fetchall()}
    absent = sorted(plan.triggers - present.keys())
    off = sorted(each for each in plan.triggers & present.keys() if not present[each])
    if off:
        orders = "; ".join(f"alter table {table} enable trigger {name}" for table, name in off)
        said = ", ".join(f"{name} on {table}" for table, name in off)
        return fail("triggers", f"switched off: {said}", fix=f"run: {orders};")
    if absent:
        name = absent[0][1]
        said = ", ".join(f"{each} on {table}" for table, each in absent)
        return fail(
            "triggers",
            f"missing: {said}",
            fix=f"run the statement that makes it again: grep -A2 'create trigger {name}' supabase/migrations/*.sql; "
            "or, if migrations are missing, ./rowcast deploy migrate",
        )
    return ok("triggers", f"all {len(plan.triggers)} are there and switched on")


def _check_firing(connection: "psycopg.Connection[dict[str, Any]]") -> Iterator[Finding]:
    """Insert a data set and a run, look for the run's first event and its job, and try to change what may not change."""
    import psycopg

    try:
        dataset = connection.execute(_DATASET).fetchone()
        assert dataset is not None
        run = connection.execute(_RUN, [dataset["id"], _PROBE]).fetchone()
        assert run is not None
        event = connection.execute("select 1 from public.run_events where run_id = %s", [run["id"]]).fetchone()
        lock = f"run:{run['id']}"
        job = connection.execute("select 1 from procrastinate.procrastinate_jobs where lock = %s", [lock]).fetchone()
    except psycopg.Error as error:
        said = error.diag.message_primary or str(error).splitlines()[0]
        yield fail(
            "run trigger",
            f"a run cannot be started: {said}",
            fix="./rowcast deploy migrate brings tables and queue up to date; ./rowcast doctor then tells what is left",
        )
        return
    if event is None or job is None:
        lost = "no job is queued for it" if job is None else "its first event is not written"
        yield fail(
            "run trigger",
            f"a run can be inserted, but {lost}: it would wait for ever",
            fix="make the trigger of runs again: grep -A2 'on public.runs' supabase/migrations/*.sql shows its statement",
        )
    else:
        yield ok("run trigger", "a run gets its event and its job in one transaction (tried and rolled back)")
    yield _check_append_only(connection)


def _check_append_only(connection: "psycopg.Connection[dict[str, Any]]") -> Finding:
    import psycopg

    try:
        with connection.transaction(force_rollback=True):
            connection.execute("truncate public.audit_log")
    except psycopg.Error as error:
        if error.sqlstate != "55P03":  # a lock was not to be had in time: says nothing about the trigger
            return ok("append only", "the audit log refuses to be emptied, even by its owner (tried and rolled back)")
        return skip("append only", "the audit log is in use; ask again")
    return fail(
        "append only",
        "the audit log can be emptied: its trigger does not fire",
        fix="make it again: grep -A1 'refuse_truncate' supabase/migrations/*_audit.sql shows its statement",
    )
