"""Roles, keys and uploads: what people may do about themselves and about others."""

import re
import time
from pathlib import Path
from typing import Any
from uuid import RFC_4122

import pytest

ROLES_FILE = Path(__file__).parents[2] / "supabase/migrations/20261123000100_roles.sql"
SET_ROLE = "select public.set_user_role(%s, %s)"


def test_everybody_learns_their_own_role(world: Any) -> None:
    """Somebody without a row is a viewer; nobody's token is anonymous."""
    roles = {}
    for name in ("anon", "viewer", "owner", "admin", "service"):
        with world.acting_as(name):
            roles[name] = world.value("select public.current_user_role()")

    assert roles == {
        "anon": "anonymous", "viewer": "viewer", "owner": "analyst", "admin": "admin", "service": "service",
    }  # fmt: skip


def test_only_admins_and_servers_give_roles(world: Any) -> None:
    """Nobody promotes themselves."""
    for name in ("viewer", "owner"):
        with world.acting_as(name), world.refused("42501", "Only admins"):
            world.value(SET_ROLE, f"{name}@x.test", "admin")
    with world.acting_as("admin"):
        assert world.value(SET_ROLE, "VIEWER@x.test", "analyst") == "analyst"
        with world.refused("PT404", "no user"):
            world.value(SET_ROLE, "nobody@x.test", "admin")
        with world.refused("22023", 'not "king"'):
            world.value(SET_ROLE, "viewer@x.test", "king")
    with world.acting_as("service"):
        world.value(SET_ROLE, "viewer@x.test", "viewer")

    assert world.value("select private.role_of(%s)", world.people["viewer"]) == "viewer"


def test_the_last_admin_stays(world: Any) -> None:
    """An instance never ends up without somebody in charge by a slip."""
    world.connection.execute(
        "delete from private.user_roles where role = 'admin' and user_id <> %s", (world.people["admin"],)
    )

    with world.acting_as("admin"), world.refused("PT409", "stay admin"):
        world.value(SET_ROLE, "admin@x.test", "viewer")


def test_only_admins_and_servers_list_people(world: Any) -> None:
    """Addresses are nobody else's business."""
    with world.acting_as("owner"), world.refused("42501"):
        world.column("select email from public.list_users()")
    with world.acting_as("admin"):
        listed = dict(world.connection.execute("select email, role from public.list_users()").fetchall())

    assert {"owner@x.test": "analyst", "viewer@x.test": "viewer"}.items() <= listed.items()


def test_a_key_never_exceeds_its_owner(world: Any) -> None:
    """Scopes beyond the owner's role, and models the owner cannot see, are refused."""
    world.add_version("secret")
    model = world.value("select id from public.models where slug = 'secret'")

    for owner, scopes in (("viewer", ["train"]), ("owner", ["predict", "admin"])):
        with world.refused("42501", "scope"):
            world.add_key(owner, scopes=scopes)
    for scopes in ([], ["everything"]):
        with world.refused("23514", "scopes are some of"):
            world.add_key("admin", scopes=scopes)
    with world.refused("PT404", "no such model"):
        world.add_key("stranger", model_id=model)
    world.add_key("owner", model_id=model, scopes=["predict", "train"])


def test_a_key_keeps_its_rights_and_stays_revoked(world: Any) -> None:
    """Widening or reviving a key takes a new key."""
    key = world.add_key()

    with world.acting_as("owner"):
        world.connection.execute("update public.api_keys set revoked_at = now() where id = %s", (key,))
        with world.refused("PT409", "stays revoked"):
            world.connection.execute("update public.api_keys set revoked_at = null where id = %s", (key,))
    with world.acting_as("service"), world.refused("PT409", "keeps its owner"):
        world.connection.execute("update public.api_keys set scopes = '{train}' where id = %s", (key,))


def test_a_server_finds_a_key_with_its_owners_role(world: Any) -> None:
    """One call answers who a key is, another one notes that it was used: once a minute at most."""
    key = world.add_key()
    digest = world.value("select hash from public.api_keys where id = %s", key)

    with world.acting_as("service"):
        found = world.row("select id, owner_role, scopes, revoked_at from public.find_api_key(%s)", digest)
        nothing = world.column("select id from public.find_api_key(%s)", "f" * 64)
        noted = [world.value("select public.note_key_used(%s)", key) for _ in range(2)]

    assert found == (key, "analyst", ["predict"], None)
    assert nothing == []
    assert noted == [True, False]
    assert world.value("select last_used_at from public.api_keys where id = %s", key) is not None


def test_uploaded_data_does_not_change(world: Any) -> None:
    """A run's card names a digest; the bytes behind it stay those bytes."""
    dataset = world.add_dataset()

    with world.acting_as("owner"):
        world.connection.execute(
            "update public.datasets set name = 'renamed', licence = 'CC0' where id = %s", (dataset,)
        )
        with world.refused("PT409", "does not change"):
            world.connection.execute("update public.datasets set sha256 = repeat('c', 64) where id = %s", (dataset,))


@pytest.mark.parametrize(
    ("filename", "stored"),
    [
        ("a b (1).csv", "a_b_1_.csv"),
        ("../x.csv", None),
        ("..x..csv", "x..csv"),
        ("日本.csv", "_.csv"),
        ("..", None),
        ("a\nb", None),
    ],
)
def test_objects_have_safe_names(world: Any, filename: str, stored: str | None) -> None:
    """Whatever a file was called, its object stays in its owner's folder."""
    insert = "insert into public.datasets (owner_id, name, filename) values (%s, 'n', %s) returning id, object_path"

    if stored is None:
        with world.refused("23514", "no slash"):
            world.row(insert, world.people["owner"], filename)
    else:
        dataset, path = world.row(insert, world.people["owner"], filename)
        assert path == f"{world.people['owner']}/{dataset}/{stored}"


@pytest.mark.parametrize("is_portable", [True, False])
def test_ids_are_uuid_7_and_follow_time(world: Any, *, is_portable: bool) -> None:
    """Both ways of making an id, the built-in one and the one for Postgres 17."""
    if is_portable:
        portable = re.search(r"create or replace function private\.uuid_v7.*?\$\$;", ROLES_FILE.read_text(), re.DOTALL)
        assert portable is not None
        world.connection.execute(portable[0])
    before = time.time_ns() // 1_000_000

    ids = [world.value("select private.uuid_v7()") for _ in range(50)]

    after = time.time_ns() // 1_000_000
    assert {(each.version, each.variant) for each in ids} == {(7, RFC_4122)}
    assert all(before - 1 <= each.int >> 80 <= after + 1 for each in ids)
    assert len(set(ids)) == 50
