"""Brings the database to the state that the repository describes.

The record is the Supabase CLI's own (`supabase_migrations.schema_migrations`), so a database that this code has
migrated and one that `supabase db push` has migrated can be told apart by nothing. Each file is one transaction.
procrastinate's schema comes from the installed package, and its version is kept as the comment of its schema.
"""

import hashlib
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import psycopg
from procrastinate.schema import SchemaManager
from psycopg import sql

from api._stack.errors import MigrationFailed
from api._stack.settings import REPOSITORY

MIGRATIONS = REPOSITORY / "supabase" / "migrations"
SEED = REPOSITORY / "supabase" / "seed.sql"


def apply(connection: psycopg.Connection, on_step: Callable[[str], None]) -> int:
    """Apply what is not applied yet and return how many files that was.

    Raises:
        MigrationFailed: the database refused a file; it and those after it are not applied.
    """
    with connection.transaction():
        connection.execute("select pg_advisory_xact_lock(hashtext('rowcast migrations'))")
        _apply_queue_schema(connection)
    applied: dict[str, list[str] | None] = dict(
        connection.execute("select version, statements from supabase_migrations.schema_migrations").fetchall()
    )
    pending = []
    for path in sorted(MIGRATIONS.glob("*.sql")):
        recorded = applied.get(_version(path))
        if _version(path) not in applied:
            pending.append(path)
        elif recorded is not None and recorded != [path.read_text(encoding="utf-8")]:
            on_step(f"{path.name} has changed since it was applied; write a new migration, or start afresh with reset")
    for path in pending:
        _apply_file(connection, path)
    return len(pending) + _apply_seed(connection)


def _apply_file(connection: psycopg.Connection, path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    try:
        with connection.transaction():
            connection.execute(text.encode())
            connection.execute("reset role; reset all")
            connection.execute(
                "insert into supabase_migrations.schema_migrations (version, statements, name) values (%s, %s, %s)",
                (_version(path), [text], path.stem.partition("_")[2]),
            )
    except psycopg.Error as error:
        raise MigrationFailed(path.name, _describe(error)) from error


def _apply_seed(connection: psycopg.Connection) -> int:
    if not SEED.exists():
        return 0
    text = SEED.read_text(encoding="utf-8")
    name = str(SEED.relative_to(REPOSITORY))
    recorded = connection.execute("select 1 from supabase_migrations.seed_files where path = %s", (name,)).fetchone()
    if recorded is not None:
        return 0
    try:
        with connection.transaction():
            connection.execute(text.encode())
            digest = hashlib.sha256(text.encode()).hexdigest()
            connection.execute("insert into supabase_migrations.seed_files values (%s, %s)", (name, digest))
    except psycopg.Error as error:
        raise MigrationFailed(SEED.name, _describe(error)) from error
    return 1


def _apply_queue_schema(connection: psycopg.Connection) -> None:
    installed = version("procrastinate")
    row = connection.execute(
        "select obj_description(oid, 'pg_namespace') from pg_namespace where nspname = 'procrastinate'"
        " and to_regclass('procrastinate.procrastinate_jobs') is not null"
    ).fetchone()
    if row is not None and row[0] == installed:
        return
    if row is None:
        connection.execute("create schema if not exists procrastinate")  # a migration may have come first
        steps = [SchemaManager.get_schema()]
    else:
        folder = Path(SchemaManager.get_migrations_path())
        recorded = _numbers(row[0] or installed)
        steps = [
            path.read_text() for path in sorted(folder.glob("*.sql")) if _numbers(path.name.split("_")[0]) > recorded
        ]
    connection.execute("set local search_path to procrastinate")
    for step in steps:
        connection.execute(step.encode())
    connection.execute("set local search_path to default")
    connection.execute(sql.SQL("comment on schema procrastinate is {}").format(sql.Literal(installed)))


def _version(path: Path) -> str:
    return path.stem.partition("_")[0]


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def _describe(error: psycopg.Error) -> str:
    line = f" (line {error.diag.statement_position})" if error.diag.statement_position else ""
    return f"{error.diag.message_primary or str(error).splitlines()[0]}{line}"
