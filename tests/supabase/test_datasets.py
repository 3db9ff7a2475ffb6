"""Datasets look after themselves: profiles are awaited, corrections checked, what is needed stays, tables are read as their reader."""

import json
from typing import Any

import pytest

PROFILE = json.dumps({"columns": [{"name": "zip"}, {"name": "species"}]})
CORRECT = "update public.datasets set corrections = %s where id = %s returning profile_status"


def corrections(types: Any = None, drop: Any = None) -> str:
    """Write corrections down."""
    return json.dumps({"types": {} if types is None else types, "drop": [] if drop is None else drop})


def test_a_table_that_is_ready_waits_for_its_profile(world: Any) -> None:
    """One job, in the same transaction; a model file gets none; a correction asks again."""
    dataset = world.add_dataset()
    jobs = "select count(*) from procrastinate.procrastinate_jobs where lock = %s"
    state = "select profile_status from public.datasets where id = %s"
    assert (world.value(state, dataset), world.value(jobs, f"dataset:{dataset}")) == ("queued", 1)
    world.value(
        "update public.datasets set profile_status = 'ready', profile = %s where id = %s returning id", PROFILE, dataset
    )

    with world.acting_as("owner"):
        assert world.value(CORRECT, corrections({"zip": "category"}), dataset) == "queued"

    statement = "insert into public.datasets (name, filename, kind, size_bytes, sha256, status) "
    model = world.value(statement + "values ('m', 'm.onnx', 'model', 1, repeat('a', 64), 'ready') returning id")
    assert (world.value(state, model), world.value(jobs, f"dataset:{model}")) == ("none", 0)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (corrections({"zip": "colour"}), 'types: "colour" is no type for column "zip"'),
        (corrections({"zap": "category"}), 'types: the dataset has no column "zap"'),
        (corrections(drop=["zap"]), 'drop: the dataset has no column "zap"'),
        (corrections(drop=[1]), "drop: a list of column names"),
        (corrections(["zip"]), "types: an object"),
        ('{"types": {}}', "an object with types and drop"),
        ('{"types": {}, "drop": [], "more": 1}', "an object with types and drop"),
    ],
)
def test_odd_corrections_are_refused(world: Any, said: str, words: str) -> None:
    """By the database, at every door."""
    dataset = world.add_dataset()
    world.value("update public.datasets set profile = %s where id = %s returning id", PROFILE, dataset)

    with world.acting_as("owner"), world.refused("22023", words):
        world.value(CORRECT, said, dataset)


def test_what_is_needed_stays(world: Any) -> None:
    """A dataset that a run waits for cannot be deleted; with its owner's account it goes."""
    dataset = world.add_dataset()
    run = world.add_run("penguins", dataset)
    delete = "delete from public.datasets where id = %s returning id"

    with world.acting_as("owner"), world.refused("PT409", "is using this dataset"):
        world.value(delete, dataset)
    world.value("select (public.cancel_run(%s)).id", run)
    with world.acting_as("owner"):
        assert world.value(delete, dataset) == dataset
    other = world.add_dataset()
    world.add_run("puffins", other)
    world.connection.execute("delete from auth.users where id = %s", (world.people["owner"],))

    assert world.value("select count(*) from public.datasets where id = %s", other) == 0


def test_uploads_that_never_came_are_forgotten(world: Any) -> None:
    """After a day; what is ready, or was announced just now, stays."""
    ready = world.add_dataset()
    add = (
        "insert into public.datasets (owner_id, name, filename, created_at) values (%s, 'n', 'f.csv', %s) returning id"
    )
    old = world.value(add, world.people["owner"], "2026-01-01T00:00Z")
    new = world.value(add, world.people["owner"], world.value("select now()"))
    world.value("update public.datasets set created_at = '2026-01-01T00:00Z' where id = %s returning id", ready)

    forgotten = world.column("select private.forget_uploads()")

    assert any(str(old) in path for path in forgotten)
    assert set(world.column("select id from public.datasets where id = any(%s)", [ready, old, new])) == {ready, new}


@pytest.fixture
def shop(world: Any) -> Any:
    """Give the project a table with row security, a view on it that goes by it, and tables nobody may see."""
    world.connection.execute(
        """
        create table public.orders (id integer, buyer uuid, amount numeric, secret text);
        alter table public.orders enable row level security;
        grant select (id, buyer, amount) on public.orders to authenticated;
        create policy "buyers read their own orders" on public.orders
        for select to authenticated using (buyer = (select auth.uid()));
        create view public.amounts with (security_invoker = true) as select id, amount from public.orders;
        grant select on public.amounts to authenticated;
        create table public.vault (id integer);
        """
    )
    for number, name in enumerate(("owner", "owner", "stranger"), start=1):
        world.value(
            "insert into public.orders values (%s, %s, %s, 'x') returning id", number, world.people[name], number * 10
        )
    return world


READ = "select public.read_table(%s, %s, %s, %s)"
COLUMNS = ["id", "amount"]


def test_tables_are_read_with_the_rights_of_the_reader(shop: Any) -> None:
    """Row security and grants decide, through a view as well; one row more than asked for tells that there are more."""
    with shop.acting_as("owner"):
        mine = shop.value(READ, "public.orders", 10, COLUMNS, "id")
        view = shop.value(READ, "public.amounts", 10, None, None)
        first = shop.value(READ, "public.orders", 1, COLUMNS, "id")
        with shop.refused("42501", "permission denied"):
            shop.value(READ, "public.orders", 10, ["secret"], None)
        with shop.refused("42501", "permission denied"):
            shop.value(READ, "public.orders", 10, None, None)
        with shop.refused("22023", "no such column"):
            shop.value(READ, "public.orders", 10, ['id") from public.vault --'], None)
    with shop.acting_as("viewer"):
        assert shop.value(READ, "public.orders", 10, COLUMNS, None) == []

    assert mine == [{"id": 2, "amount": 20}, {"id": 1, "amount": 10}]
    assert [row["id"] for row in view] == [1, 2]
    assert len(first) == 2


@pytest.mark.parametrize(
    "table",
    [
        "public.vault",
        "public.nothing",
        "private.user_roles",
        "auth.users",
        "vault.secrets",
        "pg_catalog.pg_class",
        "information_schema.tables",
        "procrastinate.procrastinate_jobs",
        'public."vault"',
        "public.orders;",
        "public.current_user_role()",
    ],
)
def test_other_tables_are_not_there(shop: Any, table: str) -> None:
    """What the reader has no right to, and what there is not, have one answer."""
    with shop.acting_as("owner"), shop.refused("PT404", "that you may read"):
        shop.value(READ, table, 10, None, None)


def test_nobody_and_servers_read_no_table(shop: Any) -> None:
    """The function lends nobody's rights: a visitor may not call it, and the secret key gets nothing by it."""
    with shop.acting_as("service"), shop.refused("42501", "rights of a person"):
        shop.value(READ, "public.vault", 10, None, None)
    with shop.acting_as("anon"), shop.refused("42501"):
        shop.value(READ, "public.orders", 10, None, None)
    with shop.acting_as("owner"):
        for rows in (0, 50_001):
            with shop.refused("22023", "rows"):
                shop.value(READ, "public.orders", rows, COLUMNS, None)
