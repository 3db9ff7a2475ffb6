"""Rules for every migration, present and future, read from the catalogue of the migrated database."""

import re
from pathlib import Path
from typing import Any

import pytest

SUPABASE = Path(__file__).parents[2] / "supabase"
CLIENT_FUNCTIONS = {
    "anon": {"current_user_role", "public_traffic"},
    "authenticated": {
        "cancel_batch",
        "cancel_run",
        "create_subscription",
        "current_user_role",
        "list_members",
        "list_users",
        "model_drift",
        "model_quality",
        "model_traffic",
        "model_values",
        "promote",
        "public_traffic",
        "read_delivery",
        "remove_member",
        "replay_deliveries",
        "rollback_alias",
        "rotate_api_key",
        "rotate_subscription",
        "set_member",
        "set_person_role",
        "set_user_role",
        "subscription_activity",
        "test_subscription",
        "traffic_totals",
    },
}

TABLES = "select oid::regclass::text from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'm')"
OUR_FUNCTIONS = "pronamespace in ('public'::regnamespace, 'private'::regnamespace)"


def test_row_security_is_on_for_every_table(world: Any) -> None:
    """A table of the exposed schema without row security would be open to whoever has a grant."""
    assert world.column(f"{TABLES} and not (relkind = 'r' and relrowsecurity)") == []


def test_tables_say_what_they_are(world: Any) -> None:
    """Each table of ours carries a comment."""
    ours = "relnamespace in ('public'::regnamespace, 'private'::regnamespace) and relkind = 'r'"

    assert world.column(f"select relname from pg_class where {ours} and obj_description(oid, 'pg_class') is null") == []


def test_grants_are_explicit(world: Any) -> None:
    """Every table is granted to the service by name, and to nobody by way of PUBLIC."""
    granted = "select 1 from aclexplode(relacl) as held where held.grantee = {grantee}"
    service = granted.format(grantee="'service_role'::regrole")

    assert world.column(f"{TABLES} and exists ({granted.format(grantee=0)})") == []
    assert world.column(f"{TABLES} and not exists ({service})") == []


def test_visitors_only_read(world: Any) -> None:
    """No table or column lets an anonymous visitor write."""
    rights = "select distinct privilege_type from information_schema.column_privileges where grantee = 'anon' "

    assert world.column(f"{rights} and table_schema in ('public', 'private')") == ["SELECT"]


def test_granted_tables_have_policies(world: Any) -> None:
    """Each verb that a client role was granted on a table is decided by a policy of that verb."""
    statement = """
        select held.table_name || ' ' || held.privilege_type || ' ' || held.grantee
        from (
          select distinct table_name, privilege_type, grantee from information_schema.column_privileges
          where table_schema = 'public' and grantee in ('anon', 'authenticated') and privilege_type <> 'REFERENCES'
          union
          select distinct table_name, privilege_type, grantee from information_schema.table_privileges
          where table_schema = 'public' and grantee in ('anon', 'authenticated')
        ) as held
        where not exists (
          select from pg_policies as policy
          where policy.schemaname = 'public' and policy.tablename = held.table_name
            and policy.cmd = held.privilege_type and held.grantee::name = any (policy.roles)
        )
    """

    assert world.column(statement) == []


def test_policies_are_sentences_for_named_roles(world: Any) -> None:
    """A policy's name says who may do what; none is for PUBLIC."""
    policies = world.connection.execute("select policyname, roles, cmd from pg_policies").fetchall()

    assert policies
    for name, roles, command in policies:
        assert len(name.split()) >= 4, name
        assert set(roles) <= {"anon", "authenticated"}, name
        assert command != "ALL", name


def test_policies_ask_for_the_caller_once(world: Any) -> None:
    """`(select auth.uid())` is evaluated once per statement, a bare call once per row."""
    terms = world.column("select concat_ws(' ', qual, with_check) from pg_policies")

    for term in terms:
        for call in (r"auth\.uid\(\)", r"private\.is_\w+\(\)"):
            assert len(re.findall(call, term)) == len(re.findall(rf"SELECT {call}", term)), term


def test_columns_of_policies_are_indexed(world: Any) -> None:
    """A column that a policy compares leads an index, so that row security does not mean a full scan."""
    statement = """
        select distinct held.attrelid::regclass::text || '.' || held.attname
        from pg_depend as link
        join pg_attribute as held on held.attrelid = link.refobjid and held.attnum = link.refobjsubid
        join pg_class as owner on owner.oid = held.attrelid and owner.relnamespace = 'public'::regnamespace
        where link.classid = 'pg_policy'::regclass and link.refobjsubid > 0
          and not exists (select from pg_index as found where found.indrelid = held.attrelid and found.indkey[0] = held.attnum)
    """

    assert world.column(statement) == []


def test_foreign_keys_are_indexed(world: Any) -> None:
    """Deleting a row must not scan the tables that point at it."""
    statement = """
        select held.conrelid::regclass::text || ' ' || held.conname
        from pg_constraint as held
        where held.contype = 'f' and held.connamespace = 'public'::regnamespace
          and not exists (
            select from pg_index as found
            where found.indrelid = held.conrelid and found.indpred is null
              and found.indkey[0] = any (held.conkey)
          )
    """

    assert world.column(statement) == []


def test_functions_are_closed_by_default(world: Any) -> None:
    """No function of ours is executable by PUBLIC, each has a fixed search path and says what it is for."""
    anyone = "select 1 from aclexplode(coalesce(proacl, acldefault('f', proowner))) as held where held.grantee = 0"
    names = f"select proname from pg_proc where {OUR_FUNCTIONS}"

    assert world.column(f"{names} and exists ({anyone})") == []
    assert world.column(f"{names} and not coalesce(proconfig::text like '%%search_path=%%', false)") == []
    assert world.column(f"{names} and obj_description(oid, 'pg_proc') is null") == []


@pytest.mark.parametrize("role", sorted(CLIENT_FUNCTIONS))
def test_clients_call_only_what_is_listed(world: Any, role: str) -> None:
    """What people can call through the data API is a short, known list."""
    statement = "select distinct proname from pg_proc where pronamespace = 'public'::regnamespace "
    found = world.column(statement + "and has_function_privilege(%s, oid, 'execute')", role)

    assert set(found) == CLIENT_FUNCTIONS[role]


def test_private_schema_is_not_exposed() -> None:
    """The data API serves `public` and nothing else."""
    config = (SUPABASE / "config.toml").read_text()

    assert re.search(r'^schemas = \["public"\]$', config, re.MULTILINE)


def test_migrations_are_named_by_time_and_topic() -> None:
    """Files apply in the order of their names."""
    names = [path.name for path in sorted((SUPABASE / "migrations").iterdir())]

    assert names
    assert all(re.fullmatch(r"\d{14}_[a-z_]+\.sql", name) for name in names)
    assert not (SUPABASE / "__init__.py").exists(), "a package here would shadow the supabase library"
