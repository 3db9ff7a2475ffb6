"""A table that is attached to a hook, and stand-ins for what only a hosted database has: pg_net, Vault and pg_cron.

The stand-ins have the same signatures; pg_net's keeps what it was told to send.
"""

from typing import Any
from uuid import UUID

from api._lib.hook_mapping import HookMapping, Mapper
from api._lib.hook_migration import write_migration
from tests.api.tiny import build

SECRET = "whsec_" + "c2VjcmV0LW9mLTMyLWJ5dGVzLWZvci10aGUtdGVzdHM="
URL = "https://rowcast.test/api/hooks/1"

NET = """
create schema net;
create table net.http_request_queue (id bigserial, method text, url text, headers jsonb, body bytea, timeout_milliseconds integer);
create table net._http_response (
  id bigint, status_code integer, content_type text, headers jsonb, content text, timed_out bool, error_msg text,
  created timestamptz default now()
);
create function net.http_post(
  url text, body jsonb default '{}', params jsonb default '{}', headers jsonb default '{}', timeout_milliseconds int default 1000
) returns bigint language sql as $$
  insert into net.http_request_queue (method, url, headers, body, timeout_milliseconds)
  values ('POST', url, headers, convert_to(body::text, 'UTF8'), timeout_milliseconds) returning id;
$$;
"""
VAULT = """
create schema vault;
create table vault.decrypted_secrets (id uuid default gen_random_uuid(), name text unique, decrypted_secret text);
create function vault.create_secret(
  new_secret text, new_name text default null, new_description text default '', new_key_id uuid default null
) returns uuid language sql as $$
  insert into vault.decrypted_secrets (name, decrypted_secret) values (new_name, new_secret) returning id;
$$;
create function vault.update_secret(
  secret_id uuid, new_secret text default null, new_name text default null, new_description text default null,
  new_key_id uuid default null
) returns void language sql as $$
  update vault.decrypted_secrets set decrypted_secret = new_secret where id = secret_id;
$$;
"""
CRON = """
create schema cron;
create table cron.job (jobname text, schedule text, command text);
create function cron.schedule(job_name text, schedule text, command text) returns bigint language sql as $$
  insert into cron.job values (job_name, schedule, command) returning 1;
$$;
"""


class Attached:
    """A table that is attached to a hook, within one rolled-back transaction."""

    def __init__(self, world: Any, hook: UUID, table: str) -> None:
        self.world, self.hook, self.table = world, hook, table

    def insert(self, *rows: tuple[int, float]) -> None:
        """Insert rows in one statement."""
        values = ", ".join(f"({key}, {length}, 2, 'Biscoe', 'private')" for key, length in rows)
        self.world.connection.execute(f"insert into {self.table} (id, length, width, island, note) values {values}")

    def outbox(self, *columns: str) -> list[tuple[Any, ...]]:
        """Read what is queued, in order."""
        statement = f"select {', '.join(columns)} from rowcast.outbox order by created_at, (payload #>> '{{data,records,0,id}}')::int"
        return self.world.connection.execute(statement).fetchall()

    def records(self) -> list[list[int]]:
        """Read which rows each message holds."""
        return [[each["id"] for each in payload["data"]["records"]] for (payload,) in self.outbox("payload")]

    def requests(self) -> list[tuple[str, dict[str, str], bytes]]:
        """Read what pg_net was given."""
        statement = "select url, headers, body from net.http_request_queue order by id"
        return self.world.connection.execute(statement).fetchall()

    def answer(self, status: int | None, *, message: str | None = None) -> None:
        """Let the receiver answer everything that is on its way."""
        self.world.connection.execute(
            "insert into net._http_response (id, status_code, error_msg) select request_id, %s, %s from rowcast.outbox "
            "where state = 'sent' and request_id is not null",
            (status, message),
        )
        self.world.value("select rowcast.sweep()")

    def let_time_pass(self) -> None:
        """Make everything due."""
        self.world.connection.execute(
            "update rowcast.outbox set due_at = now() - interval '1 s' where state in ('waiting', 'sent')"
        )


def migration(
    hook: UUID,
    table: str,
    *,
    on_update: bool = False,
    prefix: str = "",
    key: list[str] | None = None,
    actual: str | None = None,
    observed_at: str | None = None,
    **mapping: Any,
) -> str:
    """Write the file for the hand-made model."""
    mapper = Mapper(HookMapping(**mapping), build().card)
    facts = {"id": str(hook), "name": "Orders", "url": URL, "prefix": prefix}
    return write_migration(
        facts, table, key or ["id"], mapper, on_update=on_update, actual=actual, observed_at=observed_at
    )
