"""Remembered and shared answers: the same answer, sooner, and never somebody else's."""

import asyncio
import time
from datetime import UTC, datetime

import httpx
import pytest

from api._lib import answers, kv
from api._lib.averages import Average
from api._lib.errors import Unavailable
from api._lib.settings import settings
from tests.api.conftest import OwnSite, Publisher
from tests.api.tiny import build, expected
from tests.conftest import RunningStack, User

ROW = {"length": 1.75, "width": 2, "island": "Dream"}
HEAVY = "tiny-heavy"


@pytest.fixture(scope="module")
def heavy_model(publisher: Publisher) -> str:
    """Name a public model whose answers take longer than asking the key-value store."""
    publisher.publish(HEAVY, build(HEAVY, seed=0, is_heavy=True))
    return HEAVY


def _ask(client: httpx.Client, model: str, length: float, **options) -> httpx.Response:
    answer = client.post(f"/api/predict/{model}", json={**ROW, "length": length}, **options)
    assert answer.status_code == 200, answer.text
    return answer


def test_same_bytes_are_answered_from_memory(api: httpx.Client, public_model: str):
    """The second answer is the first one with an id of its own."""
    first, second = (_ask(api, public_model, 8.125) for _ in range(2))

    assert (first.headers["x-rowcast-cache"], second.headers["x-rowcast-cache"]) == ("miss", "hit-local")
    assert first.json()["predictions"] == second.json()["predictions"]
    assert first.json()["id"] != second.json()["id"]


def test_remembered_answer_keeps_its_warnings(api: httpx.Client, public_model: str):
    """What was odd about a row is said every time."""
    bodies = [
        api.post(f"/api/predict/{public_model}", json={"length": 2.5, "island": "Nowhere"}).json() for _ in range(2)
    ]

    assert bodies[0]["warnings"] == bodies[1]["warnings"] != []


def test_answers_of_versions_and_forms_are_kept_apart(api: httpx.Client, public_model: str):
    """Another version, another content type and an explanation are other questions."""
    body = b'{"length": 4.75, "width": 1}'
    first = api.post(f"/api/predict/{public_model}", content=body).json()
    other_version = api.post(f"/api/predict/{public_model}@2", content=body)
    as_csv = api.post(f"/api/predict/{public_model}", content=body, headers={"content-type": "text/csv"})
    explained = api.post(f"/api/predict/{public_model}?explain=1", content=body)

    assert other_version.headers["x-rowcast-cache"] == "miss"
    assert other_version.json()["predictions"] != first["predictions"]
    assert as_csv.status_code == 422
    assert len(explained.json()["explanations"]) == 1
    assert "explanations" not in first


def test_promotion_is_not_hidden_by_memory(api: httpx.Client, publisher: Publisher, analyst: User, unique: str):
    """After a promotion the same bytes are answered by the new version."""
    publisher.publish(unique, build(unique, seed=0), build(unique, seed=4), owner=analyst)
    before = _ask(api, unique, 1.5).json()
    order = {"version": 2, "reason": "test"}
    assert api.put(f"/api/models/{unique}/aliases/champion", json=order, headers=analyst.headers).status_code == 200

    after = _ask(api, unique, 1.5).json()

    assert (before["version"], after["version"]) == (1, 2)
    assert before["predictions"] != after["predictions"]


def test_large_questions_are_not_remembered(api: httpx.Client, public_model: str):
    """A batch does not push everybody else's answers out."""
    rows = {"rows": [{"length": index} for index in range(2000)]}

    answer = api.post(f"/api/predict/{public_model}", json=rows)

    assert answer.headers["x-rowcast-cache"] == "skip"


def test_costly_row_is_found_in_other_words(own_site: OwnSite, heavy_model: str):
    """Where the model is costly, the same row in other words is not run again."""
    _ask(own_site.client, heavy_model, 0.5)  # tells what a row costs
    first = _ask(own_site.client, heavy_model, 3.5)

    row = '{"island": "Dream", "width": "2", "length": "3.50"}'
    second = own_site.client.post(f"/api/predict/{heavy_model}", content=row)

    assert (first.headers["x-rowcast-cache"], second.headers["x-rowcast-cache"]) == ("miss", "hit-local")
    assert second.json()["predictions"] == first.json()["predictions"]


def test_costly_answer_is_shared_between_instances(api: httpx.Client, own_site: OwnSite, heavy_model: str):
    """What one instance worked out, another one finds in the key-value store.

    An instance that once had to wait for the store leaves it alone for five seconds, which a busy machine may bring about:
    then another row is asked about later.
    """
    for client in (own_site.client, api):
        _ask(client, heavy_model, 0.25)  # tells each instance what a row costs
    ends_at, length = time.monotonic() + 30, 6.5
    while True:
        made = _ask(own_site.client, heavy_model, length)
        time.sleep(0.2)  # it is shared behind the answer
        found = _ask(api, heavy_model, length)
        if found.headers["x-rowcast-cache"] == "hit-kv" or time.monotonic() > ends_at:
            break
        length += 0.125
        time.sleep(1)

    assert (made.headers["x-rowcast-cache"], found.headers["x-rowcast-cache"]) == ("miss", "hit-kv")
    assert found.json()["predictions"] == made.json()["predictions"]
    assert found.json()["predictions"][0]["probabilities"] == pytest.approx(expected(length, 2, "Dream"), abs=1e-5)


def test_cheap_answer_never_asks_the_store(own_site: OwnSite, public_model: str):
    """A small model answers without a trip, also when the store is down."""
    own_site.kv.shut()
    try:
        answers = [_ask(own_site.client, public_model, 0.125 + index / 8) for index in range(20)]
    finally:
        own_site.kv.open()

    assert not any("kv" in answer.headers.get("x-rowcast-degraded", "") for answer in answers)


def test_store_that_is_down_or_slow_costs_one_caller_a_moment(own_site: OwnSite, heavy_model: str):
    """Down or two seconds slow: answers go on, the header says so once, and the next callers do not wait."""
    _ask(own_site.client, heavy_model, 0.0625)
    time.sleep(5.1)  # an earlier test may have left the circuit open
    own_site.kv.slow_down(2)
    started = time.monotonic()
    first = _ask(own_site.client, heavy_model, 7.25)
    first_seconds = time.monotonic() - started
    rest = [_ask(own_site.client, heavy_model, 7.5 + index / 64) for index in range(5)]
    rest_seconds = time.monotonic() - started - first_seconds
    own_site.kv.shut()
    own_site.kv.open()

    assert "kv" in first.headers["x-rowcast-degraded"]
    assert first_seconds < 2
    assert not any("kv" in answer.headers.get("x-rowcast-degraded", "") for answer in rest)
    assert rest_seconds < 5


def test_private_answers_are_not_told_to_others(api: httpx.Client, private_model: str, analyst: User):
    """A remembered answer of a private model is behind the same door as the model."""
    for _ in range(2):
        _ask(api, private_model, 5.25, headers=analyst.headers)

    assert api.post(f"/api/predict/{private_model}", json={**ROW, "length": 5.25}).status_code == 404


def test_explanation_adds_up(api: httpx.Client, public_model: str):
    """With explain=1 each answer says where it comes from, and the parts add up to it."""
    answer = api.post(f"/api/predict/{public_model}?explain=1", json={"rows": [ROW, {**ROW, "island": "Biscoe"}]})

    explanations = answer.json()["explanations"]
    assert len(explanations) == 2
    for explanation, prediction in zip(explanations, answer.json()["predictions"], strict=True):
        parts = sum(each["contribution"] for each in explanation["contributions"])
        assert explanation["baseline"] + parts == pytest.approx(explanation["output"], abs=1e-4)
        assert explanation["output"] == pytest.approx(prediction["probabilities"][explanation["label"]], abs=1e-5)


def test_explaining_many_rows_is_refused(api: httpx.Client, public_model: str):
    """Explanations are bounded."""
    answer = api.post(f"/api/predict/{public_model}?explain=1", json={"rows": [ROW] * 11})

    assert (answer.status_code, answer.json()["code"]) == (422, "request_invalid")


def test_what_if_sweeps_one_feature(api: httpx.Client, public_model: str):
    """One feature moves over what training saw; at the row's own value the curve meets the prediction."""
    order = {"row": ROW, "feature": "length", "points": 11}
    answer = api.post(f"/api/predict/{public_model}/what-if", json=order)

    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["feature"], body["kind"], body["current"], body["version"]) == ("length", "number", 1.75, 1)
    for point in body["points"]:
        wanted = expected(point["value"], 2, "Dream")
        assert point["prediction"]["probabilities"] == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize(
    ("order", "pointer"),
    [
        ({"row": ROW, "feature": "colour"}, "#/feature"),
        ({"row": {**ROW, "length": "x"}, "feature": "length"}, "#/row/length"),
        ({"row": ROW}, "#/feature"),
        ({"row": ROW, "feature": "length", "points": 1}, "#/points"),
        ({"row": [], "feature": "length"}, "#/row"),
    ],
)
def test_bad_what_ifs(api: httpx.Client, public_model: str, order, pointer):
    """What cannot be swept is named."""
    answer = api.post(f"/api/predict/{public_model}/what-if", json=order)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch):
    """The least recently used answer makes room."""
    monkeypatch.setattr(answers, "_memory", answers._Memory(type(answers._memory.entries)(), 0))
    monkeypatch.setattr(answers, "MAX_BYTES", 5000)
    for index in range(20):
        answers.keep(("digest", "form", b"%d" % index), answers.Answer(b"", b"x" * 100, b"", 1))
        answers.find(("digest", "form", b"0"))

    assert answers.find(("digest", "form", b"0"))
    assert answers.find(("digest", "form", b"19"))
    assert not answers.find(("digest", "form", b"1"))
    assert answers._memory.bytes <= 5000
    assert not answers.keep(("digest", "form", b"x" * answers.MAX_ENTRY_BYTES), answers.Answer(b"", b"", b"", 1))


def test_average_follows_and_forgets():
    """A measurement counts for a minute, a short one more than a long one; then the first guess holds again."""
    now = [0.0]
    average = Average(guess=1.0, clock=lambda: now[0])
    assert average.value == 1.0
    average.add(3.0)
    assert average.value == 3.0
    average.add(23.0)
    assert average.value == pytest.approx(4.0)
    average.add(2.0)
    assert average.value == pytest.approx(3.4)
    now[0] = 61
    assert average.value == 1.0


@pytest.fixture
def own_kv(stack: RunningStack, monkeypatch: pytest.MonkeyPatch):
    """Use the stack's store from this process, with a budget of ten commands above what is spent."""
    for name in ("KV_REST_API_URL", "KV_REST_API_TOKEN"):
        monkeypatch.setenv(name, stack.environ[name])
    monkeypatch.setattr(kv, "_spending", kv._Spending())
    monkeypatch.setattr(kv, "_circuit", kv.Circuit(5))
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.mark.usefixtures("own_kv")
def test_commands_are_counted_and_the_budget_is_kept(monkeypatch: pytest.MonkeyPatch, unique: str):
    """All instances count into one number; when it reaches the budget, nobody asks any more."""

    async def story() -> None:
        await kv.put(unique, "{}", 60)
        before = kv.spent().commands
        assert await kv.get(unique) == "{}"
        assert kv.spent().commands == before + 1
        monkeypatch.setattr(kv, "_spending", kv._Spending())  # another instance
        assert await kv.get(unique) == "{}"
        assert kv.spent().commands > before
        monkeypatch.setenv("ROWCAST_KV_MONTHLY_COMMANDS", str(kv.spent().commands))
        settings.cache_clear()
        assert not kv.is_usable()

    asyncio.run(story())


@pytest.mark.usefixtures("own_kv")
def test_new_month_has_a_new_budget(monkeypatch: pytest.MonkeyPatch):
    """What last month spent does not count."""
    monkeypatch.setattr(kv, "_spending", kv._Spending("2001-01", reported=10**9, is_known=True))

    assert kv.is_usable()
    assert kv._spending.month == datetime.now(UTC).strftime("%Y-%m")


def test_store_that_is_not_there_is_left_alone(monkeypatch: pytest.MonkeyPatch):
    """After a failure nobody asks for a while."""
    monkeypatch.setenv("KV_REST_API_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("KV_REST_API_TOKEN", "t")
    monkeypatch.setattr(kv, "_circuit", kv.Circuit(5))
    settings.cache_clear()

    async def story() -> None:
        assert kv.is_usable()
        with pytest.raises(Unavailable):
            await kv.get("x")
        assert not kv.is_usable()

    asyncio.run(story())
    settings.cache_clear()
