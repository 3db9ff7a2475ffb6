"""The database as a whole: does it answer, is it awake, are all migrations and the queue's own tables there."""

import time
from collections.abc import Iterator
from importlib.metadata import version

from api._commands.doctor.finding import Finding, fail, ok, skip, warn
from api._commands.doctor.subject import Away, Subject

ASLEEP = {402, 520, 521, 522, 523, 524, 530, 540}
"""What stands in front of a project that is paused, or over its quota, answers."""

SLOW_MS = 250
WAKE = "open the project at supabase.com/dashboard and press Restore (free projects sleep after 7 quiet days)"


def check_database(subject: Subject) -> Iterator[Finding]:
    """Ask the data API with both keys, and the database itself."""
    known = subject.settings
    if not known.supabase_url:
        yield skip("data api", "SUPABASE_URL is not set")
    else:
        yield from _check_doors(subject)
    try:
        with subject.database() as connection:
            started = time.perf_counter()
            row = connection.execute("select current_setting('server_version') as version").fetchone()
            took = (time.perf_counter() - started) * 1e3
            assert row is not None
            yield ok("database", f"PostgreSQL {row['version'].split()[0]} answers in {took:.0f} ms")
    except Away as away:
        if known.database_url:
            fix = (
                "./rowcast status"
                if subject.kind == "embedded"
                else f"check DATABASE_URL (session pooler, port 5432), or {WAKE}"
            )
            yield fail("database", str(away), fix=fix)
        else:
            yield skip("database", str(away))


def _check_doors(subject: Subject) -> Iterator[Finding]:
    known = subject.settings
    for name, variable, key, table in (
        ("publishable key", "SUPABASE_PUBLISHABLE_KEY", known.supabase_publishable_key, "models?select=slug"),
        ("secret key", "SUPABASE_SECRET_KEY", known.supabase_secret_key, "api_keys?select=id"),
    ):
        if not key:
            continue
        try:
            answer, took = subject.time_ask(
                "GET", f"{known.supabase_url}/rest/v1/{table}&limit=1", headers={"apikey": key}
            )
        except Away as away:
            fix = "./rowcast up starts it" if subject.kind == "embedded" else f"check SUPABASE_URL, or {WAKE}"
            yield fail("data api", str(away), fix=fix)
            return
        if answer.status_code in ASLEEP:
            yield fail("data api", f"the project sleeps or is over its quota (status {answer.status_code})", fix=WAKE)
            return
        if answer.status_code in {401, 403} and "42501" not in answer.text:
            fix = "copy it again from Supabase dashboard → Settings → API keys, and deploy again"
            yield fail(name, f"{variable} is not accepted (status {answer.status_code})", fix=fix)
        elif answer.is_success:
            yield ok(name, f"{variable} is accepted; answered in {took:.0f} ms")
        else:
            fix = "./rowcast deploy migrate; then ./rowcast doctor tells what is left"
            yield fail(name, f"status {answer.status_code} for {table.partition('?')[0]}", fix=fix)


def check_migrations(subject: Subject) -> Iterator[Finding]:
    """Compare the record of what was applied with the files, and the queue's tables with the installed package."""
    import psycopg

    paths = sorted((subject.root / "supabase" / "migrations").glob("*.sql"))
    files = {path.stem.partition("_")[0]: path for path in paths}
    try:
        with subject.database() as connection:
            try:
                rows = connection.execute("select version, statements from supabase_migrations.schema_migrations")
                applied = {row["version"]: row["statements"] for row in rows.fetchall()}
            except psycopg.errors.UndefinedTable:
                applied = {}
                connection.rollback()
            comment = connection.execute(
                "select obj_description(oid, 'pg_namespace') as version, to_regclass('procrastinate.procrastinate_jobs') "
                "as jobs from pg_namespace where nspname = 'procrastinate'"
            ).fetchone()
    except Away as away:
        yield skip("migrations", str(away))
        return
    missing = [path.name for number, path in files.items() if number not in applied]
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""  # noqa: PLR2004  names that fit a line
        yield fail(
            "migrations", f"not applied: {', '.join(missing[:3])}{more}", fix="./rowcast deploy migrate applies them"
        )
    elif newer := sorted(applied.keys() - files.keys()):
        yield warn(
            "migrations",
            f"the database has {', '.join(newer[:3])}, which this checkout does not: it is older than what is deployed",
            fix="git pull, then ask again; or ignore it where the migration is your own",
        )
    else:
        yield ok("migrations", f"all {len(files)} are applied")
    yield _check_queue_schema(comment)


def _check_queue_schema(found: dict[str, object] | None) -> Finding:
    installed = version("procrastinate")
    if found is None or found["jobs"] is None:
        fix = "./rowcast deploy migrate installs it"
        return fail("queue schema", "procrastinate's tables are not there: no run can be queued", fix=fix)
    if found["version"] is None:
        return ok(
            "queue schema", f"procrastinate's tables are there (which version is not recorded; {installed} is used)"
        )
    if found["version"] != installed:
        fix = "./rowcast deploy migrate brings it up to date"
        return fail("queue schema", f"tables of procrastinate {found['version']}, code of {installed}", fix=fix)
    return ok("queue schema", f"procrastinate {installed}, as the code")
