"""Callers who ask again and again: the short way of their requests says what the long one says, and gives way to it."""

import re
import time
from collections.abc import Iterator

import httpx
import orjson
import pytest
from starlette.testclient import TestClient

from api._lib import engines, heads, log, prediction_log, registry, regulars
from api._lib.auth import KEY_FRESH_SECONDS
from api._lib.lookup import MAX_AGE_SECONDS
from api._lib.memory import REMEMBERED
from api.predict import app
from tests.api.conftest import Configure, Publisher
from tests.api.test_prediction_log import Log
from tests.api.tiny import build
from tests.api.ways import (
    ROW,
    Ways,
    believe,
    body,
    left,
    line,
    loops_with_connections,
    promote,
    record,
    stop_the_clock,
    told,
)
from tests.conftest import RunningStack, User

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def ways(configure_stack: Configure, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ways]:
    monkeypatch.setattr(heads, "_known", {})
    stop_the_clock()
    believe(monkeypatch, 600, 600)
    before = loops_with_connections()  # of other tests
    with TestClient(app) as client:
        made = Ways(client)
        answer, write, add = regulars.Regular.answer, log._request_writer.add, prediction_log.add

        async def answered(regular, *given):
            left = await answer(regular, *given)
            made.short += 1
            return left

        monkeypatch.setattr(regulars.Regular, "answer", answered)
        monkeypatch.setattr(log._request_writer, "add", lambda line: made.lines.append(line.write()) or write(line))
        form = prediction_log.write_entry
        monkeypatch.setattr(prediction_log, "add", lambda one: made.records.append(form(one, 0.0)) or add(one))
        yield made
    assert loops_with_connections() <= before  # who ends, hangs up


@pytest.fixture
def logged(stack: RunningStack) -> Log:
    return Log(stack)


@pytest.fixture
def key(api: httpx.Client, analyst: User) -> str:
    return api.post("/api/keys", json={"name": "ours", "scopes": ["predict"]}, headers=analyst.headers).json()["key"]


@pytest.mark.parametrize(
    "content",
    [
        b'{"length": 1.5, "width": 2, "island": "Dream"}',
        b' {"rows" : [{"length": 1.25, "width": 2, "island": "Dream"}, {"length": null, "width": 1}]} ',
        b'{"columns": {"length": [1.5, 2.5], "width": [2, 3], "island": ["Dream", "Torgersen"]}}',
        b'[{"length": "1.75", "width": 2.0, "island": "Nowhere"}]',
        b'{"length": 1e3, "width": 2, "island": "Dream"}',
    ],
    ids=["row", "rows", "columns", "list and unseen", "extreme"],
)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-request-id": "mine-1", "traceparent": TRACE, "accept": "application/json"},
        {"origin": "https://example.org"},
        {"sec-fetch-site": "same-origin"},
        {"x-request-id": "not one of ours: too\todd"},
    ],
    ids=["plain", "named", "from a page", "from the site", "badly named"],
)
def test_both_ways_say_the_same(ways: Ways, public_model: str, key: str, content: bytes, headers: dict[str, str]):
    """Headers, body, log line and record: all but what is new with each request."""
    headers = {**headers, "x-api-key": key}
    ways.become_regular(public_model, content, **headers)

    short, went = ways.ask(public_model, content, **headers)
    heads._known.clear()
    long, went_then = ways.ask(public_model, content, **headers)

    assert (went, went_then) == ("short", "long")
    assert told(short) == told(long)
    assert body(short) == body(long)
    assert short.json()["predictions"]
    assert short.json()["id"] != long.json()["id"]
    assert line(ways.lines[-2], short) == line(ways.lines[-1], long)
    assert record(ways.records[-2], short) == record(ways.records[-1], long)


def test_the_short_way_works_out_what_is_new(ways: Ways, public_model: str, key: str, logged: Log):
    """Another row by the same caller: worked out, remembered, counted and recorded like the first one."""
    ways.become_regular(public_model, **{"x-api-key": key})
    first, went_first = ways.ask(public_model, **{"x-api-key": key})
    other, went = ways.ask(public_model, orjson.dumps({**ROW, "length": 7.125}), **{"x-api-key": key})
    again, _ = ways.ask(public_model, orjson.dumps({**ROW, "length": 7.125}), **{"x-api-key": key})

    assert (went_first, went) == ("short", "short")
    assert [each.headers["x-rowcast-cache"] for each in (other, again)] == ["miss", "hit-local"]
    assert {"parse", "validate", "infer", "total"} == set(re.findall(r"(\w+);dur", other.headers["server-timing"]))
    assert left(other) == left(first) - 1
    found = logged.find(other.json()["id"])
    assert (found["cache"], found["caller_kind"], found["rows"]) == ("miss", "key", [{**ROW, "length": 7.125}])


def test_people_and_keys_in_either_header_are_regulars(ways: Ways, public_model: str, key: str, analyst: User):
    for headers in ({"authorization": f"Bearer {key}"}, {"x-api-key": key}, analyst.headers):
        assert ways.ask(public_model, **headers)[1] == "long"
        ways.become_regular(public_model, **headers)


def test_nobody_in_particular_is_no_regular(ways: Ways, public_model: str, private_model: str, analyst: User):
    """Visitors ask seldom by their quota; what a private model means is each caller's own."""
    assert {ways.ask(public_model)[1] for _ in range(3)} == {"long"}
    assert {ways.ask(private_model, **analyst.headers)[1] for _ in range(3)} == {"long"}


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (orjson.dumps({"rows": [ROW] * 200}), 200),
        (b"", 400),
        (b"{", 400),
        (b'{"length": "wide", "width": 2}', 422),
        (b'{"rows": []}', 422),
    ],
    ids=["long", "empty", "no JSON", "no number", "no rows"],
)
def test_what_is_out_of_the_ordinary_goes_the_long_way(
    ways: Ways, public_model: str, key: str, content: bytes, status: int
):
    """It is told, logged and counted once."""
    ways.become_regular(public_model, **{"x-api-key": key})
    before, _ = ways.ask(public_model, **{"x-api-key": key})
    lines = len(ways.lines)

    answer, went = ways.ask(public_model, content, **{"x-api-key": key})
    after, went_after = ways.ask(public_model, **{"x-api-key": key})

    assert (answer.status_code, went, went_after) == (status, "long", "short")
    assert left(after) == left(before) - 2
    assert len(ways.lines) == lines + 2
    assert answer.json().get("errors") or status != 422


def test_a_body_in_parts_goes_the_long_way_as_a_whole(ways: Ways, public_model: str, key: str):
    """What the short way took in is not lost, though it is JSON by itself."""
    ways.become_regular(public_model, **{"x-api-key": key})
    before = ways.short

    assert ways.ask_in_parts(app, public_model, [orjson.dumps(ROW), b" "], key) == [200, None]
    assert ways.short == before


def test_other_questions_are_not_answered_by_the_short_way(ways: Ways, public_model: str, key: str):
    """A table, an explanation, a row in the query, another method: each has its own way, whatever was asked before."""
    headers = {"x-api-key": key, "content-type": "application/json"}
    path = f"/api/predict/{public_model}"
    ways.become_regular(public_model, **headers)
    before = ways.short

    for _ in range(2):
        table = ways.client.post(path, json=ROW, headers={**headers, "accept": "text/csv"})
        explained = ways.client.post(f"{path}?explain=1", json=ROW, headers=headers)
        link = ways.client.get(path, params={"length": "1.5"}, headers=headers)
        head = ways.client.head(path, params={"length": "1.5"}, headers=headers)
        assert table.headers["content-type"].startswith("text/csv")
        assert explained.json()["explanations"]
        assert (link.status_code, head.status_code, head.content) == (200, 200, b"")
    assert ways.short == before


def test_a_quota_is_kept_to_the_last_request(ways: Ways, configure_stack: Configure, public_model: str, key: str):
    """Near its end every request goes the long way, which tells the owner and refuses the first one too many."""
    configure_stack(ROWCAST_LIMIT_KEY="10", KV_REST_API_URL="", KV_REST_API_TOKEN="")
    stop_the_clock()

    answers = [ways.ask(public_model, **{"x-api-key": key}) for _ in range(12)]

    assert [answer.status_code for answer, _ in answers] == [200] * 10 + [429] * 2
    assert [left(answer) for answer, _ in answers[:10]] == list(range(9, -1, -1))
    assert "long" in {went for _, went in answers[8:10]}


def test_a_regular_sees_a_promotion_and_a_change_of_ours(
    ways: Ways,
    stack: RunningStack,
    publisher: Publisher,
    analyst: User,
    unique: str,
    key: str,
    monkeypatch: pytest.MonkeyPatch,
):
    """Made elsewhere it is seen within two seconds, however often is asked; made through this process, at once."""
    believe(monkeypatch, MAX_AGE_SECONDS, KEY_FRESH_SECONDS)
    publisher.publish(unique, build(unique), build(unique, seed=1), owner=analyst)
    assert {ways.ask(unique, **{"x-api-key": key})[0].json()["version"] for _ in range(5)} == {1}

    promote(stack, unique, 2)
    promoted_at = time.monotonic()
    seen, went = [], []
    while time.monotonic() < promoted_at + 2.0:
        answer, way = ways.ask(unique, **{"x-api-key": key})
        seen.append(answer.json()["version"])
        went.append(way)
    assert seen == sorted(seen)
    assert ways.ask(unique, **{"x-api-key": key})[0].json()["version"] == 2
    assert set(went) == {"short", "long"}

    promote(stack, unique, 1)
    registry.forget(unique)
    answer, way = ways.ask(unique, **{"x-api-key": key})
    assert (answer.json()["version"], way) == (1, "long")


def test_a_renewal_under_way_keeps_nobody_from_the_short_way(
    ways: Ways, public_model: str, key: str, monkeypatch: pytest.MonkeyPatch
):
    """One request orders it; while it is waited for, the others go by what is still believed."""
    ways.become_regular(public_model, **{"x-api-key": key})
    believe(monkeypatch, MAX_AGE_SECONDS, KEY_FRESH_SECONDS)
    monkeypatch.setattr(regulars, "RENEW_SECONDS", 60)
    monkeypatch.setattr(registry._public, "_renew", lambda *_: None)
    registry._public._kept[public_model].asked_at = time.monotonic() - 0.95
    heads._known.clear()

    assert [ways.ask(public_model, **{"x-api-key": key})[1] for _ in range(3)] == ["long", "short", "short"]


def test_a_revoked_key_is_no_regular_for_long(
    ways: Ways, api: httpx.Client, public_model: str, analyst: User, monkeypatch: pytest.MonkeyPatch
):
    """Asking on and on keeps no key alive."""
    believe(monkeypatch, MAX_AGE_SECONDS, KEY_FRESH_SECONDS)
    made = api.post("/api/keys", json={"name": "revoked", "scopes": ["predict"]}, headers=analyst.headers).json()
    headers = {"x-api-key": made["key"]}
    ways.become_regular(public_model, **headers)

    assert api.delete(f"/api/keys/{made['id']}", headers=analyst.headers).status_code == 204
    revoked_at = time.monotonic()
    while ways.ask(public_model, **headers)[0].status_code == 200:
        assert time.monotonic() - revoked_at < 5
        time.sleep(0.02)

    assert {ways.ask(public_model, **headers)[0].status_code for _ in range(3)} == {401}


def test_a_closed_model_and_a_log_that_is_behind_are_the_long_ways(
    ways: Ways, public_model: str, key: str, monkeypatch: pytest.MonkeyPatch
):
    ways.become_regular(public_model, **{"x-api-key": key})
    monkeypatch.setattr(engines, "_opened", type(engines._opened)())
    closed, went_closed = ways.ask(public_model, orjson.dumps({**ROW, "length": 9.5}), **{"x-api-key": key})
    waited = []

    async def room() -> None:
        waited.append(True)

    monkeypatch.setattr(prediction_log, "is_behind", lambda: True)
    monkeypatch.setattr(prediction_log, "room", room)
    behind, went_behind = ways.ask(public_model, **{"x-api-key": key})

    assert (closed.status_code, went_closed) == (200, "long")
    assert (behind.headers["x-rowcast-degraded"], went_behind) == ("log", "long")
    assert waited == [True]


def test_what_callers_can_fill_is_bounded(monkeypatch: pytest.MonkeyPatch):
    """So many heads are known, and none that is long."""
    monkeypatch.setattr(heads, "_known", {})
    scope = {"method": "POST", "path": "/api/predict/m", "query_string": b""}

    for number in range(REMEMBERED + 10):
        heads.keep(scope, {b"x-api-key": b"%d" % number}, None)
    heads.keep(scope, {b"x-api-key": b"k" * 5000}, None)

    assert len(heads._known) == REMEMBERED
    assert not any(b"k" * 5000 in head for head in heads._known)
