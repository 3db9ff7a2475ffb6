"""Events: written in the transaction of their cause, heard by whom they concern, and nobody else."""

import json
from typing import Any
from uuid import UUID

import pytest


def told(world: Any, subscription: UUID) -> list[tuple[str, dict[str, Any]]]:
    """List the events that are on their way to a subscription, oldest first."""
    statement = (
        "select event.type, event.data from public.deliveries join public.events as event on event.id = event_id "
        "where subscription_id = %s order by event.id"
    )
    return world.connection.execute(statement, (subscription,)).fetchall()


def types(world: Any, subscription: UUID) -> list[str]:
    """List the types of these events."""
    return [each for each, _ in told(world, subscription)]


def test_ends_of_runs_are_events(world: Any) -> None:
    """Succeeded and failed; cancelled is the doing of whoever would be told."""
    listening = world.add_subscription(event_types=["run.succeeded", "run.failed"])
    dataset = world.add_dataset()
    good, bad, cancelled = (world.add_run(slug, dataset) for slug in ("good", "bad", "gone"))

    world.finish(good)
    world.value("update public.runs set status = 'failed', reason = 'no rows' where id = %s returning id", bad)
    world.value("select public.cancel_run(%s)", cancelled)

    (first, succeeded), (second, failed) = told(world, listening)
    assert (first, second) == ("run.succeeded", "run.failed")
    assert succeeded["run_id"] == str(good)
    assert (succeeded["model"], succeeded["version"], succeeded["reason"]) == ("good", 1, None)
    assert (failed["run_id"], failed["version"], failed["reason"]) == (str(bad), None, "no rows")


def test_promotions_are_events(world: Any) -> None:
    """Forward and back, with who and why."""
    world.add_version("moths")
    world.add_version("moths")
    listening = world.add_subscription(event_types=["version.promoted"], model="moths")

    with world.acting_as("owner"):
        world.value("select id from public.promote('moths', 'champion', 2, 'better')")
        world.value("select id from public.rollback_alias('moths', 'champion', 'worse')")

    (_, forward), (_, back) = told(world, listening)
    assert (forward["model"], forward["alias"], forward["from_version"], forward["to_version"]) == (
        "moths",
        "champion",
        1,
        2,
    )
    assert (forward["reason"], forward["is_rollback"]) == ("better", False)
    assert forward["promoted_by"] == str(world.people["owner"])
    assert (back["from_version"], back["to_version"], back["is_rollback"]) == (2, 1, True)


def test_event_goes_back_with_its_cause(world: Any) -> None:
    """What was rolled back has not happened: neither event nor delivery stays."""
    version = world.add_version("moths")
    listening = world.add_subscription(event_types=["prediction.created", "version.promoted"])
    before = world.value("select count(*) from public.events")

    with world.connection.transaction(force_rollback=True):
        world.write_log(world.log(version))
        assert types(world, listening) == ["prediction.created"]

    assert types(world, listening) == []
    assert world.value("select count(*) from public.events") == before


def test_predictions_of_one_write_are_one_event(world: Any) -> None:
    """Many in one message, failures left out, inputs never told."""
    version, other = world.add_version("moths"), world.add_version("other")
    listening = world.add_subscription(event_types=["prediction.created"], model="moths")
    predictions = [world.log(version) for _ in range(20)]

    world.write_log(*predictions, world.log(version, status=422), world.log(other))

    ((_, data),) = told(world, listening)
    assert data["model"] == "moths"
    assert [each["id"] for each in data["predictions"]] == sorted(each["id"] for each in predictions)
    assert data["predictions"][0]["outputs"] == [{"label": "a"}]
    assert "rows" not in data["predictions"][0]


def test_large_writes_become_messages_of_a_bearable_size(world: Any) -> None:
    """Bodies stay below 20 kB, as the standard asks; an output that fits nowhere is left out; no prediction is."""
    version = world.add_version("moths")
    listening = world.add_subscription(event_types=["prediction.created"])
    sizes = [10, 500, 3900, 4100, 100_000] * 20
    predictions = [world.log(version, outputs=[{"label": "x" * size}]) for size in sizes]

    world.write_log(*predictions)

    bodies = world.column(
        "select private.event_body(event) from public.deliveries join public.events as event on event.id = event_id "
        "where subscription_id = %s",
        listening,
    )
    assert max(len(body) for body in bodies) < 20_000
    sent = {each["id"]: each for body in bodies for each in json.loads(body)["data"]["predictions"]}
    assert set(sent) == {each["id"] for each in predictions}
    assert [sent[each["id"]]["outputs"] is None for each in predictions] == [size > 4000 for size in sizes]


def test_predictions_that_nobody_listens_for_leave_no_event(world: Any) -> None:
    """Neither without a subscription, nor with one for another model, nor with one that is off."""
    version = world.add_version("moths")
    world.add_version("other")
    world.add_subscription(event_types=["prediction.created"], model="other")
    off = world.add_subscription(event_types=["prediction.created"])
    world.value("update public.subscriptions set is_enabled = false where id = %s returning id", off)

    world.write_log(world.log(version))

    assert world.value("select count(*) from public.events where type = 'prediction.created'") == 0


def test_events_are_heard_by_whom_they_concern(world: Any) -> None:
    """The owner, people the model is shared with, and admins who name it. Nobody else, and not what nobody asked for."""
    world.add_version("moths", visibility="public")
    world.share("moths", "reader", "viewer")
    every = {"event_types": ["version.promoted"]}
    hears = {
        "owner": world.add_subscription("owner", **every),
        "owner, this model": world.add_subscription("owner", **every, model="moths"),
        "reader, this model": world.add_subscription("reader", **every, model="moths"),
        "admin, this model": world.add_subscription("admin", **every, model="moths"),
        "house, this model": world.add_subscription(None, **every, model="moths"),
    }
    deaf = {
        "stranger": world.add_subscription("stranger", **every),
        "admin, own models": world.add_subscription("admin", **every),
        "house": world.add_subscription(None, **every),
        "owner, other events": world.add_subscription("owner", event_types=["run.failed"]),
    }

    world.value("select id from public.promote('moths', 'mine', 1, 'because', '{}', %s)", world.people["owner"])

    assert {name: len(told(world, each)) for name, each in hears.items()} == dict.fromkeys(hears, 1)
    assert {name: len(told(world, each)) for name, each in deaf.items()} == dict.fromkeys(deaf, 0)


def test_who_loses_a_model_hears_no_more_of_it(world: Any) -> None:
    """A subscription does not outlive the membership that allowed it."""
    world.add_version("moths")
    world.share("moths", "reader", "viewer")
    listening = world.add_subscription("reader", event_types=["version.promoted"], model="moths")
    world.connection.execute("delete from public.members where user_id = %s", (world.people["reader"],))

    world.value("select id from public.promote('moths', 'mine', 1, 'because', '{}', %s)", world.people["owner"])

    assert types(world, listening) == []


def test_events_of_the_house_reach_its_admins(world: Any) -> None:
    """What nobody owns is the admins' to hear of."""
    world.add_version("moths", owner=None)
    admin, owner = (world.add_subscription(name, event_types=["version.promoted"]) for name in ("admin", "owner"))

    world.value("select id from public.promote('moths', 'mine', 1, 'because')")

    assert (types(world, admin), types(world, owner)) == (["version.promoted"], [])


@pytest.mark.parametrize(
    ("who", "asked", "code", "words"),
    [
        ("stranger", {"model": "moths"}, "PT404", 'no model "moths"'),
        ("owner", {"model": "nothing"}, "PT404", "no model"),
        ("viewer", {}, "42501", "role analyst"),
        ("owner", {"event_types": ["run.started"]}, "22023", "not known"),
        ("owner", {"event_types": []}, "23514", "at least one"),
        ("owner", {"url": "ftp://x.test"}, "23514", "url begins with https"),
        ("owner", {"url": "https://" + "a" * 2000}, "23514", "at most 2000"),
    ],
)
def test_subscriptions_that_cannot_be(world: Any, who: str, asked: dict[str, Any], code: str, words: str) -> None:
    """Each is refused with what to change. A public model of somebody else is nobody's to follow."""
    world.add_version("moths", visibility="public")

    with world.refused(code, words):
        world.add_subscription(who, **asked)


def test_nobody_subscribes_in_the_name_of_another(world: Any) -> None:
    """Only servers say for whom they act."""
    with world.refused("42501", "in the name of somebody else"), world.acting_as("stranger"):
        world.add_subscription("owner")


def test_secrets_rotate_with_an_overlap(world: Any) -> None:
    """Two sign for a while, never three; only what still holds is handed to the sender."""
    subscription = world.add_subscription()
    rotate = "select public.rotate_subscription(%s, %s, %s)"

    def signing() -> list[str]:
        delivery = world.value("select public.test_subscription(%s)", subscription)
        return world.value("select public.claim_deliveries(1, 60, 1, %s)", delivery)["due"][0]["secrets"]

    world.value(rotate, subscription, "whsec_c2Vjb25k", 3600)
    assert signing() == ["whsec_c2Vjb25k", "whsec_bWFkZSB1cCBmb3IgdGVzdHM="]
    world.value(rotate, subscription, "whsec_dGhpcmQ=", 3600)
    assert signing() == ["whsec_dGhpcmQ=", "whsec_c2Vjb25k"]
    world.value(rotate, subscription, "whsec_Zm91cnRo", 0)
    assert signing() == ["whsec_Zm91cnRo"]
    with world.refused("23514", "whsec_"):
        world.value(rotate, subscription, "plain", 0)


def test_too_many_tests_are_refused(world: Any) -> None:
    """A test button is no cannon."""
    subscription = world.add_subscription()
    for _ in range(10):
        world.value("select public.test_subscription(%s)", subscription)

    with world.refused("PT409", "Ten tests"):
        world.value("select public.test_subscription(%s)", subscription)


def test_events_are_told_to_a_listening_worker(stack: Any, world: Any) -> None:
    """The notification comes with the commit, once, and only where somebody hears the event."""
    with stack.connect(autocommit=True) as listener, stack.connect() as writer:
        listener.execute("listen rowcast_deliveries")
        writer.execute("select private.emit_event('run.failed', null, gen_random_uuid(), '{}')")
        writer.commit()
        assert list(listener.notifies(timeout=0.2)) == []

        owner = writer.execute(
            "insert into auth.users (id, email) values (gen_random_uuid(), gen_random_uuid() || '@x.test') returning id"
        ).fetchone()[0]
        writer.execute("insert into private.user_roles (user_id, role) values (%s, 'analyst')", (owner,))
        order = json.dumps({"event_types": ["run.failed"], "url": "https://x.test"})
        writer.execute("select public.create_subscription(%s, 'whsec_c2Vjb25k', %s)", (order, owner))
        for _ in range(3):
            writer.execute("select private.emit_event('run.failed', null, %s, '{}')", (owner,))
        assert list(listener.notifies(timeout=0.1)) == []
        writer.commit()
        assert len(list(listener.notifies(timeout=5, stop_after=1))) == 1
        assert list(listener.notifies(timeout=0.1)) == []
        writer.execute("delete from auth.users where id = %s", (owner,))
        writer.commit()


def test_event_bodies_are_the_same_bytes_each_time(world: Any) -> None:
    """Whatever numbers and letters an event holds: its body is put together once, by the database."""
    data = '{"share": 1.50, "big": 12345678901234567890, "text": "ü\\u0001\\"%s\\""}'
    event = world.value("select private.emit_event('drift.detected', null, null, %s)", data)

    bodies = {
        world.value("select private.event_body(event) from public.events as event where id = %s", event)
        for _ in range(2)
    }

    (body,) = bodies
    assert json.loads(body)["data"] == json.loads(data)
    assert '"share": 1.50' in body
    assert "12345678901234567890" in body
