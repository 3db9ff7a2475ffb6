"""The database's own furniture: what a hosted Supabase project has before any migration of ours runs.

Roles as hosted: `anon` and `authenticated` see nothing they were not granted, `service_role` passes row security.
`supabase_lite` is the login of the embedded Supabase doors. It may become those three and owns the schemas `auth` and
`storage`, but none of our tables: the broad grants that it hands out when it starts are refused by PostgreSQL with a
warning, and the grants stay what the migrations say.
"""

import psycopg
from psycopg import sql

from api._stack.secrets import Secrets

_ROLES = """
do $$
begin
  if to_regrole('anon') is null then create role anon nologin noinherit; end if;
  if to_regrole('authenticated') is null then create role authenticated nologin noinherit; end if;
  if to_regrole('service_role') is null then create role service_role nologin noinherit bypassrls; end if;
  if to_regrole('supabase_auth_admin') is null then create role supabase_auth_admin nologin noinherit; end if;
  if to_regrole('supabase_lite') is null then
    create role supabase_lite login inherit;
    grant anon, authenticated, service_role to supabase_lite;
  end if;
end $$;
alter role supabase_lite set client_min_messages = error;
alter role supabase_lite set log_min_messages = error;
grant connect, create on database postgres to supabase_lite;
grant usage on schema public to anon, authenticated, service_role;
create schema if not exists extensions;
grant usage on schema extensions to anon, authenticated, service_role;
"""

_FOOTHOLDS = """
do $$
declare
  held record;
begin
  for held in
    select thing.oid::regclass as name, thing.relkind = 'S' as is_sequence
    from pg_class as thing
    where thing.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
      and exists (
        select from pg_class as guarded where guarded.relnamespace = thing.relnamespace and guarded.relrowsecurity
      )
      and not case when thing.relkind = 'S' then has_sequence_privilege('supabase_lite', thing.oid, 'usage, select, update')
        else has_table_privilege(
          'supabase_lite', thing.oid, 'select, insert, update, delete, truncate, references, trigger'
        ) end
  loop
    if held.is_sequence then
      execute format('grant select on sequence %s to supabase_lite', held.name);
    else
      execute format('grant references on table %s to supabase_lite', held.name);
    end if;
  end loop;
end $$;
"""
"""PostgreSQL refuses a broad grant with a warning only to a role that may do anything at all with each table. With a table that
somebody has made by hand it would be an error, and the doors' first answer with it."""


def is_answering(url: str) -> bool:
    """Tell whether PostgreSQL takes connections."""
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def furnish(connection: psycopg.Connection, known: Secrets) -> None:
    """Create the roles and schemas of a hosted project; harmless when they are there."""
    with connection.transaction():
        connection.execute(_ROLES)
        password = sql.Literal(known.supabase_lite_password)
        connection.execute(sql.SQL("alter role supabase_lite password {}").format(password))
        connection.execute(_FOOTHOLDS)


def has_auth(connection: psycopg.Connection) -> bool:
    """Tell whether the schemas that Supabase brings itself are there."""
    names = ["auth.users", "storage.objects", "supabase_migrations.seed_files"]
    row = connection.execute("select to_regclass(%s), to_regclass(%s), to_regclass(%s)", names).fetchone()
    return row is not None and None not in row
