"""Deliveries in the database: fair shares, leases, what follows from an attempt, and sending again by hand."""

import json
from typing import Any
from uuid import UUID

import pytest

CLAIM = "select public.claim_deliveries(%s, 60, 4)"


class Post:
    """A sender's view of one person's subscriptions."""

    def __init__(self, world: Any) -> None:
        self.world = world
        # What other tests left is not this sender's.
        world.connection.execute("update public.subscriptions set is_enabled = false")

    def subscribe(self) -> UUID:
        """Subscribe an address of the owner's to failed runs."""
        return self.world.add_subscription(event_types=["run.failed"])

    def emit(self, times: int = 1) -> None:
        """Let something happen to the owner."""
        for _ in range(times):
            self.world.value("select private.emit_event('run.failed', null, %s, '{}')", self.world.people["owner"])

    def claim(self, wanted: int = 100) -> list[dict[str, Any]]:
        """Lease what is due."""
        return self.world.value(CLAIM, wanted)["due"]

    def record(self, due: dict[str, Any], **outcome: Any) -> None:
        """Write down how a delivery went."""
        known = {key: due[key] for key in ("delivery_id", "lease_id", "subscription_id", "url")}
        told = {"at": "2026-11-23T10:00:00Z", "is_delivered": False, **known, **outcome}
        self.world.value("select public.record_attempts(%s)", json.dumps({"attempts": [told]}))

    def read(self, delivery: str, *columns: str) -> tuple[Any, ...]:
        """Read columns of a delivery."""
        return self.world.row(f"select {', '.join(columns)} from public.deliveries where id = %s", delivery)

    def receiver(self, subscription: UUID, *columns: str) -> tuple[Any, ...]:
        """Read columns of a subscription."""
        return self.world.row(f"select {', '.join(columns)} from public.subscriptions where id = %s", subscription)

    def pass_time(self, interval: str) -> None:
        """Let time pass: within a transaction the clock stands still, so all that is written moves back instead."""
        for table, columns in {
            "subscriptions": ("failing_since", "resume_at", "disabled_at"),
            "deliveries": ("next_attempt_at", "leased_until", "ended_at", "created_at"),
            "events": ("created_at",),
        }.items():
            moved = ", ".join(f"{column} = {column} - interval '{interval}'" for column in columns)
            self.world.connection.execute(f"update public.{table} set {moved}")


@pytest.fixture
def post(world: Any) -> Post:
    return Post(world)


def test_each_receiver_has_its_own_share(post: Post) -> None:
    """A hundred messages for one receiver do not delay the one for another."""
    crowded = post.subscribe()
    post.emit(100)
    other = post.subscribe()
    post.emit()

    first = post.claim()
    assert sorted(each["subscription_id"] for each in first) == sorted([str(crowded)] * 4 + [str(other)])
    assert post.claim() == [], "what is under way counts"

    post.record(next(each for each in first if each["subscription_id"] == str(crowded)), is_delivered=True)
    assert [each["subscription_id"] for each in post.claim()] == [str(crowded)]


def test_messages_leave_in_the_order_of_their_events(post: Post) -> None:
    """As long as nothing fails."""
    post.subscribe()
    post.emit(4)

    ids = [each["event_id"] for each in post.claim()]

    assert ids == sorted(ids)


def test_failing_receiver_gets_one_at_a_time(post: Post) -> None:
    """Until something arrives again."""
    subscription = post.subscribe()
    post.emit(8)
    for due in post.claim():
        post.record(due, retry_seconds=600)

    (probe,) = post.claim()
    assert post.receiver(subscription, "failing_since is not null") == (True,)
    post.record(probe, is_delivered=True)

    assert post.receiver(subscription, "failing_since") == (None,)
    assert len(post.claim()) == 3


def test_lease_that_ends_is_another_ones(post: Post) -> None:
    """A sender that died loses its deliveries to the next one; they are the same messages."""
    post.subscribe()
    post.emit()
    (first,) = post.claim()
    assert post.claim() == []

    post.pass_time("61 seconds")
    (second,) = post.claim()

    assert second["event_id"] == first["event_id"]
    assert second["lease_id"] != first["lease_id"]


def test_late_word_of_a_dead_sender_takes_nothing_back(post: Post) -> None:
    """Its failure is only logged, as the delivery is another one's by then; that something arrived counts in any case."""
    post.subscribe()
    post.emit()
    (first,) = post.claim()
    post.pass_time("61 seconds")
    (second,) = post.claim()

    post.record(first, retry_seconds=None, reason="too late")
    assert post.read(first["delivery_id"], "state", "attempts", "failures") == ("pending", 1, 0)
    post.record(first, is_delivered=True)
    assert post.read(first["delivery_id"], "state", "attempts") == ("delivered", 2)
    post.record(second, retry_seconds=5, reason="refused the second")

    assert post.read(first["delivery_id"], "state", "attempts", "next_attempt_at") == ("delivered", 3, None)


def test_failures_wait_and_end_dead(post: Post) -> None:
    """The sender says how long to wait; when it has no more to say, the delivery is given up and stays readable."""
    post.subscribe()
    post.emit()
    (due,) = post.claim()
    delivery = due["delivery_id"]

    post.record(due, retry_seconds=300, reason="The receiver answered 500", status=500)
    assert post.read(delivery, "state", "failures", "reason") == ("failed", 1, "The receiver answered 500")
    assert post.claim() == []
    post.pass_time("301 seconds")
    (again,) = post.claim()
    assert again["failures"] == 1
    post.record(again, retry_seconds=None, reason="still 500")

    assert post.read(delivery, "state", "next_attempt_at", "ended_at is not null") == ("dead", None, True)
    assert post.claim() == []
    log = post.world.value("select public.read_delivery(%s)", delivery)["log"]
    assert [(each["number"], each["reason"]) for each in log] == [(1, "The receiver answered 500"), (2, "still 500")]


def test_receiver_that_asks_for_a_pause_gets_it(post: Post) -> None:
    """All its deliveries wait, not only the one that was answered."""
    subscription = post.subscribe()
    post.emit(6)
    due, *others = post.claim()
    post.record(due, retry_seconds=120, pause_seconds=120, status=429)
    for each in others:
        post.record(each, retry_seconds=1)

    post.pass_time("60 seconds")
    assert post.claim() == []
    assert post.world.value(CLAIM, 1)["next_seconds"] == pytest.approx(60, abs=1)
    post.pass_time("61 seconds")
    (probe,) = post.claim()
    post.record(probe, is_delivered=True)

    assert post.receiver(subscription, "resume_at", "failing_since") == (None, None)


def test_gone_receiver_is_switched_off(post: Post) -> None:
    """410: nothing more is sent, new events pass by, and what waited is kept for when it is switched on again."""
    subscription = post.subscribe()
    post.emit(2)
    due, waiting = post.claim()

    post.record(due, is_gone=True, retry_seconds=None, status=410)

    assert post.receiver(subscription, "is_enabled", "disabled_reason") == (False, "The receiver answered 410 Gone")
    post.world.value("select public.release_deliveries(%s)", json.dumps({"leases": [waiting["lease_id"]]}))
    assert post.claim() == []
    post.emit()
    count = "select count(*) from public.deliveries where subscription_id = %s"
    assert post.world.value(count, subscription) == 2
    with post.world.refused("PT409", "switched off"):
        post.world.value('select public.replay_deliveries(%s, \'{"dead_since": "2020-01-01"}\')', subscription)

    post.world.connection.execute("update public.subscriptions set is_enabled = true where id = %s", (subscription,))
    assert post.receiver(subscription, "disabled_at", "disabled_reason", "failing_since") == (None, None, None)
    assert [each["delivery_id"] for each in post.claim()] == [waiting["delivery_id"]]


def test_receiver_dead_for_days_is_switched_off(post: Post) -> None:
    """Not by one delivery that is given up, but when nothing has arrived for five days."""
    subscription = post.subscribe()
    for interval, is_enabled in (("4 days", True), ("2 days", False)):
        post.emit()
        (due,) = post.claim()
        post.record(due, retry_seconds=5)
        post.pass_time(interval)
        (due,) = post.claim()
        post.record(due, retry_seconds=None)
        assert post.receiver(subscription, "is_enabled") == (is_enabled,)

    assert post.receiver(subscription, "disabled_reason") == ("No delivery has succeeded for five days",)


def test_deliveries_are_replayed_by_hand(post: Post) -> None:
    """One by its id, whatever became of it; all that were given up since a time; never what is under way."""
    subscription = post.subscribe()
    post.emit(4)
    delivered, dead, old, under_way = post.claim()
    post.record(delivered, is_delivered=True)
    post.record(old, retry_seconds=None)
    post.pass_time("1 hour")
    post.record(dead, retry_seconds=None, reason="gave up")
    post.world.connection.execute(
        "update public.deliveries set leased_until = now() + interval '1 minute' where id = %s",
        (under_way["delivery_id"],),
    )
    replay = "select public.replay_deliveries(%s, jsonb_build_object('dead_since', now() - interval '10 minutes'))"

    assert post.world.value(replay, subscription) == 1
    assert post.read(dead["delivery_id"], "state", "failures", "reason") == ("pending", 0, None)
    wanted = json.dumps({"deliveries": [delivered["delivery_id"], under_way["delivery_id"]]})
    assert post.world.value("select public.replay_deliveries(%s, %s)", subscription, wanted) == 1

    post.world.connection.execute("update public.subscriptions set failing_since = null")
    again = post.claim()
    assert {each["event_id"] for each in again} == {delivered["event_id"], dead["event_id"]}, "the same messages"
    for each in again:
        post.record(each, is_delivered=True)
    assert post.read(delivered["delivery_id"], "state", "attempts") == ("delivered", 2)


def test_deliveries_of_another_subscription_are_not_replayed(post: Post) -> None:
    """An id alone opens nothing."""
    mine, theirs = post.subscribe(), post.world.add_subscription("stranger")
    post.emit()
    (due,) = post.claim()
    post.record(due, is_delivered=True)
    wanted = json.dumps({"deliveries": [due["delivery_id"]]})

    with post.world.acting_as("stranger"):
        assert post.world.value("select public.replay_deliveries(%s, %s)", theirs, wanted) == 0
    for call in ("replay_deliveries(%s, '{}')", "test_subscription(%s)", "rotate_subscription(%s, 'whsec_YQ==', 0)"):
        with post.world.refused("PT404", "no subscription"), post.world.acting_as("stranger"):
            post.world.value(f"select public.{call}", mine)
    with post.world.refused("PT404", ""), post.world.acting_as("stranger"):
        post.world.value("select public.read_delivery(%s)", due["delivery_id"])


def test_old_deliveries_are_forgotten(post: Post) -> None:
    """Thirty days after they ended, with events that nothing is left of; what still waits stays."""
    subscription = post.subscribe()
    post.emit(3)
    delivered, dead, waiting = post.claim()
    post.record(delivered, is_delivered=True)
    post.record(dead, retry_seconds=None)
    post.pass_time("31 days")
    post.emit()

    assert post.world.value("select public.prune_deliveries()") >= 2

    left = post.world.column(
        "select id::text from public.deliveries where subscription_id = %s order by id", subscription
    )
    assert left[0] == waiting["delivery_id"]
    assert len(left) == 2
    kept = "select count(*) from public.events where id = any(%s::uuid[])"
    assert post.world.value(kept, [delivered["event_id"], dead["event_id"], waiting["event_id"]]) == 1
