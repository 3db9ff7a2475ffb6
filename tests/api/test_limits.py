"""How much one caller may ask: counted here at once, settled with the real shared store behind the answers."""

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from api._lib import kv, limits, log
from api._lib.errors import TooManyRequests
from api._lib.limits import DAY, MINUTE
from tests.api.conftest import api_process
from tests.conftest import RunningStack, User

ROW = {"length": 1}
WRONG_CREDENTIALS = 30


@pytest.fixture
def note() -> Iterator[Callable[..., log.RequestNote]]:
    """Begin a request from some address, with some headers."""
    tokens = []

    def begin(peer: str = "198.51.100.1", **headers: str) -> log.RequestNote:
        sent = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
        made = log.RequestNote(sent, "request", "trace", "prediction", peer)
        tokens.append(log.request_note.set(made))
        return made

    yield begin
    for token in reversed(tokens):
        log.request_note.reset(token)


def test_everybody_who_is_due_is_settled_in_one_trip(
    configure_stack, note, monkeypatch: pytest.MonkeyPatch, unique: str
):
    """However many callers are due, the store is asked once."""
    configure_stack(
        ROWCAST_LIMIT_KEY="8", ROWCAST_LIMIT_USER="8", ROWCAST_LIMIT_ADDRESS="8", ROWCAST_LIMIT_ANONYMOUS="900"
    )
    trips: list[int] = []
    run = kv.run

    async def count(commands: list[list[str]]) -> list[Any]:
        trips.append(len(commands))
        return await run(commands)

    monkeypatch.setattr(kv, "run", count)
    made = note()
    limits.admit_key(f"{unique}-1")
    limits.admit_key(f"{unique}-2")
    limits.admit_user(unique)
    limits.admit_anonymous()

    asyncio.run(limits.settle())

    assert trips == [5]
    assert limits.settle in made.behind
    asyncio.run(limits.settle())
    assert trips == [5]


def test_visitors_share_one_budget_for_the_day(configure_stack, note):
    """However many addresses they come from; who has a key or an account goes on."""
    configure_stack(ROWCAST_LIMIT_ANONYMOUS="30", KV_REST_API_URL="", KV_REST_API_TOKEN="")
    for number in range(30):
        note(f"198.51.100.{number}")
        limits.admit_anonymous()
    last = note("203.0.113.9")

    with pytest.raises(TooManyRequests, match="Visitors have used up this day") as refused:
        limits.admit_anonymous()

    assert refused.value.extra == {"violated-policies": ["anonymous"]}
    assert 1 <= int(refused.value.headers["retry-after"]) <= DAY
    assert b'"anonymous";q=30;w=86400' in dict(last.standing.headers())[b"ratelimit-policy"]
    limits.admit_user("somebody")


@pytest.mark.parametrize(
    ("platform", "headers", "address"),
    [
        ("", {"x_real_ip": "203.0.113.1", "x_forwarded_for": "203.0.113.2"}, "198.51.100.1"),
        ("1", {"x_real_ip": "203.0.113.1", "x_forwarded_for": "203.0.113.2"}, "203.0.113.1"),
        ("1", {"x_vercel_forwarded_for": "203.0.113.3", "x_forwarded_for": "203.0.113.2"}, "203.0.113.3"),
        ("1", {"x_forwarded_for": "203.0.113.2"}, ""),
    ],
)
def test_addresses_come_from_the_platform(configure_stack, note, platform: str, headers: dict[str, str], address: str):
    """What a client writes into a header of its own never counts."""
    configure_stack(VERCEL=platform)

    assert limits.address_of(note(**headers)) == address


def test_one_ipv6_site_is_one_caller(configure_stack, note):
    """Whoever holds a site could otherwise ask from 2^64 addresses."""
    names = [
        limits.address_of(note(peer))
        for peer in ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", "2001:db8:1:3::1", "::ffff:192.0.2.7", "not:an:address")
    ]

    assert names[0] == names[1] != names[2]
    assert names[3:] == ["192.0.2.7", "not:an:address"]


def test_admission_costs_microseconds(configure_stack, note):
    """It stands before every prediction: a thousand of them cost less than one millisecond and a half each way."""
    configure_stack()
    made = note()
    limits.admit_anonymous()
    started = time.process_time()

    for _ in range(10_000):
        limits.admit_anonymous()

    assert (time.process_time() - started) / 10_000 < 50e-6, (
        "5 µs are meant, on a quiet machine; this is ten times that"
    )
    assert made.standing is not None


@pytest.fixture(scope="module")
def instances(
    stack: RunningStack, public_model: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[httpx.Client]]:
    """Run two instances of one deployment with small limits, as the platform would."""
    folder: Path = tmp_path_factory.mktemp("instances")
    quotas = {"KEY": 40, "USER": 24, "ADDRESS": 16, "CREDENTIALS": WRONG_CREDENTIALS}
    small = {"VERCEL": "1", **{f"ROWCAST_LIMIT_{name}": str(quota) for name, quota in quotas.items()}}
    with api_process(stack, folder / "one", **small) as one, api_process(stack, folder / "two", **small) as two:
        yield [one, two]


def _ask(client: httpx.Client, model: str, times: int, **headers: str) -> list[httpx.Response]:
    return [client.post(f"/api/predict/{model}", json=ROW, headers=headers) for _ in range(times)]


def _stay_in_one_minute() -> None:
    """Wait for the next minute if this one is about to end: a test within it must not see two windows."""
    if (left := MINUTE - time.time() % MINUTE) < 15:
        time.sleep(left)


def test_answers_say_where_the_caller_stands(instances: list[httpx.Client], public_model: str):
    """Policy and what is left, in the fields of the draft; beyond it the one problem body, and when to come back."""
    _stay_in_one_minute()

    answers = _ask(instances[0], public_model, 17, **{"x-real-ip": "203.0.113.50", "origin": "https://a.example"})

    first, last = answers[0], answers[-1]
    assert [answer.status_code for answer in answers] == [200] * 16 + [429]
    assert first.headers["ratelimit-policy"] == '"address";q=16;w=60, "anonymous";q=1000000000;w=86400'
    name, left, seconds = first.headers["ratelimit"].split(";")
    assert (name, left) == ('"address"', "r=15")
    assert 0 <= int(seconds.removeprefix("t=")) <= MINUTE
    assert last.headers["content-type"] == "application/problem+json"
    problem = last.json()
    assert problem["type"] == "https://iana.org/assignments/http-problem-types#quota-exceeded"
    assert (problem["code"], problem["violated-policies"]) == ("too_many_requests", ["address"])
    assert last.headers["ratelimit"].startswith('"address";r=0;t=')
    assert 1 <= int(last.headers["retry-after"]) <= MINUTE
    assert {"ratelimit", "ratelimit-policy", "retry-after"} <= set(
        last.headers["access-control-expose-headers"].split(", ")
    )


def test_another_address_is_not_concerned(instances: list[httpx.Client], public_model: str):
    """And a header that any client can write changes nothing."""
    _stay_in_one_minute()
    _ask(instances[0], public_model, 17, **{"x-real-ip": "203.0.113.60"})

    same = _ask(instances[0], public_model, 1, **{"x-real-ip": "203.0.113.60", "x-forwarded-for": "203.0.113.61"})
    other = _ask(instances[0], public_model, 1, **{"x-real-ip": "203.0.113.62"})

    assert (same[0].status_code, other[0].status_code) == (429, 200)


def test_the_quota_of_a_person_holds_for_all_instances(
    instances: list[httpx.Client], public_model: str, stack: RunningStack
):
    """Who has used up a minute at one instance is stopped by the other after a few requests, on every kind of route."""
    person = stack.create_user()
    _stay_in_one_minute()
    assert {answer.status_code for answer in _ask(instances[0], public_model, 24, **person.headers)} == {200}

    granted = 0
    while _ask(instances[1], public_model, 1, **person.headers)[0].status_code == 200:
        granted += 1
        time.sleep(0.25)  # an instance that has just started needs a moment to reach the store, behind its answers

    assert granted < 24, "alone, it would have granted the whole quota once more"
    assert instances[0].get("/api/me", headers=person.headers).json()["violated-policies"] == ["user"]
    assert instances[0].get(f"/v2/models/{public_model}", headers=person.headers).status_code == 429
    assert instances[0].get("/api/health", headers=person.headers).status_code == 200


def test_a_key_has_a_quota_of_its_own(
    instances: list[httpx.Client], public_model: str, api: httpx.Client, analyst: User
):
    """Two keys of one person are counted apart, and apart from the person."""
    keys = [api.post("/api/keys", json={"name": "k"}, headers=analyst.headers).json()["key"] for _ in range(2)]
    _stay_in_one_minute()

    first = _ask(instances[0], public_model, 41, **{"x-api-key": keys[0]})
    second = _ask(instances[0], public_model, 1, **{"x-api-key": keys[1]})

    assert [answer.status_code for answer in first[-2:]] == [200, 429]
    assert second[0].headers["ratelimit"].startswith('"key";r=39;')


def test_the_owner_is_told_before_the_quota_is_used_up(
    instances: list[httpx.Client], public_model: str, stack: RunningStack, api: httpx.Client
):
    """One event when a fifth is left, whichever instance notices: for whoever subscribed to it."""
    person = stack.create_user()
    key = api.post("/api/keys", json={"name": "k"}, headers=person.headers).json()["key"]
    _stay_in_one_minute()

    def events() -> list[dict[str, Any]]:
        with stack.connect() as connection:
            statement = "select data from public.events where type = 'quota.near' and owner_id = %s"
            return [row[0] for row in connection.execute(statement, (person.id,)).fetchall()]

    _ask(instances[0], public_model, 31, **{"x-api-key": key})
    assert events() == []
    _ask(instances[0], public_model, 5, **{"x-api-key": key})

    ends_at = time.monotonic() + 10
    while not (found := events()):
        assert time.monotonic() < ends_at, "nobody was told"
        time.sleep(0.05)
    assert found == [{"quota": "key", "limit": 40, "share": 0.8}]


def test_wrong_credentials_are_not_looked_up_for_ever(
    instances: list[httpx.Client], public_model: str, api: httpx.Client, analyst: User
):
    """Guessing keys ends in 429 for that address; whoever sends a good one that is known from there goes on."""
    good = api.post("/api/keys", json={"name": "k"}, headers=analyst.headers).json()["key"]
    from_there = {"x-real-ip": "203.0.113.80"}
    _stay_in_one_minute()
    assert _ask(instances[0], public_model, 1, **{"x-api-key": good, **from_there})[0].status_code == 200

    guesses = [
        _ask(instances[0], public_model, 1, **{"x-api-key": f"rc_guess_{number}", **from_there})[0]
        for number in range(WRONG_CREDENTIALS + 1)
    ]

    assert {answer.status_code for answer in guesses[:-1]} == {401}
    assert (guesses[-1].status_code, guesses[-1].json()["violated-policies"]) == (429, ["credentials"])
    assert _ask(instances[0], public_model, 1, **{"x-api-key": good, **from_there})[0].status_code == 200
    assert (
        _ask(instances[0], public_model, 1, **{"x-api-key": "rc_x", "x-real-ip": "203.0.113.81"})[0].status_code == 401
    )


def test_a_revoked_key_stops_at_every_instance_within_five_seconds(
    instances: list[httpx.Client], public_model: str, api: httpx.Client, analyst: User
):
    """Both have it in memory when it is revoked through a third; five seconds later neither takes it."""
    made = api.post("/api/keys", json={"name": "k"}, headers=analyst.headers).json()
    for instance in instances:
        assert _ask(instance, public_model, 1, **{"x-api-key": made["key"]})[0].status_code == 200

    assert api.delete(f"/api/keys/{made['id']}", headers=analyst.headers).status_code == 204
    revoked_at = time.monotonic()

    seen = {}
    for name, instance in enumerate(instances):
        while name not in seen:
            answer = _ask(instance, public_model, 1, **{"x-api-key": made["key"]})[0]
            if answer.status_code == 401:
                seen[name] = time.monotonic() - revoked_at
            time.sleep(0.2)
    assert max(seen.values()) < 5


def test_use_of_a_key_is_noted_once_a_minute(
    instances: list[httpx.Client], public_model: str, api: httpx.Client, analyst: User
):
    """Off the path of the answer, whatever number of instances see it."""
    made = api.post("/api/keys", json={"name": "k"}, headers=analyst.headers).json()
    assert made["last_used_at"] is None

    def last_used() -> str | None:
        listed = api.get("/api/keys", headers=analyst.headers).json()["keys"]
        return next(key["last_used_at"] for key in listed if key["id"] == made["id"])

    _ask(instances[0], public_model, 3, **{"x-api-key": made["key"]})
    ends_at = time.monotonic() + 10
    while (first := last_used()) is None and time.monotonic() < ends_at:
        time.sleep(0.05)
    _ask(instances[1], public_model, 3, **{"x-api-key": made["key"]})

    assert first is not None
    assert last_used() == first
