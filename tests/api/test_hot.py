"""Hot routes: found by their path, answered like others, and never in the way of them."""

import asyncio
import gc
import tracemalloc

import httpx
import orjson
import pytest

from api._commands.bench import limits
from api._lib import collector, predicting, serving
from api._lib.averages import Average
from api._lib.hot import HotTable
from api._lib.memory import REMEMBERED
from api._lib.questions import Question
from api.inference import router as inference_router
from api.predict import router as predict_router
from models.runtime import OnnxModel
from tests.api.conftest import OwnSite, Publisher
from tests.api.tiny import build
from tests.conftest import User

ROW = {"length": 1.5, "width": 2, "island": "Dream"}
TABLE = HotTable([*predict_router.routes, *inference_router.routes])


@pytest.mark.parametrize(
    ("method", "path", "route", "parameter"),
    [
        ("POST", "/api/predict/penguins", "/api/predict/{model}", "penguins"),
        ("HEAD", "/api/predict/penguins@2", "/api/predict/{model}", "penguins@2"),
        ("POST", "/api/predict/penguins/what-if", "/api/predict/{model}/what-if", "penguins"),
        ("POST", "/v2/models/penguins/infer", "/v2/models/{model}/infer", "penguins"),
        ("GET", "/v2/models/penguins", "/v2/models/{model}", "penguins"),
        ("POST", "/invocations/penguins", "/invocations/{model}", "penguins"),
        ("DELETE", "/api/predict/penguins", None, None),
        ("POST", "/api/predict/", None, None),
        ("POST", "/v2/models//infer", None, None),
        ("POST", "/v2/models/penguins/versions/1/infer", None, None),
        ("POST", "/", None, None),
        ("POST", "", None, None),
    ],
)
def test_route_is_found_by_its_path(method, path, route, parameter):
    """What the table does not know is left to the router."""
    found = TABLE.find({"method": method, "path": path})

    assert (found and found.route.path, found and found.parameter) == (route, parameter)


def test_paths_that_were_asked_are_remembered_within_bounds():
    """A place that callers can fill takes so many paths, and none that is long."""
    table = HotTable(predict_router.routes)

    for number in range(REMEMBERED + 10):
        assert table.find({"method": "POST", "path": f"/api/predict/model-{number}"}).parameter == f"model-{number}"
    assert table.find({"method": "POST", "path": "/api/predict/" + "x" * 5000}).parameter == "x" * 5000
    assert table.find({"method": "POST", "path": "/api/predict/model-3"}).parameter == "model-3"

    assert len(table._asked) == REMEMBERED
    assert max(len(path) for _, path in table._asked) < 100


def test_a_hot_answer_is_sent_like_others(api: httpx.Client, public_model: str):
    """A HEAD is sent as the framework does; its headers are those of the GET, which is sent at once."""
    path, own = (
        f"/api/predict/{public_model}",
        {"date", "server-timing", "x-request-id", "ratelimit", "x-rowcast-cache"},
    )
    get, head = (api.request(method, path, params={"length": "1.5"}) for method in ("GET", "HEAD"))

    assert head.content == b""
    assert set(get.headers) == set(head.headers)
    alike = [{name: each.headers[name] for name in each.headers if name not in own} for each in (get, head)]
    assert alike[0] | {"content-length": ""} == alike[1] | {"content-length": ""}


def test_least_answer_of_the_benchmark_carries_our_headers(api: httpx.Client, public_model: str, analyst: User):
    """What a remembered answer costs at least is measured with all that one promises, and nothing that it does not."""
    key = api.post("/api/keys", json={"name": "bench", "scopes": ["predict"]}, headers=analyst.headers).json()["key"]
    ours = api.post(f"/api/predict/{public_model}", json=ROW, headers={"x-api-key": key})
    promised = {name.decode() for name, _ in limits._PROMISED}

    assert ours.status_code == 200
    assert promised <= set(ours.headers)


def test_big_batch_does_not_hold_others_up(own_site: OwnSite, public_model: str):
    """While the largest bodies are worked on, single rows are answered in between, not behind them."""
    big = orjson.dumps({"rows": [{**ROW, "length": index / 7} for index in range(60_000)]})
    assert len(big) > 20 * serving.INLINE_BYTES
    path = f"/api/predict/{public_model}"

    async def story() -> int:
        async with httpx.AsyncClient(base_url=own_site.client.base_url, timeout=60, trust_env=False) as client:
            await client.post(path, json=ROW)
            work = asyncio.create_task(client.post(path, content=big))
            answered = 0
            while not work.done():
                single = await client.post(path, json={**ROW, "length": 3 + answered / 1e6})
                assert single.status_code == 200
                answered += not work.done()
            assert (await work).status_code in {200, 413}
            return answered

    assert asyncio.run(story()) >= 5


def test_kept_predictions_take_their_length():
    """What is remembered costs what the memory's bound counts, not the room in which it was written."""
    made = build("compact")
    engine = OnnxModel.open(made.model, made.card)
    question = Question(orjson.dumps(ROW), "application/json")
    read, cost = predicting._read(question, engine), Average(guess=0.0)
    predicting._predict(engine, question, read, cost)
    tracemalloc.start()
    try:
        kept = [predicting._predict(engine, question, read, cost).predictions for _ in range(200)]
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert held / len(kept) < 1000  # a buffer of orjson's is four times this


def test_what_is_loaded_is_set_aside_now_and_then(monkeypatch: pytest.MonkeyPatch):
    """At the first load, the second, the fourth, the eighth: never at each of many."""
    frozen = []
    monkeypatch.setattr(collector._Loaded, "count", 0)
    monkeypatch.setattr(gc, "freeze", lambda: frozen.append(collector._Loaded.count))
    monkeypatch.setattr(gc, "set_threshold", lambda *_: None)
    monkeypatch.setattr(collector.sys, "setswitchinterval", lambda _: None)

    for _ in range(20):
        collector.note_loaded()

    assert frozen == [1, 2, 4, 8, 16]


def test_many_callers_of_a_new_model_all_get_an_answer(own_site: OwnSite, publisher: Publisher, unique: str):
    """Forty first requests at once: one opening, forty answers, none of them an error."""
    publisher.publish(unique, build(unique))

    async def ask() -> list[httpx.Response]:
        async with httpx.AsyncClient(base_url=own_site.client.base_url, timeout=60, trust_env=False) as client:
            rows = [{**ROW, "length": number / 10} for number in range(40)]
            return await asyncio.gather(*(client.post(f"/api/predict/{unique}", json=row) for row in rows))

    answers = asyncio.run(ask())

    assert [answer.status_code for answer in answers] == [200] * 40
    assert len({answer.json()["id"] for answer in answers}) == 40


@pytest.mark.parametrize(
    ("content", "form", "is_long"),
    [
        (b'{"length":1,"width":2}', "application/json", False),
        (orjson.dumps({"rows": [{f"n{at}": 0.123456 for at in range(30)}] * 100}), "application/json", False),
        (orjson.dumps({"rows": [ROW] * 400}), "application/json", True),
        (orjson.dumps({"columns": {"length": [1.5] * 5000, "width": [1] * 6000}}), "", True),
        (b"length,width,island\n" + b"1.5,2,Dream\n" * 90, "text/csv", False),
        (b"length,width,island\n" + b"1.5,2,Dream\n" * 400, "Text/CSV; charset=utf-8", True),
        (b" " * 300_000, "application/json", True),
    ],
    ids=range(7),
)
def test_what_keeps_others_waiting_is_known_by_rows_and_cells(content: bytes, form: str, is_long: bool):
    """2,000 short rows take ten times as long as 100 wide ones, whose body is longer; those of a CSV still longer."""
    assert Question(content, form).is_long is is_long
