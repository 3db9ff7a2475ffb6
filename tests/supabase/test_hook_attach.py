"""The migration that attaches a table: signing in SQL, queueing, sending with pg_net and Vault, and what is lost on the way."""

import hashlib
import hmac
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
import pytest
from standardwebhooks.webhooks import Webhook

from api._lib.hook_migration import connect_call, file_name, read_table
from tests.supabase.attached import CRON, NET, SECRET, URL, VAULT, Attached, migration

NAMES = ["Flowers", 'people"s; drop table x; --', "e'scaped\\"]


@pytest.fixture(autouse=True)
def unattached(world: Any) -> None:
    """Begin without what other tests have attached."""
    world.connection.execute("drop schema if exists rowcast cascade")


@pytest.fixture
def attach(world: Any) -> Callable[..., Attached]:
    """Attach a new table to a new hook."""

    def attach_one(
        *stand_ins: str, table: str = "public.flowers", apply_twice: bool = False, **options: Any
    ) -> Attached:
        for each in stand_ins:
            world.connection.execute(each)
        world.add_version("secret")
        hook = world.add_hook("secret", mode="write_back", target_table=table)
        world.connection.execute(
            f"create table {table} (id bigint primary key, length float8, width int, island text, note text)"
        )
        for _ in range(2 if apply_twice else 1):
            world.connection.execute(migration(hook, table, **options).encode())
        world.connection.execute(connect_call(str(hook), URL, SECRET))
        return Attached(world, hook, table)

    return attach_one


def test_hmac_in_sql_is_hmac(world: Any) -> None:
    """For keys and messages of every length, the empty ones included."""
    world.connection.execute(
        migration(UUID(int=1), "auth.users", key=["email"], features={"length": {"constant": 1}})
        .split("do $$\ndeclare\n  expected")[0]
        .encode()
    )
    for size in (0, 1, 24, 63, 64, 65, 200):
        key, message = os.urandom(size), os.urandom(size * 3)
        found = world.value("select rowcast.hmac_sha256(%s, %s)", key, message)
        assert bytes(found) == hmac.new(key, message, hashlib.sha256).digest()


def test_insert_is_queued_in_its_transaction(attach: Any, world: Any) -> None:
    """One message per hundred rows of a statement, with the columns that the model reads and the key, and no others."""
    flowers = attach()

    flowers.insert(*[(number, 0.5) for number in range(250)])

    assert [len(each) for each in flowers.records()] == [100, 100, 50]
    (first,) = flowers.outbox("payload")[0]
    assert set(first["data"]["records"][0]) == {"id", "length", "width", "island"}
    assert first["type"] == "rows.inserted"
    with pytest.raises(psycopg.errors.UniqueViolation), world.connection.transaction():
        flowers.insert((300, 1.0), (1, 1.0))
    assert len(flowers.records()) == 3


def test_what_sql_signs_the_library_accepts(attach: Any, world: Any) -> None:
    """Each attempt is signed anew, under the same id."""
    flowers = attach()
    flowers.insert((1, 0.5))

    (taken,) = world.connection.execute(
        "select id, attempt, url, headers, body from rowcast.take_messages(10)"
    ).fetchall()

    assert Webhook(SECRET).verify(taken[4], taken[3]) == flowers.outbox("payload")[0][0]
    assert (taken[1], taken[2], taken[3]["webhook-id"]) == (1, URL, f"msg_{taken[0]}")
    assert world.connection.execute("select * from rowcast.take_messages(10)").fetchall() == []
    flowers.let_time_pass()
    (again,) = world.connection.execute("select id, attempt from rowcast.take_messages(10)").fetchall()
    assert again == (taken[0], 2)


def test_vault_keeps_the_secret_and_pg_net_sends(attach: Any, world: Any) -> None:
    """Where they are, the secret is nowhere else, and the statement itself hands its message to the sender."""
    flowers = attach(NET, VAULT, CRON)
    flowers.insert((1, 0.5))

    ((url, headers, body),) = flowers.requests()

    assert url == URL
    assert Webhook(SECRET).verify(bytes(body), headers)["data"]["records"][0]["id"] == 1
    assert world.value("select secret from rowcast.connections") is None
    assert world.row("select schedule, command from cron.job") == ("30 seconds", "select rowcast.sweep()")
    other = "whsec_b3RoZXItc2VjcmV0LW9mLTMyLWJ5dGVzLWZvci11cw=="
    world.connection.execute(connect_call(str(flowers.hook), URL, other))
    flowers.insert((2, 0.5))
    assert Webhook(other).verify(bytes(flowers.requests()[1][2]), flowers.requests()[1][1])


def test_lost_requests_are_sent_again(attach: Any) -> None:
    """pg_net forgets what it held when it dies, and gives up at once: the sweep sends again under the same id."""
    flowers = attach(NET)
    flowers.insert((1, 0.5))
    flowers.answer(None, message="Timeout of 10000 ms reached")
    assert len(flowers.requests()) == 1  # not yet: its pause is not over
    flowers.let_time_pass()
    flowers.world.value("select rowcast.sweep()")
    flowers.answer(503)
    flowers.let_time_pass()
    flowers.world.value("select rowcast.sweep()")
    flowers.answer(200)

    assert flowers.outbox("state", "attempts", "status") == [("delivered", 3, 200)]
    ids = {headers["webhook-id"] for _, headers, _ in flowers.requests()}
    assert (len(flowers.requests()), len(ids)) == (3, 1)
    flowers.let_time_pass()
    assert flowers.world.value("select rowcast.sweep()") == 0


def test_bad_row_does_not_hold_the_others_back(attach: Any) -> None:
    """A message of many rows that is refused is split; a row that is refused by itself stays refused, with the reason."""
    flowers = attach(NET)
    flowers.insert((1, 0.5), (2, 0.5), (3, 0.5))
    flowers.answer(422)

    assert [state for (state,) in flowers.outbox("state")].count("split") == 1
    assert sorted(flowers.records()) == [[1], [1, 2, 3], [2], [3]]
    flowers.world.value("select rowcast.sweep()")
    assert len(flowers.requests()) == 4
    flowers.answer(422, message="row 2 has no length")
    assert sorted(flowers.outbox("state", "reason")) == [("refused", "row 2 has no length")] * 3 + [("split", None)]


def test_nothing_is_sent_for_ever(attach: Any) -> None:
    """After twenty attempts a message is dead, and can be read."""
    flowers = attach(NET)
    flowers.insert((1, 0.5))
    for _ in range(25):
        flowers.answer(500)
        flowers.let_time_pass()
        flowers.world.value("select rowcast.sweep()")

    assert flowers.outbox("state", "attempts") == [("dead", 20)]


def test_late_answer_changes_nothing(attach: Any) -> None:
    """An answer to an attempt that was given up does not end the one on its way."""
    flowers = attach()
    flowers.insert((1, 0.5))
    taken = flowers.world.value("select id from rowcast.take_messages(1)")
    flowers.let_time_pass()
    flowers.world.value("select id from rowcast.take_messages(1)")

    flowers.world.value("select rowcast.settle(%s, 1, 422)", taken)

    assert flowers.outbox("state", "attempts") == [("sent", 2)]


def test_our_own_writing_is_never_queued(attach: Any, world: Any) -> None:
    """Whatever else changes with it, by other triggers too; only what the model reads, or an emptied predicted_at, counts."""
    flowers = attach(on_update=True)
    world.connection.execute(
        "create function public.touch() returns trigger language plpgsql as $$ begin new.length := new.length + 1; return new; end $$"
    )
    world.connection.execute(
        "create trigger touch before update on public.flowers for each row execute function public.touch()"
    )
    flowers.insert((1, 0.5), (2, 0.5))
    world.connection.execute("delete from rowcast.outbox")
    claimed = world.claim(flowers.hook)
    writes = [{"key": {"id": 1}, "score": 0.5, "label": "a", "version": 1}]
    world.value(
        "select public.complete_hook_delivery(%s)",
        json.dumps(
            {
                "id": claimed["id"],
                "attempt": 1,
                "answer": "{}",
                "writes": writes,
                "prediction": world.log(world.value("select id from public.versions limit 1")),
            }
        ),
    )

    assert world.row("select score, length from public.flowers where id = 1") == (0.5, 1.5)
    assert flowers.records() == []
    world.connection.execute(
        "update public.flowers set note = 'changed' where id = 2"
    )  # the other trigger changes length
    assert flowers.records() == [[2]]
    world.connection.execute("drop trigger touch on public.flowers")
    world.connection.execute("update public.flowers set note = 'again', id = id where id = 1")
    assert flowers.records() == [[2]]
    world.connection.execute("update public.flowers set predicted_at = null where id = 1")
    assert flowers.records() == [[2], [1]]


def test_inserts_alone_by_default(attach: Any, world: Any) -> None:
    """Updates ask for nothing unless that was wanted."""
    flowers = attach()
    flowers.insert((1, 0.5))

    world.connection.execute("update public.flowers set length = 7")

    assert flowers.records() == [[1]]


def test_rows_that_were_there_before_can_be_queued(attach: Any, world: Any) -> None:
    """Those without a prediction."""
    flowers = attach()
    world.connection.execute("alter table public.flowers disable trigger user")
    flowers.insert((1, 0.5), (2, 0.5))
    world.connection.execute("update public.flowers set predicted_at = now() where id = 2")

    assert world.value("select rowcast.queue_missing(%s)", flowers.hook) == 1
    assert flowers.records() == [[1]]


def test_insert_goes_on_whatever_fails_here(attach: Any, world: Any) -> None:
    """A broken outbox or sender costs the prediction, not the row."""
    flowers = attach(NET)
    world.connection.execute("alter table rowcast.outbox rename to gone")
    flowers.insert((1, 0.5))
    world.connection.execute("alter table rowcast.gone rename to outbox")
    world.connection.execute("alter table net.http_request_queue rename to gone")
    flowers.insert((2, 0.5))

    assert world.value("select count(*) from public.flowers") == 2
    assert flowers.outbox("state") == [("waiting",)]


def test_whoever_inserts_sees_nothing_of_it(attach: Any, world: Any) -> None:
    """People who may only insert into the table cause messages without any right on ours."""
    flowers = attach()
    world.connection.execute("grant insert, select on public.flowers to authenticated")
    with world.acting_as("viewer"):
        flowers.insert((1, 0.5))
        with world.refused("42501"):
            world.connection.execute("select * from rowcast.connections")
    assert flowers.records() == [[1]]


@pytest.mark.parametrize("name", NAMES)
def test_any_name_is_quoted(attach: Any, world: Any, name: str) -> None:
    """Tables, prefixes and hooks are named as people name them; applying the file twice changes nothing."""
    quoted = 'public."' + name.replace('"', '""') + '"'
    flowers = attach(table=quoted, prefix="ml_", on_update=True, apply_twice=True)
    flowers.insert((1, 0.5))

    assert flowers.records() == [[1]]
    assert world.value(f"select ml_score is null from {quoted}")
    assert world.value("select prefix from private.hook_targets where hook_id = %s", flowers.hook) == "ml_"


def test_unfit_tables_are_refused(world: Any) -> None:
    """With what to do about it, and nothing is left behind."""
    world.add_version("secret")
    hook = world.add_hook("secret")
    world.connection.execute("create table public.flowers (id bigint primary key, length float8, version text)")
    world.connection.execute("create table public.trees (id bigint primary key, height float8)")

    with world.refused("P0001", 'column "version" of its own'):
        world.connection.execute(migration(hook, "public.flowers").encode())
    with world.refused("P0001", 'no column "length"'):
        world.connection.execute(migration(hook, "public.trees").encode())
    with world.refused("P0001", 'no column "number"'):
        world.connection.execute(migration(hook, "public.flowers", prefix="ml_", key=["number"]).encode())
    assert world.value("select to_regclass('rowcast.outbox')") is None


def test_names_are_read_as_sql_reads_them() -> None:
    """Schema and table, plain ones in lower case."""
    assert read_table("Customers") == ("public", "customers")
    assert read_table('Sales."Big Customers"') == ("sales", "Big Customers")
    assert file_name('"Ünder Scored"', datetime(2026, 11, 23, tzinfo=UTC)) == "20261123000000_rowcast_nder_scored.sql"
    for wrong in ("", "a.b.c", "a b", "a;b", '"', "a.", "x" * 64, "a'b"):
        with pytest.raises(Exception, match="no table"):
            read_table(wrong)


def test_actuals_are_taken_only_where_asked(attach: Any, world: Any) -> None:
    """Attached again without the column, the table is no longer read; a column that is not there is refused by its name."""
    flowers = attach(actual="note", observed_at="note")
    settings = "select actual_column, observed_column from private.hook_targets where hook_id = %s"
    triggers = "select count(*) from pg_trigger where tgrelid = %s::regclass and tgname like 'rowcast_actual%%'"
    assert world.row(settings, flowers.hook) == ("note", "note")
    assert world.value(triggers, flowers.table) == 1

    world.connection.execute(migration(flowers.hook, flowers.table).encode())

    assert world.row(settings, flowers.hook) == (None, None)
    assert world.value(triggers, flowers.table) == 0
    with pytest.raises(psycopg.errors.RaiseException, match='no column "truth"'), world.connection.transaction():
        world.connection.execute(migration(flowers.hook, flowers.table, actual="truth").encode())
