"""`rowcast deploy migrate`: the database of a deployment brought to the state of this checkout, queue included.

With a project reference and an access token the Supabase CLI pushes the migrations; else they are applied over
DATABASE_URL, with the same record, so that one can follow the other. procrastinate's tables come from the package.
"""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated
from urllib.parse import unquote, urlsplit

import typer

from api._commands.deploy import answers, programs
from api._commands.errors import CliError
from api._stack.errors import StackError

if TYPE_CHECKING:
    import psycopg

CONNECT_SECONDS = 10

DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what is missing and change nothing.")]
WithCli = Annotated[
    bool | None,
    typer.Option("--cli/--no-cli", help="With the Supabase CLI, or over DATABASE_URL; by default what is set up."),
]

_RECORD = """
create schema if not exists supabase_migrations;
create table if not exists supabase_migrations.schema_migrations (version text primary key, statements text[], name text);
create table if not exists supabase_migrations.seed_files (path text primary key, hash text not null);
"""
_LOCAL = ("127.0.0.1", "localhost", "::1")


def migrate(*, dry_run: DryRun = False, cli: WithCli = None) -> None:
    """Apply the migrations that a deployment's database lacks, and the tables of its queue. May be run again at any time."""
    known = answers.load(os.environ)
    if not known.get("DATABASE_URL"):
        raise CliError("set DATABASE_URL to the session pooler's address (port 5432), or run ./rowcast deploy first")
    url = check_address(known["DATABASE_URL"])
    can_push = bool(known.get("SUPABASE_ACCESS_TOKEN") and known.get("SUPABASE_PROJECT_REF"))
    if cli and not can_push:
        raise CliError(
            "the CLI needs SUPABASE_ACCESS_TOKEN and SUPABASE_PROJECT_REF; without --cli it is done over DATABASE_URL"
        )
    if can_push and cli is not False:
        _push(known, url, dry_run=dry_run)
    _apply(url, dry_run=dry_run)


def check_address(url: str) -> str:
    """Refuse an address over which migrations cannot be applied.

    Raises:
        CliError: it is none, or that of the pooler in transaction mode.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise CliError("DATABASE_URL is no address") from error
    if parts.scheme not in {"postgres", "postgresql"} or not parts.hostname:
        raise CliError("DATABASE_URL begins with postgresql:// and names a host")
    if port == 6543:  # noqa: PLR2004  Supavisor's transaction mode
        raise CliError(
            "DATABASE_URL names the transaction pooler (6543), where jobs cannot listen; take the session pooler, 5432"
        )
    return url


def _push(known: Mapping[str, str], url: str, *, dry_run: bool) -> None:
    words = ["db", "push", f"--remote={known['SUPABASE_PROJECT_REF']}", "--yes", *(["--dry-run"] if dry_run else [])]
    secrets = {
        "SUPABASE_ACCESS_TOKEN": known["SUPABASE_ACCESS_TOKEN"],
        "SUPABASE_DB_PASSWORD": unquote(urlsplit(url).password or ""),
    }
    print(programs.run([*programs.supabase(), *words], environ=secrets, seconds=programs.SUPABASE_SECONDS), end="")


def _apply(url: str, *, dry_run: bool) -> None:
    """Apply what is missing over the address itself: nothing after the CLI, but for the queue's tables."""
    import psycopg

    from api._stack import migrations

    # Over a public network the password and the rows travel encrypted, or not at all.
    is_secure = urlsplit(url).hostname in _LOCAL or "sslmode=" in url
    address = url if is_secure else f"{url}{'&' if '?' in url else '?'}sslmode=require"
    try:
        with psycopg.connect(
            address, autocommit=True, connect_timeout=CONNECT_SECONDS, prepare_threshold=None
        ) as connection:
            connection.execute("set lock_timeout = '30s'")
            if dry_run:
                missing = _find_missing(connection)
                print("\n".join(missing) if missing else "Nothing is missing.")
                return
            connection.execute(_RECORD)
            applied = migrations.apply(connection, print)
    except psycopg.Error as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise CliError(f"the database does not take it: {reason}") from error
    except StackError as error:
        raise CliError(str(error)) from error
    print(f"{applied} migrations applied." if applied else "The database is up to date.")


def _find_missing(connection: "psycopg.Connection") -> list[str]:
    from api._stack.migrations import MIGRATIONS

    found = connection.execute("select to_regclass('supabase_migrations.schema_migrations') is not null").fetchone()
    is_there = found is not None and found[0]
    rows = connection.execute("select version from supabase_migrations.schema_migrations") if is_there else None
    applied = {row[0] for row in rows.fetchall()} if rows else set()
    return [path.name for path in sorted(MIGRATIONS.glob("*.sql")) if path.stem.partition("_")[0] not in applied]
