"""What is served can be trusted: versions never change, aliases move with a reason, every move can be undone."""

import json
from typing import Any

import pytest

PROMOTE = "select (public.promote(%s, %s, %s, %s)).id"
ROLL_BACK = "select (public.rollback_alias(%s, %s, %s)).id"


def current(world: Any, slug: str = "penguins", alias: str = "champion") -> int | None:
    """Read which version number an alias points at."""
    return world.value(
        "select version.number from public.aliases as alias join public.versions as version on version.id = alias.version_id "
        "join public.models as model on model.id = alias.model_id where model.slug = %s and alias.name = %s",
        slug,
        alias,
    )


def test_first_version_is_champion_at_once(world: Any) -> None:
    """A new model answers predictions without anybody's doing, and says why."""
    world.add_version("penguins")

    statement = (
        "select alias, from_version_id, reason, promoted_by from public.promotions "
        "where model_id = (select id from public.models where slug = 'penguins')"
    )
    moves = world.connection.execute(statement).fetchall()

    owner = world.people["owner"]
    assert set(moves) == {
        ("challenger", None, "newest certified version", owner),
        ("champion", None, "first certified version", owner),
    }


def test_later_versions_are_challengers_only(world: Any, three_versions: None) -> None:
    """Training again changes nothing that is served."""
    assert (current(world), current(world, alias="challenger")) == (1, 3)


def test_owner_promotes_and_it_is_written_down(world: Any, three_versions: None) -> None:
    """Who, when, why, from what, to what, on which evidence."""
    with world.acting_as("owner"):
        move = world.value("select (public.promote('penguins', 'champion', 2, ' better recall ', '{\"flips\": 3}')).id")

    by, reason, evidence = world.row("select promoted_by, reason, evidence from public.promotions where id = %s", move)
    assert (by, reason) == (world.people["owner"], "better recall")
    assert evidence.keys() == {"flips", "metrics", "parity", "replay"}
    assert (evidence["flips"], evidence["parity"], evidence["replay"]) == (3, {"passed": True}, None)
    assert current(world) == 2


def test_rolling_back_goes_further_back_each_time(world: Any, three_versions: None) -> None:
    """Two rollbacks undo two promotions; the second does not bring the first mistake back."""
    with world.acting_as("owner"):
        world.value(PROMOTE, "penguins", "champion", 2, "try")
        world.value(PROMOTE, "penguins", "champion", 3, "try")
        seen = []
        for _ in range(2):
            world.value(ROLL_BACK, "penguins", "champion", "worse")
            seen.append(current(world))
        with world.refused("PT409", "no earlier version"):
            world.value(ROLL_BACK, "penguins", "champion", "worse")

    assert seen == [2, 1]


def test_promotion_after_rollback_can_be_undone(world: Any, three_versions: None) -> None:
    """History goes on after a rollback."""
    with world.acting_as("owner"):
        world.value(PROMOTE, "penguins", "champion", 2, "try")
        world.value(ROLL_BACK, "penguins", "champion", "worse")
        world.value(PROMOTE, "penguins", "champion", 3, "better")
        world.value(ROLL_BACK, "penguins", "champion", "worse as well")

    assert current(world) == 1


def test_promotions_are_refused_with_a_reason(world: Any, three_versions: None) -> None:
    """Each way of asking for something impossible has its own readable answer."""
    with world.acting_as("owner"):
        for code, words, arguments in [
            ("22023", "needs a reason", ("penguins", "champion", 2, " ")),
            ("PT404", "no version 9", ("penguins", "champion", 9, "x")),
            ("PT404", 'no model "nothing"', ("nothing", "champion", 1, "x")),
            ("PT409", "already points at", ("penguins", "champion", 1, "x")),
            ("23514", "alias is 1 to 32", ("penguins", "3", 2, "x")),
        ]:
            with world.refused(code, words):
                world.value(PROMOTE, *arguments)
        with world.refused("PT404", 'no alias "canary"'):
            world.value(ROLL_BACK, "penguins", "canary", "x")


def test_strangers_move_nothing(world: Any, three_versions: None) -> None:
    """A stranger cannot tell a private model from none, and may not touch a public one."""
    world.add_version("shown", visibility="public")

    with world.acting_as("stranger"):
        with world.refused("PT404", 'no model "penguins"'):
            world.value(PROMOTE, "penguins", "champion", 2, "mine now")
        with world.refused("42501", "Only the owner"):
            world.value(PROMOTE, "shown", "canary", 1, "mine now")
        with world.refused("42501", "Only the owner"):
            world.value(ROLL_BACK, "shown", "champion", "mine now")
    with world.acting_as("anon"), world.refused("42501"):
        world.value(PROMOTE, "shown", "canary", 1, "mine now")


def test_a_token_without_a_person_moves_nothing(world: Any) -> None:
    """A role without a subject is nobody, not the house."""
    world.add_version("house", owner=None)
    with world.connection.transaction():
        world.connection.execute("set local role authenticated")
        with world.refused("PT404"):
            world.value(PROMOTE, "house", "canary", 1, "mine now")
        world.connection.execute("set local role none")


def test_admins_promote_everything(world: Any, three_versions: None) -> None:
    """Models of others and of the house are an admin's to move."""
    world.add_version("house", owner=None)

    with world.acting_as("admin"):
        world.value(PROMOTE, "penguins", "champion", 2, "tidying up")
        world.value(PROMOTE, "house", "canary", 1, "tidying up")

    assert (current(world), current(world, "house", "canary")) == (2, 1)


def test_a_server_acts_with_the_rights_of_the_person_it_names(world: Any, three_versions: None) -> None:
    """An API key's owner is written down and checked; a person cannot name somebody else."""
    named = "select (public.promote('penguins', 'champion', %s, 'by key', actor => %s)).promoted_by"

    with world.acting_as("service"):
        by = world.value(named, 2, world.people["owner"])
        with world.refused("PT404"):
            world.value(named, 3, world.people["stranger"])
    with world.acting_as("stranger"), world.refused("42501", "in the name of"):
        world.value(named, 3, world.people["owner"])

    assert by == world.people["owner"]


@pytest.mark.parametrize("table", ["versions", "promotions"])
def test_history_cannot_be_rewritten(world: Any, three_versions: None, table: str) -> None:
    """Not even the owner of the database changes or removes a version or a promotion."""
    for statement in (
        f"update public.{table} set id = private.uuid_v7()",
        f"delete from public.{table}",
        f"truncate public.{table} cascade",
    ):
        with world.refused("PT409", "append-only"):
            world.connection.execute(statement)


def test_a_version_needs_a_passed_certificate(world: Any) -> None:
    """The registry itself refuses a card without proof of parity."""
    run = world.add_run("penguins", world.add_dataset())
    world.value("update public.runs set status = 'running', attempt = 1 where id = %s returning id", run)
    good = {
        "digest": "b" * 64,
        "name": "penguins",
        "title": "P",
        "target": "species",
        "task": "binary",
        "size_bytes": 5,
    }
    register = "select id from public.register_version(%s, 1, %s, %s, 5)"

    for parity in ({}, {"parity": {"passed": False}}, {"parity": {"passed": None}}):
        with world.refused("23514", "passed parity certificate"):
            world.value(register, run, "b" * 64, json.dumps(good | parity))
    with world.refused("22023", "another file"):
        world.value(register, run, "c" * 64, json.dumps(good | {"parity": {"passed": True}}))

    assert world.value("select count(*) from public.models where slug = 'penguins'") == 0


def test_a_late_worker_registers_nothing(world: Any) -> None:
    """A run that was cancelled or taken up again belongs to nobody who had it before."""
    run = world.add_run("penguins", world.add_dataset())
    world.value("update public.runs set status = 'running', attempt = 2 where id = %s returning id", run)
    call = "select id from public.register_version(%s, %s, %s, '{}', 5)"

    with world.refused("PT410"):
        world.value(call, run, 1, "b" * 64)
    world.value("select (public.cancel_run(%s)).id", run)
    with world.refused("PT410"):
        world.value(call, run, 2, "b" * 64)


def test_a_name_taken_meanwhile_stays_taken(world: Any) -> None:
    """Two people training towards one new name: the second is told, the first keeps it."""
    slow = world.add_run("penguins", world.add_dataset())
    world.add_version("penguins", owner="stranger")

    with world.refused("PT409", "is taken"):
        world.finish(slow)


def test_model_with_versions_stays(world: Any) -> None:
    """What predictions refer to cannot be deleted, and its owner's account may go without it."""
    world.add_version("penguins")

    with world.refused("23503"):
        world.connection.execute("delete from public.models")
    world.connection.execute("delete from auth.users where id = %s", (world.people["owner"],))

    assert world.row("select owner_id, slug from public.models where slug = 'penguins'") == (None, "penguins")


@pytest.mark.parametrize("slug", ["P", "a", "-a", "a-", "ä b", "a_b", "a" * 64, "a@b", ""])
def test_odd_slugs_are_refused(world: Any, slug: str) -> None:
    """A model's name fits into a URL beside @alias and @number."""
    with world.refused("23514", "slug is 2 to 63"):
        world.add_run(slug, world.add_dataset())
