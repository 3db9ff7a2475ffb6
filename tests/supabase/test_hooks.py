"""Hooks in the database: who may open one, what a claim does, and that a delivery counts once."""

import json
from typing import Any
from uuid import UUID

import pytest

TABLE = 'create table public."Our People" (id bigint primary key, name text, score float8, label text, version int, predicted_at timestamptz)'


@pytest.fixture
def hook(world: Any) -> UUID:
    """Open a signed hook to a private model of the owner's."""
    world.add_version("secret")
    return world.add_hook("secret")


@pytest.fixture
def writing_hook(world: Any, hook: UUID) -> UUID:
    """Let the hook write to a table of people."""
    world.connection.execute(TABLE)
    world.connection.execute("insert into public.\"Our People\" values (1, 'Ada'), (2, 'Grace')")
    world.connection.execute(
        "update public.hooks set mode = 'write_back', target_table = 'public.\"Our People\"' where id = %s", (hook,)
    )
    statement = "insert into private.hook_targets (hook_id, relation, key_columns) values (%s, %s, %s)"
    world.connection.execute(statement, (hook, 'public."Our People"', ["id"]))
    return hook


def complete(world: Any, claimed: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Complete a claim as the API does."""
    version = world.value("select id from public.versions order by id desc limit 1")
    log = world.log(version, id=claimed["prediction_id"], source="hook", caller_kind="user", model="secret")
    done = {"id": claimed["id"], "attempt": claimed["attempt"], "version": 1, "row_count": 1, "total_ms": 2.5}
    done |= {"answer": '{"id":"x","predictions":[1]}', "prediction": log, "writes": [], **changes}
    return world.value("select public.complete_hook_delivery(%s)", json.dumps(done))


def predictions(world: Any) -> int:
    """Count what was logged of this test's models."""
    return world.value(
        "select count(*) from public.predictions as known join public.models as model on model.id = known.model_id "
        "where known.source = 'hook' and model.slug not like 'other-%%'"
    )


def test_only_analysts_open_hooks_to_models_they_may_use(world: Any) -> None:
    """A viewer opens none; a stranger none to a private model, but one to a public one."""
    world.add_version("secret")
    world.add_version("shown", visibility="public")

    with world.refused("42501", "analyst"):
        world.add_hook("shown", owner="viewer")
    with world.refused("PT404", "no such model"):
        world.add_hook("secret", owner="stranger")
    assert world.add_hook("shown", owner="stranger")


def test_secrets_rotate_with_an_overlap(world: Any, hook: UUID) -> None:
    """Two are good at a time; the older one has an end, and a third drives it out."""

    def secrets() -> list[str]:
        return world.value("select public.find_hook(%s)", hook)["secrets"]

    def rotate(secret: str, seconds: int) -> None:
        world.value("select public.set_hook_secret(%s, %s, %s)", hook, secret, seconds)

    (first,) = secrets()
    rotate("whsec_c2Vjb25k", 60)
    assert secrets() == ["whsec_c2Vjb25k", first]
    rotate("whsec_dGhpcmQ=", 60)
    assert secrets() == ["whsec_dGhpcmQ=", "whsec_c2Vjb25k"]
    world.connection.execute(
        "update private.hook_secrets set ends_at = now() - interval '1 s' where ends_at is not null"
    )
    assert secrets() == ["whsec_dGhpcmQ="]
    rotate("whsec_Zm91cnRo", 0)
    assert secrets() == ["whsec_Zm91cnRo"]


def test_delivery_is_claimed_once(world: Any, hook: UUID) -> None:
    """The second comer is told that somebody is at it, then gets the stored answer, byte by byte."""
    claimed = world.claim(hook)

    assert (claimed["state"], claimed["attempt"]) == ("claimed", 1)
    assert world.claim(hook) == {"state": "running"}
    answer = complete(world, claimed)["answer"]
    assert (
        world.claim(hook)
        == {"state": "answered", "answer": answer}
        == {"state": "answered", "answer": '{"id":"x","predictions":[1]}'}
    )
    assert predictions(world) == 1
    assert world.value("select duplicate_count from public.hook_deliveries where hook_id = %s", hook) == 2


def test_same_id_with_another_payload_is_told_apart(world: Any, hook: UUID) -> None:
    """Before the answer and after it."""
    claimed = world.claim(hook)

    assert world.claim(hook, payload_hash="b" * 64) == {"state": "changed"}
    complete(world, claimed)
    assert world.claim(hook, payload_hash="b" * 64) == {"state": "changed"}


def test_dead_claim_is_taken_over(world: Any, hook: UUID) -> None:
    """After its lease another process goes on under the same prediction id; the first can complete nothing any more."""
    first = world.claim(hook)
    world.connection.execute("update public.hook_deliveries set claimed_until = now() - interval '1 s'")

    second = world.claim(hook)

    assert (second["id"], second["prediction_id"], second["attempt"]) == (first["id"], first["prediction_id"], 2)
    assert complete(world, first) == {"state": "lost"}
    assert predictions(world) == 0
    assert complete(world, second)["state"] == "answered"
    assert complete(world, second) == {"state": "lost"}
    assert predictions(world) == 1


def test_released_claim_never_was(world: Any, hook: UUID) -> None:
    """Only its own attempt can release it, and nothing is kept of it."""
    claimed = world.claim(hook)

    world.value("select public.release_hook_delivery(%s, %s)", claimed["id"], 2)
    assert world.claim(hook) == {"state": "running"}
    world.value("select public.release_hook_delivery(%s, %s)", claimed["id"], 1)
    assert world.value("select count(*) from public.hook_deliveries where hook_id = %s", hook) == 0
    assert world.claim(hook)["state"] == "claimed"


def test_deliveries_are_forgotten_after_their_time(world: Any, hook: UUID) -> None:
    """An id counts as new again once it has expired; old deliveries are taken away."""
    world.connection.execute("delete from public.hook_deliveries where hook_id <> %s", [hook])
    complete(world, world.claim(hook))
    world.claim(hook, "msg_2")
    world.connection.execute("update public.hook_deliveries set expires_at = now() - interval '1 s'")

    assert world.claim(hook)["state"] == "claimed"
    assert world.value("select private.expire_hook_deliveries(10)") == 1
    assert world.value("select count(*) from public.hook_deliveries where hook_id = %s", hook) == 1


def test_closed_hooks_claim_nothing(world: Any, hook: UUID) -> None:
    """Disabled, or not there."""
    world.connection.execute("update public.hooks set enabled = false")

    assert world.claim(hook) == {"state": "closed"}
    assert world.claim(UUID(int=1)) == {"state": "closed"}


def test_predictions_are_written_to_the_listed_rows(world: Any, writing_hook: UUID) -> None:
    """Those named by their key, and the answer says how many there were."""
    writes = [{"key": {"id": key}, "score": 0.75, "label": "b", "version": 3} for key in (2, 7)]

    answer = complete(world, world.claim(writing_hook), writes=writes)["answer"]

    assert json.loads(answer)["written"] == 1
    rows = world.connection.execute(
        'select id, score, label, version, predicted_at is null from public."Our People" order by id'
    )
    assert rows.fetchall() == [(1, None, None, None, True), (2, 0.75, "b", 3, False)]


def test_unlisted_table_is_not_written(world: Any, writing_hook: UUID) -> None:
    """A hook that names another table than the one it was given writes nothing, and nothing is logged."""
    world.connection.execute("update public.hooks set target_table = 'public.models'")
    claimed = world.claim(writing_hook)

    with world.refused("PT409", "may not write"):
        complete(world, claimed, writes=[{"key": {"id": 1}, "score": 1}])
    assert predictions(world) == 0
    assert world.value("select public.find_hook(%s)", writing_hook)["target"] is None


def test_row_that_cannot_be_written_undoes_everything(world: Any, writing_hook: UUID) -> None:
    """The claim stays open, so that the delivery can be tried again."""
    claimed = world.claim(writing_hook)

    with world.refused("PT409", "failed"):
        complete(world, claimed, writes=[{"key": {"id": "no number"}, "score": 1}])
    assert predictions(world) == 0
    assert world.claim(writing_hook) == {"state": "running"}


def test_event_mode_tells_the_hooks_owner(world: Any, hook: UUID) -> None:
    """In the transaction of the answer; nobody else hears of it."""
    world.connection.execute("update public.hooks set mode = 'event'")
    mine = world.add_subscription(event_types=["hook.answered"])
    world.add_subscription(owner="stranger", event_types=["hook.answered"])

    complete(world, world.claim(hook))

    heard = world.connection.execute(
        "select sent.subscription_id, event.data from public.deliveries as sent join public.events as event on event.id = sent.event_id "
        "where event.type = 'hook.answered'"
    ).fetchall()
    assert [each for each, _ in heard] == [mine]
    assert (heard[0][1]["delivery_id"], heard[0][1]["predictions"]) == ("msg_1", [{"label": "a"}])


def test_what_was_refused_is_only_counted(world: Any, hook: UUID) -> None:
    """The count, when, and the last reason."""
    counts = {"hooks": [{"hook_id": str(hook), "refused": 2, "ignored": 1, "reason": "stale"}]}
    world.value("select public.count_hook_requests(%s)", json.dumps(counts))

    columns = "refused_count, ignored_count, refused_reason, refused_at is not null"
    assert world.row(f"select {columns} from public.hooks where id = %s", hook) == (2, 1, "stale", True)


def test_opening_and_closing_is_audited(world: Any, hook: UUID) -> None:
    """Who opened which door is on record."""
    world.connection.execute("delete from public.hooks where id = %s", (hook,))

    assert world.column("select action from public.audit_log where subject_id = %s order by id", str(hook)) == [
        "hook.created",
        "hook.deleted",
    ]
