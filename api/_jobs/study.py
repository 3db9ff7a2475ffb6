"""The notes of a search that several workers share: a schema of its own, and an account that can do nothing else.

A training child reads uploaded data, so it gets no key. What it needs to join a search is the search's address: Optuna's
tables in Postgres, for a role that sees no other table. The role's password follows from the secret key, so that every
worker knows it and none has to keep it.
"""

import hashlib
import hmac
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit
from uuid import UUID

from psycopg import sql

from api._jobs.connection import connect
from api._lib.settings import settings

SCHEMA = "optuna"
ROLE = "rowcast_study"

_PREPARE = """
do $$
begin
  perform pg_advisory_xact_lock(hashtext('{schema}'));
  if not exists (select from pg_catalog.pg_roles where rolname = '{role}') then
    create role {role} login noinherit;
  end if;
  create schema if not exists {schema};
  revoke all on schema {schema} from public;
  grant usage, create on schema {schema} to {role};
end;
$$
"""


def share(run_id: UUID) -> dict[str, str]:
    """Make ready what several workers need to search together, and say where it is."""
    with connect("study") as connection:
        with connection.transaction():  # which holds the lock over both statements
            connection.execute(sql.SQL(_PREPARE.format(schema=SCHEMA, role=ROLE)))
            statement = sql.SQL("alter role {} password {}").format(sql.Identifier(ROLE), sql.Literal(_password()))
            connection.execute(statement)
        with connection.transaction():
            connection.execute("select pg_advisory_xact_lock(hashtext(%s))", (SCHEMA,))
            _make_tables()
    return {"storage": _address(), "name": _name(run_id)}


def _make_tables() -> None:
    """Let Optuna make its tables and write its version into them: two that do so at once disturb each other."""
    from optuna.storages import RDBStorage

    storage = RDBStorage(_address())
    storage.remove_session()
    storage.engine.dispose()


def forget(run_id: UUID) -> None:
    """Delete the notes of a search that has ended, or of an earlier attempt, which may have left none."""
    with connect("study") as connection:
        found = connection.execute(f"select to_regclass('{SCHEMA}.studies') is not null as is_there").fetchone()
        if found is None or not found["is_there"]:
            return
    import optuna

    try:
        optuna.delete_study(study_name=_name(run_id), storage=share(run_id)["storage"])
    except KeyError:  # it had not begun
        return


def _name(run_id: UUID) -> str:
    return f"run-{run_id}"


def _password() -> str:
    return hmac.new(settings().supabase_secret_key.encode(), b"shared search", hashlib.sha256).hexdigest()


def _address() -> str:
    """Compose the address for SQLAlchemy; poolers want the project's name behind the role's."""
    known = urlsplit(settings().database_url)
    _, dot, project = (known.username or "").partition(".")
    place = f"{quote(ROLE + dot + project)}:{_password()}@{known.hostname}:{known.port or 5432}"
    query = {**dict(parse_qsl(known.query)), "options": f"-csearch_path={SCHEMA}"}
    return urlunsplit(("postgresql+psycopg", place, known.path, urlencode(query, quote_via=quote), ""))
