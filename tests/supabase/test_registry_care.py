"""What is served is looked after: replays as evidence, aliases given up, archives, deletions, notes."""

import json
from typing import Any

from tests.supabase.test_registry import PROMOTE, ROLL_BACK, current

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
    queued = (
        "select count(*) from procrastinate.procrastinate_jobs as job join public.versions as version "
        "on job.args ->> 'digest' = version.digest where job.task_name = 'remove_artefact' and version.id = %s"
    )
    assert world.value(queued, gone) == 1
    logged = "select data ->> 'version' from public.audit_log where action = 'version.deleted' and actor_id = %s"
    assert world.column(logged, world.people["owner"]) == ["2"]


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
