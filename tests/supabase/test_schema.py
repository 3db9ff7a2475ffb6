"""What the migrated database offers to whom, read from its catalogue; the rules for each part of it are in test_rules."""

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
        "delete_version",
        "describe_version",
        "list_members",
        "list_users",
        "live_aliases",
        "model_drift",
        "model_quality",
        "model_traffic",
        "model_values",
        "models_health",
        "promote",
        "public_traffic",
        "read_delivery",
        "read_table",
        "remove_alias",
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
        "usage",
    },
}


def test_tables_say_what_they_are(world: Any) -> None:
    """Each table of ours carries a comment."""
    ours = "relnamespace in ('public'::regnamespace, 'private'::regnamespace) and relkind = 'r'"

    assert world.column(f"select relname from pg_class where {ours} and obj_description(oid, 'pg_class') is null") == []


def test_functions_say_what_they_are_for(world: Any) -> None:
    """Each function of ours carries a comment."""
    ours = "pronamespace in ('public'::regnamespace, 'private'::regnamespace)"

    assert world.column(f"select proname from pg_proc where {ours} and obj_description(oid, 'pg_proc') is null") == []


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
