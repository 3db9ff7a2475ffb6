"""Sharing: what viewers and editors of a model get, that it ends, and that the log keeps all of it."""

from typing import Any

import pytest

SHARE = "select role from public.set_member(%s, %s, %s)"


@pytest.fixture
def shared(world: Any) -> Any:
    """Give the owner a private model that is shared with `reader` and `editor`; return its version."""
    version = world.add_version("penguins")
    world.share("penguins", "reader", "viewer")
    world.share("penguins", "editor", "editor")
    return version


def test_editor_trains_a_version_of_the_shared_model(world: Any, shared: Any) -> None:
    """With data of their own; it stays the owner's model, and a viewer's run is refused."""
    run = world.add_run("penguins", world.add_dataset("editor"))

    version = world.finish(run, "c" * 64)

    number, owner = world.row(
        "select version.number, model.owner_id from public.versions as version "
        "join public.models as model on model.id = version.model_id where version.id = %s",
        version,
    )
    assert (number, owner) == (2, world.people["owner"])
    world.value("insert into private.user_roles values (%s, 'analyst') returning role", world.people["reader"])
    with world.refused("PT409", "is taken"):
        world.add_run("penguins", world.add_dataset("reader"))


def test_members_score_their_own_data_with_it(world: Any, shared: Any) -> None:
    """A batch takes a dataset of one's own and a version that one may see; it is its creator's alone."""
    batch = world.add_batch(world.add_dataset("editor"), shared)

    with world.refused("PT404", "no such version"):
        world.add_batch(world.add_dataset("stranger"), shared)
    for name, seen in (("editor", [batch]), ("owner", []), ("reader", [])):
        with world.acting_as(name):
            assert world.column("select id from public.batches where id = %s", batch) == seen


def test_sharing_ends_at_once(world: Any, shared: Any) -> None:
    """Whoever was removed sees as much as a stranger, keys included."""
    model = world.value("select id from public.models where slug = 'penguins'")
    digest = world.value("select hash from public.api_keys where id = %s", world.add_key("editor", model_id=model))
    parts = "select shared_models, edited_models from public.find_api_key(%s)"
    assert world.row(parts, digest) == ([model], [model])

    with world.acting_as("owner"):
        assert world.value("select public.remove_member('penguins', %s)", world.people["editor"])
        assert not world.value("select public.remove_member('penguins', %s)", world.people["editor"])

    assert world.row(parts, digest) == ([], [])
    with world.acting_as("editor"):
        for table in ("models", "versions", "aliases", "promotions", "predictions"):
            column = "id" if table == "models" else "model_id"
            assert world.column(f"select {column} from public.{table} where {column} = %s", model) == []
        with world.refused("PT404", "no model"):
            world.value("select (public.promote('penguins', 'canary', 1, 'mine')).id")


def test_members_leave_by_themselves_and_nobody_else(world: Any, shared: Any) -> None:
    """A viewer ends their own membership; not another's, and not one where there is nothing to see."""
    with world.acting_as("reader"):
        with world.refused("42501", "Only the owner"):
            world.value("select public.remove_member('penguins', %s)", world.people["editor"])
        assert world.value("select public.remove_member('penguins', %s)", world.people["reader"])
        with world.refused("PT404", "no model"):
            world.value("select public.remove_member('penguins', %s)", world.people["reader"])


def test_only_owner_and_admins_share(world: Any, shared: Any) -> None:
    """An editor does not widen the circle; nobody shares in somebody else's name; a server names whom it acts for."""
    with world.acting_as("editor"), world.refused("42501", "may share it"):
        world.value(SHARE, "penguins", "stranger@x.test", "viewer")
    with world.acting_as("stranger"), world.refused("42501", "in the name of"):
        world.value(
            "select role from public.set_member('penguins', 'stranger@x.test', 'editor', %s)", world.people["owner"]
        )
    with world.acting_as("service"):
        with world.refused("PT404", "no model"):
            world.value(
                "select role from public.set_member('penguins', 'viewer@x.test', 'viewer', %s)",
                world.people["stranger"],
            )
        by_owner = "select role from public.set_member('penguins', 'viewer@x.test', 'viewer', %s)"
        assert world.value(by_owner, world.people["owner"]) == "viewer"
    with world.acting_as("admin"):
        assert world.value(SHARE, "penguins", "STRANGER@x.test", "editor") == "editor"
        with world.refused("PT409", "theirs already"):
            world.value(SHARE, "penguins", "owner@x.test", "viewer")
        with world.refused("22023", 'not "king"'):
            world.value(SHARE, "penguins", "viewer@x.test", "king")


def test_memberships_go_with_the_account(world: Any, shared: Any) -> None:
    """No right outlives a person; what they did is still known, with their address of that time."""
    world.connection.execute("select public.remove_user('editor@x.test')")

    editor = world.people["editor"]
    assert world.column("select role from public.members where user_id = %s", editor) == []
    said = world.row(
        "select action, data ->> 'email' from public.audit_log where subject_id = 'penguins' and action = 'member.added' "
        "and data ->> 'role' = 'editor'"
    )
    assert said == ("member.added", "editor@x.test")


def test_a_key_is_replaced_once_and_never_lives_longer(world: Any) -> None:
    """The new key has the rights and the length of life of the old one, which ends after the overlap."""
    life = "select extract(epoch from expires_at - now())::int from public.api_keys where id = %s"
    key = world.add_key(scopes=["predict", "train"])
    ends = "update public.api_keys set expires_at = now() + interval '10 days' where id = %s returning id"

    with world.acting_as("owner"):
        world.value(ends, key)
        new = world.value("select public.rotate_api_key(%s, 'rotated1', repeat('e', 64), 2)", key)
        with world.refused("PT409", "replaced already"):
            world.value("select public.rotate_api_key(%s, 'rotated2', repeat('f', 64), 2)", key)
        with world.refused("PT409", "does not live longer"):
            world.value("update public.api_keys set expires_at = null where id = %s returning id", key)
        with world.refused("22023", "0 to 720"):
            world.value("select public.rotate_api_key(%s, 'rotated2', repeat('f', 64), 721)", new)

    assert world.value(life, key) == 2 * 3600
    assert world.value(life, new) == 10 * 24 * 3600
    assert world.value("select scopes from public.api_keys where id = %s", new) == ["predict", "train"]
    with world.acting_as("owner"):
        world.value("select public.rotate_api_key(%s, 'rotated3', repeat('f', 64), 0)", new)
        with world.refused("PT404", "no working key"):
            world.value("select public.rotate_api_key(%s, 'rotated4', repeat('a', 64), 0)", new)


@pytest.mark.parametrize("act", ["update public.audit_log set action = 'a.b'", "delete from public.audit_log"])
def test_the_log_cannot_be_rewritten(world: Any, shared: Any, act: str) -> None:
    """Not even by the owner of the database."""
    for statement in (act, "truncate public.audit_log"):
        with world.refused("PT409", "append-only"):
            world.connection.execute(statement)
