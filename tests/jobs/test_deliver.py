"""Outgoing webhooks against receivers that misbehave in every way, and senders that are killed."""

import asyncio
import os
import signal
import threading
import time

import pytest
from standardwebhooks.webhooks import WebhookVerificationError

from api._lib.delivering import JITTER, WAITS_SECONDS, Plan
from tests.jobs.post_office import PostOffice
from tests.receiver import Request, answer, saying

GOOD = ["/in", "/204", "/slow", "/endless", "/huge-body", "/half-close", "/body-stalls", "/bomb", "/nul"]
BAD = {
    "/500": "answered 500",
    "/503": "answered 503",
    "/404": "answered 404",
    "/redirect": "302 Found; redirects are not followed",
    "/metadata": "307 Temporary Redirect; redirects are not followed",
    "/odd-status": "answered 799",
    "/hang": "No answer within",
    "/trickle": "No answer within",
    "/interim": "No answer within",
    "/reset": "broke the connection off",
    "/close": "disconnected",
    "/garbage": "connection failed",
    "/cut-head": "disconnected",
    "/huge-head": "connection failed",
    "/429": "answered 429",
    "/502": "answered 502",
    "/504": "answered 504",
}


def test_every_receiver_gets_what_it_deserves(office: PostOffice, monkeypatch: pytest.MonkeyPatch) -> None:
    """One event to receivers that behave in every way: each outcome is right, logged and bounded; none delays another."""
    monkeypatch.setattr("api._lib.outgoing.BODY_SECONDS", 0.3)
    good = {path: office.subscribe(path) for path in GOOD}
    bad = {path: office.subscribe(path) for path in BAD}
    gone = office.subscribe("/410")
    office.emit()

    tally = office.sweep()

    assert tally == {"delivered": len(GOOD), "failed": len(BAD), "dead": 1}
    for path, subscription in good.items():
        delivery = office.delivery(subscription)
        assert (delivery["state"], delivery["attempts"], delivery["reason"]) == ("delivered", 1, None), path
        (attempt,) = delivery["log"]
        assert attempt["status"] in {200, 204}
        assert len(attempt["response_body"]) <= 4096
        assert attempt["ms"] > 0
        received = next(each for each in office.receiver.requests if each.path == path)
        assert received.verify(office.secrets[subscription])["data"] == {"n": 1}
        assert received.body.decode() == delivery["body"]
        assert {name: received.headers[name] for name in attempt["request_headers"]} == attempt["request_headers"]
    for path, subscription in bad.items():
        delivery = office.delivery(subscription)
        assert (delivery["state"], delivery["attempts"]) == ("failed", 1), path
        assert BAD[path] in delivery["reason"]
        assert office.health(subscription) == (True, None)
    assert office.delivery(gone)["state"] == "dead"
    assert office.health(gone) == (False, "The receiver answered 410 Gone")
    pauses = dict(office.bench.connection.execute("select id, resume_at - now() from public.subscriptions").fetchall())
    assert {path for path, subscription in bad.items() if pauses[subscription]} == {"/429", "/502", "/504"}
    assert pauses[bad["/429"]].total_seconds() == pytest.approx(120, abs=20)


def test_one_slow_receiver_delays_nobody(office: PostOffice) -> None:
    """While a message hangs, and hundreds wait behind it, hundreds of others arrive elsewhere."""
    hanging, quick = office.subscribe("/hang"), office.subscribe("/in")
    office.emit(200)

    tally = office.sweep(patience=4, seconds=3)

    assert tally["delivered"] == 200
    assert office.receiver.most_open["/hang"] <= 8
    ended = office.bench.value("select max(ended_at) from public.deliveries where subscription_id = %s", quick)
    statement = (
        "select min(at + ms * interval '1 millisecond') from public.delivery_attempts "
        "where delivery_id in (select id from public.deliveries where subscription_id = %s)"
    )
    assert ended < office.bench.value(statement, hanging), "the quick ones were done before the first slow one was"


def test_schedule_is_kept_to_its_end_and_replayed(office: PostOffice) -> None:
    """Ten attempts under one id, each wait as promised, then dead; by hand it arrives after all."""
    subscription = office.subscribe("/500")
    office.emit()
    waits = []

    for _ in range(len(WAITS_SECONDS) + 1):
        office.sweep()
        waits.append(office.bench.value("select extract(epoch from next_attempt_at - now()) from public.deliveries"))
        office.make_due()

    assert waits.pop() is None
    for promised, waited in zip(WAITS_SECONDS, waits, strict=True):
        assert promised - 2 <= waited <= promised * (1 + JITTER), promised
    delivery = office.delivery(subscription)
    assert (delivery["state"], delivery["attempts"], len(delivery["log"])) == ("dead", 10, 10)
    assert list(office.receiver.ids("/500").values()) == [10]
    timestamps = [each.headers["webhook-timestamp"] for each in office.receiver.requests]
    signatures = {each.headers["webhook-signature"] for each in office.receiver.requests}
    assert len(signatures) == len(set(timestamps)), "each attempt is signed for its own time"
    assert office.sweep() == {}

    office.receiver.behaviours["/500"] = saying(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
    replay = "select public.replay_deliveries(%s, jsonb_build_object('dead_since', now() - interval '1 hour'))"
    assert office.bench.value(replay, subscription) == 1
    assert office.sweep() == {"delivered": 1}
    assert office.delivery(subscription)["state"] == "delivered"
    assert list(office.receiver.ids("/500").values()) == [11]


def test_retry_after_is_honoured(office: PostOffice) -> None:
    """In seconds and as a date, up to a day; nonsense is no reason to wait, nor to give up."""
    date = b"Wed, 21 Oct 2099 07:28:00 GMT"
    said = {b"7200": 7200, date: 86_400, b"soon": 5, b"-5": 5, b"1e3": 5, b"9" * 400: 86_400, b"\xb2": 5}
    subscriptions = {}
    for number, value in enumerate(said):
        path = f"/asks-{number}"
        raw = b"HTTP/1.1 503 X\r\nretry-after: %b\r\ncontent-length: 0\r\n\r\n" % value
        office.receiver.behaviours[path] = saying(raw)
        subscriptions[value] = office.subscribe(path)
    office.emit()

    office.sweep()

    statement = "select extract(epoch from next_attempt_at - now()) from public.deliveries where subscription_id = %s"
    for value, seconds in said.items():
        waits = float(office.bench.value(statement, subscriptions[value]))
        assert seconds - 5 <= waits <= seconds * (1 + JITTER) + 1, value


def test_both_secrets_sign_during_a_rotation(office: PostOffice) -> None:
    """A receiver that knows either of the two takes the message; one that knows neither does not."""
    subscription = office.subscribe("/in")
    new = "whsec_" + "bmV3IHNlY3JldCBuZXcgc2VjcmV0IG5ldw=="
    office.bench.value("select public.rotate_subscription(%s, %s, 3600)", subscription, new)
    office.emit()

    office.sweep()

    (received,) = office.receiver.requests
    assert len(received.headers["webhook-signature"].split()) == 2
    for secret in (office.secrets[subscription], new):
        assert received.verify(secret)["type"] == "run.failed"
    with pytest.raises(WebhookVerificationError):
        received.verify("whsec_c29tZWJvZHkgZWxzZSdzIHNlY3JldA==")


@pytest.mark.parametrize(("skew", "is_taken"), [(-240, True), (240, True), (-360, False), (360, False)])
def test_skewed_clock_costs_attempts_not_messages(office: PostOffice, skew: int, is_taken: bool) -> None:
    """Receivers allow five minutes. Beyond that they refuse, and take the same message once the clock is right."""
    subscription = office.subscribe("/strict")

    async def strict(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Request) -> None:
        try:
            request.verify(office.secrets[subscription])
        except WebhookVerificationError:
            request.path = "/401"
        await answer(reader, writer, request)

    office.receiver.behaviours["/strict"] = strict
    office.emit()

    office.sweep(Plan(now=lambda: time.time() + skew))
    assert office.delivery(subscription)["state"] == ("delivered" if is_taken else "failed")
    office.make_due()
    office.sweep()

    assert office.delivery(subscription)["state"] == "delivered"
    assert len(office.receiver.ids("/strict") + office.receiver.ids("/401")) == 1


def test_killed_worker_sends_again_under_the_same_id(office: PostOffice) -> None:
    """SIGKILL after the receiver has the message and before that is written down: it comes twice, with one id."""
    subscription = office.subscribe("/deadly")
    first = office.bench.start_worker()

    async def deadly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Request) -> None:
        if first.process.poll() is None:
            os.kill(first.process.pid, signal.SIGKILL)
            first.process.wait()
        await answer(reader, writer, request)

    office.receiver.behaviours["/deadly"] = deadly
    office.bench.wait_until(lambda: "worker started" in first.log.read_text())
    office.emit()
    office.bench.wait_until(lambda: first.process.poll() is not None)
    delivery = office.delivery(subscription)
    assert (delivery["state"], delivery["attempts"]) == ("pending", 0)
    assert delivery["leased_until"] is not None

    office.bench.connection.execute("update public.deliveries set leased_until = now()")
    office.bench.start_worker()

    office.bench.wait_until(lambda: office.delivery(subscription)["state"] == "delivered")
    assert list(office.receiver.ids("/deadly").values()) == [2]
    assert len({request.body for request in office.receiver.requests}) == 1


def test_stopped_worker_gives_back_what_hangs(office: PostOffice) -> None:
    """SIGTERM in the middle of a message: the worker ends within seconds, and the delivery is at once another one's."""
    subscription = office.subscribe("/hang")
    worker = office.bench.start_worker()
    office.emit()
    office.bench.wait_until(lambda: office.receiver.requests)

    worker.end(signal.SIGTERM)

    delivery = office.delivery(subscription)
    assert (delivery["state"], delivery["attempts"], delivery["leased_until"]) == ("pending", 0, None)


def test_worker_goes_on_after_an_outage_of_the_database(office: PostOffice) -> None:
    """The database falls over while a message is under way: what happened is written down when it is back.

    The answer comes while it is down. After it the test would be about the receiver's patience: how long a busy machine takes to
    bring a database back is more than a sender waits for an answer.
    """
    subscription = office.subscribe("/in")
    answered = threading.Event()

    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Request) -> None:
        while not answered.is_set():
            await asyncio.sleep(0.05)
        await answer(reader, writer, request)

    office.receiver.behaviours["/in"] = late
    office.bench.start_worker()
    office.emit()
    office.bench.wait_until(lambda: office.receiver.requests)

    office.bench.restart_database(meanwhile=answered.set)

    office.bench.wait_until(lambda: office.delivery(subscription)["state"] == "delivered")
    assert list(office.receiver.ids("/in").values()) == [1]


def test_drain_sends_what_is_due(office: PostOffice) -> None:
    """A worker that is started for a moment sends, and ends."""
    subscription, failing = office.subscribe("/in"), office.subscribe("/500")
    office.emit(30)

    office.bench.drain()

    assert {each["state"] for each in office.deliveries(subscription)} == {"delivered"}
    assert {each["state"] for each in office.deliveries(failing)} == {"failed"}
