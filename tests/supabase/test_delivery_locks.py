"""Senders side by side: they pass each other by, and nobody waits for anybody in a ring."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import psycopg
import pytest

CLAIM = "select public.claim_deliveries(%s, 60, 4)"


@pytest.fixture
def two_senders(stack: Any) -> Iterator[tuple[psycopg.Connection[Any], psycopg.Connection[Any], UUID]]:
    """Two connections and a receiver with eight deliveries, committed; all of it is removed."""
    with stack.connect(autocommit=True) as first, stack.connect(autocommit=True) as second:
        owner = first.execute(
            "insert into auth.users (id, email) values (gen_random_uuid(), gen_random_uuid() || '@x.test') returning id"
        ).fetchone()[0]
        first.execute("insert into private.user_roles (user_id, role) values (%s, 'analyst')", (owner,))
        order = json.dumps({"event_types": ["run.failed"], "url": "https://x.test"})
        create = "select id from public.create_subscription(%s, 'whsec_c2Vjb25k', %s)"
        subscription = first.execute(create, (order, owner)).fetchone()[0]
        for _ in range(8):
            first.execute("select private.emit_event('run.failed', null, %s, '{}')", (owner,))
        yield first, second, subscription
        first.execute("delete from auth.users where id = %s", (owner,))


def test_two_senders_never_lease_the_same_delivery(two_senders: Any) -> None:
    """Not even in the same moment: what one is leasing, the other passes by without waiting."""
    first, second, subscription = two_senders
    leased = []

    with first.transaction(force_rollback=True), second.transaction(force_rollback=True):
        for sender in (first, second):
            sender.execute("set local statement_timeout = '5s'")
            due = sender.execute(CLAIM, (10_000,)).fetchone()[0]["due"]
            leased.append({each["delivery_id"] for each in due if each["subscription_id"] == str(subscription)})

    assert len(leased[0]) == 4
    assert leased[0].isdisjoint(leased[1])


def _record(sender: psycopg.Connection[Any], due: dict[str, Any], **outcome: Any) -> None:
    known = {key: due[key] for key in ("delivery_id", "lease_id", "subscription_id", "url")}
    told = {"at": "2026-11-23T10:00:00Z", "is_delivered": False, "retry_seconds": 5, **known, **outcome}
    sender.execute("select public.record_attempts(%s)", (json.dumps({"attempts": [told]}),))


def _lease(sender: psycopg.Connection[Any], subscription: UUID) -> list[dict[str, Any]]:
    due = sender.execute(CLAIM, (10_000,)).fetchone()[0]["due"]
    return [each for each in due if each["subscription_id"] == str(subscription)]


def _wait_until_blocked(watcher: psycopg.Connection[Any], blocked: int) -> None:
    deadline = time.monotonic() + 20
    while not watcher.execute("select pg_blocking_pids(%s)", (blocked,)).fetchone()[0]:
        assert time.monotonic() < deadline, "nothing waited"
        time.sleep(0.02)


def test_deletion_waits_for_a_sender_that_writes_down(two_senders: Any) -> None:
    """Never for each other in a ring: the deletion comes after, and takes everything along."""
    first, second, subscription = two_senders
    delivered, failed, *others = _lease(first, subscription)
    delete = "delete from public.subscriptions where id = %s"

    with ThreadPoolExecutor(1) as pool:
        with first.transaction():
            _record(first, delivered, is_delivered=True)
            deleting = pool.submit(second.execute, delete, (subscription,))
            _wait_until_blocked(first, second.info.backend_pid)
            _record(first, failed)
            leases = json.dumps({"leases": [each["lease_id"] for each in others]})
            assert first.execute("select public.release_deliveries(%s)", (leases,)).fetchone() == (len(others),)
        assert deleting.result(20).rowcount == 1

    count = "select count(*) from public.deliveries where subscription_id = %s"
    assert first.execute(count, (subscription,)).fetchone() == (0,)


def test_sender_passes_by_what_is_being_deleted(two_senders: Any) -> None:
    """It writes nothing down about it and does not wait; if the deletion is taken back, the message is sent again."""
    first, second, subscription = two_senders
    due, *others = _lease(first, subscription)
    first.execute("set statement_timeout = '5s'")

    with second.transaction(force_rollback=True):
        second.execute("delete from public.subscriptions where id = %s", (subscription,))
        _record(first, due)
        leases = json.dumps({"leases": [each["lease_id"] for each in others]})
        assert first.execute("select public.release_deliveries(%s)", (leases,)).fetchone() == (0,)

    read = "select state, attempts, lease_id::text from public.deliveries where id = %s"
    assert first.execute(read, (due["delivery_id"],)).fetchone() == ("pending", 0, due["lease_id"])


def test_two_senders_that_write_down_the_same_deliveries_wait_in_a_row(two_senders: Any) -> None:
    """A lease ended and both have something to say: whoever comes second waits before it changes anything."""
    first, second, subscription = two_senders
    early, late, third, _ = sorted(_lease(first, subscription), key=lambda due: due["delivery_id"])
    told = {"at": "2026-11-23T10:00:00Z", "is_delivered": False, "retry_seconds": 5}

    with ThreadPoolExecutor(1) as pool:
        with first.transaction():
            _record(first, late, is_delivered=True)
            batch = json.dumps({"attempts": [{**each, **told} for each in (late, early)]})
            recording = pool.submit(second.execute, "select public.record_attempts(%s)", (batch,))
            _wait_until_blocked(first, second.info.backend_pid)
            _record(first, third)
        assert recording.result(20).fetchone() == (2,)

    read = "select state from public.deliveries where id = any (%s::uuid[]) order by id"
    ids = [each["delivery_id"] for each in (early, late, third)]
    assert [state for (state,) in first.execute(read, (ids,))] == ["failed", "delivered", "failed"]
