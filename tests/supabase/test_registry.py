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


@pytest.fixture
def three_versions(world: Any) -> None:
    """Give the owner a model with three versions; the first is champion, the third challenger."""
    for _ in range(3):
        world.add_version("penguins")


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


ADD_REPLAY = "insert into public.replays (version_id, against_id, row_limit) values (%s, %s, 10) returning id"
FINISH_REPLAY = (
    "update public.replays set status = 'succeeded', finished_at = now(), "
    'result = \'{"rows": 10, "flips": 2, "examples": [1]}\' where id = %s returning id'
)


def version_id(world: Any, number: int, slug: str = "penguins") -> Any:
    """Find a version by its number."""
    statement = (
        "select version.id from public.versions as version join public.models as model on model.id = version.model_id "
        "where model.slug = %s and version.number = %s"
    )
    return world.value(statement, slug, number)


def test_promotion_keeps_the_newest_replay_as_evidence(world: Any, three_versions: None) -> None:
    """Of exactly these two versions, in short; a named one must be there, finished, and of this version."""
    replay = world.value(ADD_REPLAY, version_id(world, 2), version_id(world, 1))
    with world.acting_as("owner"), world.refused("PT404", "no finished replay"):
        world.value(
            "select (public.promote('penguins', 'champion', 2, 'x', %s)).id", json.dumps({"replay": str(replay)})
        )
    world.value(FINISH_REPLAY, replay)
    with world.acting_as("owner"):
        with world.refused("PT404", "no finished replay"):
            world.value(
                "select (public.promote('penguins', 'champion', 3, 'x', %s)).id", json.dumps({"replay": str(replay)})
            )
        evidence = world.value("select (public.promote('penguins', 'champion', 2, 'better')).evidence")

    assert (evidence["replay"]["id"], evidence["replay"]["against"], evidence["replay"]["flips"]) == (str(replay), 1, 2)
    assert "examples" not in evidence["replay"], "rows of people do not go into the history"


def test_replays_are_for_who_decides(world: Any, three_versions: None) -> None:
    """Logged rows are shown in a replay: strangers cannot ask for one, not even of a public model."""
    world.add_version("shown", visibility="public")
    world.add_version("shown", visibility="public")
    world.value("select user_id from public.set_member('penguins', 'viewer@x.test', 'editor')")
    two = version_id(world, 1, "shown"), version_id(world, 2, "shown")

    with world.acting_as("stranger"), world.refused("PT404"):
        world.value(ADD_REPLAY, *two)
    with world.acting_as("viewer"):
        assert world.value(ADD_REPLAY, version_id(world, 2), version_id(world, 1))
    with world.acting_as("owner"):
        with world.refused("PT404"):
            world.value(ADD_REPLAY, two[0], version_id(world, 1))
        with world.refused("23514", "compares two versions"):
            world.value(ADD_REPLAY, two[0], two[0])
        replay = world.value(ADD_REPLAY, *two)
    jobs = "select count(*) from procrastinate.procrastinate_jobs where lock = %s"
    assert world.value(jobs, f"replay:{replay}") == 1


def test_alias_is_given_up_and_brought_back(world: Any, three_versions: None) -> None:
    """Giving up is a line in the history like any other; the champion stays."""
    with world.acting_as("owner"):
        world.value(PROMOTE, "penguins", "canary", 2, "a trial")
        world.value("select (public.remove_alias('penguins', 'canary', 'trial over')).id")
        assert current(world, alias="canary") is None
        with world.refused("PT404", 'no alias "canary"'):
            world.value("select (public.remove_alias('penguins', 'canary', 'again')).id")
        with world.refused("PT409", "keeps its champion"):
            world.value("select (public.remove_alias('penguins', 'champion', 'x')).id")
        with world.refused("22023", "needs a reason"):
            world.value("select (public.remove_alias('penguins', 'challenger', ' ')).id")
        world.value(ROLL_BACK, "penguins", "canary", "not over yet")
    with world.acting_as("stranger"), world.refused("PT404"):
        world.value("select (public.remove_alias('penguins', 'canary', 'mine')).id")

    assert current(world, alias="canary") == 2


def test_what_was_live_then(world: Any, three_versions: None) -> None:
    """For any moment: which alias pointed where, since when and why; those given up by then are not among them."""
    moments = []
    with world.acting_as("owner"):
        for step in (
            "select public.promote('penguins', 'champion', 2, 'better')",
            "select public.promote('penguins', 'canary', 3, 'a trial')",
            "select public.remove_alias('penguins', 'canary', 'over')",
            "select public.rollback_alias('penguins', 'champion', 'worse')",
        ):
            world.value(step)
            moments.append(world.value("select clock_timestamp()"))
        model = world.value("select id from public.models where slug = 'penguins'")
        ask = "select name, version from public.live_aliases(%s, %s)"
        seen = [dict(world.connection.execute(ask, (model, at)).fetchall()) for at in moments]
        before = world.connection.execute(ask, (model, "2020-01-01T00:00Z")).fetchall()
    with world.acting_as("stranger"):
        others = world.connection.execute(ask, (model, moments[-1])).fetchall()

    assert [live["champion"] for live in seen] == [2, 2, 2, 1]
    assert [live.get("canary") for live in seen] == [None, 3, None, None]
    assert (before, others) == ([], [])


def test_archived_models_get_nothing_new(world: Any, three_versions: None) -> None:
    """No runs, no promotions, until the model is back; only its owner and admins archive."""
    world.value("select user_id from public.set_member('penguins', 'viewer@x.test', 'editor')")
    archive = "update public.models set archived_at = now() where slug = 'penguins' returning id"
    with world.acting_as("viewer"), world.refused("42501"):
        world.value(archive)
    with world.acting_as("owner"):
        assert world.value(archive)
        with world.refused("PT409", "archived"):
            world.value(PROMOTE, "penguins", "champion", 2, "x")
    with world.refused("PT409", "archived"):
        world.add_run("penguins", world.add_dataset())
    with world.acting_as("owner"):
        world.value("update public.models set archived_at = null where slug = 'penguins' returning id")
        world.value(PROMOTE, "penguins", "champion", 2, "back")

    assert current(world) == 2


def test_only_versions_that_nothing_leads_to_lose_their_file(world: Any, three_versions: None) -> None:
    """An alias holds a version, so does a rollback; the line of a deleted one stays, and no alias points at it again."""
    delete = "select public.delete_version('penguins', %s)"
    with world.acting_as("owner"):
        for number, words in ((1, 'Alias "champion"'), (3, 'Alias "challenger"')):
            with world.refused("PT409", words):
                world.value(delete, number)
        world.value(PROMOTE, "penguins", "champion", 2, "better")
        world.value(PROMOTE, "penguins", "champion", 3, "better still")
        with world.refused("PT409", "A rollback"):
            world.value(delete, 2)
        world.value(ROLL_BACK, "penguins", "champion", "worse")
        world.value(ROLL_BACK, "penguins", "champion", "worse")
        gone = world.value(delete, 2)
        assert world.value(delete, 2) == gone, "deleting twice changes nothing"
        with world.refused("PT409", "file of that version was deleted"):
            world.value(PROMOTE, "penguins", "canary", 2, "x")
    with world.acting_as("stranger"), world.refused("PT404"):
        world.value(delete, 2)

    assert world.value("select count(*) from public.versions where id = %s", gone) == 1
    assert world.value("select count(*) from procrastinate.procrastinate_jobs where task_name = 'remove_artefact'") == 1
    logged = "select data ->> 'version' from public.audit_log where action = 'version.deleted'"
    assert world.column(logged) == ["2"]


def test_notes_on_versions(world: Any, three_versions: None) -> None:
    """Whoever decides about a model notes what the numbers do not tell; the version stays as it is."""
    with world.acting_as("owner"):
        version = world.value("select public.describe_version('penguins', 1, '  before the price change ')")
        with world.refused("PT404", "no version 9"):
            world.value("select public.describe_version('penguins', 9, 'x')")
    with world.acting_as("stranger"), world.refused("PT404"):
        world.value("select public.describe_version('penguins', 1, 'mine')")

    assert (
        world.value("select note from public.version_remarks where version_id = %s", version)
        == "before the price change"
    )
