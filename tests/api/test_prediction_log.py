"""Every answer is in the log under its id, written with others; an outage of the database delays that and loses nothing."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.api.conftest import OwnSite, Publisher
from tests.api.tiny import build
from tests.conftest import RunningStack, User

ROW = {"length": 1.5, "width": 2, "island": "Dream"}
COLUMNS = "source, caller_kind, caller_id::text, status, row_count, rows, outputs, cache, parse_ms, infer_ms, total_ms, at, version_id"


class Log:
    """Reads the log as the database's owner."""

    def __init__(self, stack: RunningStack) -> None:
        self._stack = stack

    def find(self, prediction_id: str, seconds: float = 5) -> dict[str, Any]:
        """Wait for the record of an answer."""
        query = f"select {COLUMNS} from public.predictions where id = %s"
        ends_at = time.monotonic() + seconds
        while time.monotonic() < ends_at:
            with self._stack.connect() as connection:
                cursor = connection.execute(query, (prediction_id,))
                if row := cursor.fetchone():
                    return dict(zip([column.name for column in cursor.description], row, strict=True))
            time.sleep(0.02)
        raise AssertionError("not logged")

    def count(self, ids: list[str]) -> tuple[int, int]:
        """Count the records of these answers, and the transactions that wrote them."""
        query = "select count(*), count(distinct xmin::text) from public.predictions where id = any(%s::uuid[])"
        with self._stack.connect() as connection:
            return connection.execute(query, (ids,)).fetchone()

    def wait_for(self, ids: list[str], seconds: float = 10) -> tuple[int, int]:
        """Wait until all these answers are in the log."""
        ends_at = time.monotonic() + seconds
        while self.count(ids)[0] < len(ids) and time.monotonic() < ends_at:
            time.sleep(0.05)
        return self.count(ids)


@pytest.fixture
def logged(stack: RunningStack) -> Log:
    return Log(stack)


def test_answer_is_logged_under_its_id(api: httpx.Client, logged: Log, public_model: str):
    """What was sent, what was answered, how long it took, and that nobody in particular asked."""
    answer = api.post(f"/api/predict/{public_model}", json={"rows": [ROW, {**ROW, "row_id": 7}]}).json()

    row = logged.find(answer["id"])

    assert row["rows"] == [ROW, {**ROW, "row_id": 7}]
    assert row["outputs"] == answer["predictions"]
    assert (row["source"], row["caller_kind"], row["caller_id"]) == ("api", "anonymous", None)
    assert (row["status"], row["row_count"]) == (200, 2)
    assert row["total_ms"] == pytest.approx(answer["timing"]["total_ms"], abs=0.01)
    assert abs(row["at"].timestamp() - time.time()) < 10


@pytest.mark.parametrize("form", ["columns", "csv", "query", "remembered"])
def test_rows_are_logged_as_rows_whatever_the_form(api: httpx.Client, logged: Log, public_model: str, form: str):
    """Columns, CSV, a link, and an answer from memory: one shape in the log."""
    path = f"/api/predict/{public_model}"
    texts = {"length": "1.25", "width": "2", "island": "Dream"}
    match form:
        case "columns":
            answer, wanted = api.post(path, json={"columns": {name: [cell] for name, cell in ROW.items()}}), ROW
        case "csv":
            csv = "length,width,island\n1.25,2,Dream\n"
            answer, wanted = api.post(path, content=csv, headers={"content-type": "text/csv"}), texts
        case "query":
            answer, wanted = api.get(path, params=texts, headers={"sec-fetch-site": "same-origin"}), texts
        case _:
            answer, wanted = [api.post(path, json=ROW) for _ in range(2)][1], ROW

    row = logged.find(answer.json()["id"])

    assert row["rows"] == [wanted]
    assert row["outputs"] == answer.json()["predictions"]
    assert row["cache"] == answer.headers["x-rowcast-cache"]
    assert row["source"] == ("site" if form == "query" else "api")


def test_other_protocols_are_logged_alike(api: httpx.Client, logged: Log, public_model: str, analyst: User):
    """A V2 inference carries the id of its record; who called is known."""
    inputs = [
        {"name": "length", "shape": [1], "datatype": "FP32", "data": [1.5]},
        {"name": "width", "shape": [1], "datatype": "INT64", "data": [2]},
        {"name": "island", "shape": [1], "datatype": "BYTES", "data": ["Dream"]},
    ]
    plain = api.post(f"/api/predict/{public_model}", json=ROW).json()

    answer = api.post(f"/v2/models/{public_model}/infer", json={"inputs": inputs}, headers=analyst.headers)

    row = logged.find(answer.json()["id"])
    assert (row["source"], row["caller_kind"], row["caller_id"]) == ("v2", "user", analyst.id)
    assert row["rows"] == [ROW]
    assert row["outputs"] == plain["predictions"]
    headers = {"x-request-id": "mlflow-1", **analyst.headers}
    assert api.post(f"/invocations/{public_model}", json={"dataframe_records": [ROW]}, headers=headers).is_success


def test_many_callers_share_few_writes(api: httpx.Client, logged: Log, public_model: str):
    """500 answers over 32 connections: each in the log exactly once, in a fraction of as many transactions."""
    limits = httpx.Limits(max_connections=32, max_keepalive_connections=32)
    with httpx.Client(base_url=api.base_url, limits=limits, trust_env=False, timeout=30) as client:

        def ask(number: int) -> str:
            answer = client.post(f"/api/predict/{public_model}", json={**ROW, "length": number / 100})
            return answer.json()["id"]

        with ThreadPoolExecutor(32) as callers:
            ids = list(callers.map(ask, range(500)))

    count, writes = logged.wait_for(ids)

    assert (len(set(ids)), count) == (500, 500)
    assert writes < 100
    print(f"{writes} writes for 500 answers")


def test_inputs_are_not_kept_where_the_owner_wants_none(
    api: httpx.Client, logged: Log, publisher: Publisher, analyst: User, unique: str
):
    """The owner opts out; outputs and times are logged, rows are not."""
    publisher.publish(unique, build(unique), owner=analyst)
    assert api.get(f"/api/models/{unique}").json()["keep_inputs"] is True

    changed = api.patch(f"/api/models/{unique}", json={"keep_inputs": False}, headers=analyst.headers)

    assert changed.json()["keep_inputs"] is False
    row = logged.find(api.post(f"/api/predict/{unique}", json=ROW).json()["id"])

    assert (row["rows"], len(row["outputs"])) == (None, 1)


def test_log_of_a_model_is_its_owners(
    api: httpx.Client, logged: Log, private_model: str, analyst: User, stranger: User, stack: RunningStack
):
    """Through the data API the owner reads the record, a stranger and a visitor do not."""
    made = api.post(f"/api/predict/{private_model}", json=ROW, headers=analyst.headers).json()
    logged.find(made["id"])
    params = {"id": f"eq.{made['id']}", "select": "id,rows"}

    with stack.client(user=analyst) as client:
        assert client.get("/rest/v1/predictions", params=params).json() == [{"id": made["id"], "rows": [ROW]}]
    with stack.client(user=stranger) as client:
        assert client.get("/rest/v1/predictions", params=params).json() == []
    with stack.client() as client:
        assert client.get("/rest/v1/predictions", params=params).status_code == 401


@pytest.mark.parametrize(
    ("more", "kept"),
    [
        ({"row_id": "a\0b\\u0000"}, {"row_id": "a\ufffdb\\u0000"}),
        ({"row_id": 10**40}, {"row_id": 10**40}),
        ({"island": "“Ünïcode” \n\t"}, {"island": "“Ünïcode” \n\t"}),
    ],
)
def test_awkward_cells_are_logged(api: httpx.Client, logged: Log, public_model: str, more, kept):
    """What Postgres cannot hold is replaced; nothing awkward keeps the record, or those beside it, back."""
    answer = api.post(f"/api/predict/{public_model}", json={**ROW, **more}).json()

    assert logged.find(answer["id"])["rows"] == [{**ROW, **kept}]


@pytest.mark.parametrize("form", ["row", "columns"])
def test_rows_are_kept_as_deep_as_they_were_sent(api: httpx.Client, logged: Log, public_model: str, form: str):
    """An ignored column may be nested deeper than can be written again: rows stay as they came, columns are left out."""
    deep: Any = []
    for _ in range(400):
        deep = [deep]
    row = {**ROW, "row_id": deep}
    body = row if form == "row" else {"columns": {name: [cell] for name, cell in row.items()}}

    answer = api.post(f"/api/predict/{public_model}", json=body).json()

    assert logged.find(answer["id"])["rows"] == ([row] if form == "row" else None)


@pytest.mark.parametrize(
    "body",
    [
        b'{\r\n  "length": 1.5,\n\t"width": 2, "island": "Dream"\n}\n',
        b' { "rows" :\n [ {"length": 1.5, "width": 2, "island": "Dream"}\n ] \n} ',
        b'{"rows": [{"length": 9}], "rows": [{"length": 1.5, "width": 2, "island": "Dream"}]}',
        b'{"length": 9, "length": 1.5, "width": 2, "island": "Dream"}',
        b'{"length": 1.50000000000000000000000, "width": 2e0, "island": "Dr\\u0065am"}',
    ],
)
def test_rows_are_cut_out_of_what_was_sent(api: httpx.Client, logged: Log, public_model: str, body: bytes):
    """However the JSON is laid out, the record holds the rows that were answered, on one line."""
    for _ in range(2):
        answer = api.post(f"/api/predict/{public_model}", content=body).json()
        assert answer["predictions"] == api.post(f"/api/predict/{public_model}", json=ROW).json()["predictions"]

        assert logged.find(answer["id"])["rows"] == [ROW]


def test_number_too_small_for_the_database_is_logged_as_it_was_understood(
    api: httpx.Client, logged: Log, public_model: str
):
    """What reads as zero here is written as zero when the database cannot hold what was sent."""
    body = b'{"length": 1.5, "width": 2, "island": "Dream", "row_id": 1e-400000}'

    answer = api.post(f"/api/predict/{public_model}", content=body).json()

    assert logged.find(answer["id"])["rows"] == [{**ROW, "row_id": 0}]


def test_refused_requests_are_counted_by_kind(
    api: httpx.Client, publisher: Publisher, stack: RunningStack, unique: str
):
    """What was refused is in the log as numbers: how many, of which kind, and nothing of what was sent."""
    publisher.publish(unique, build(unique))
    path = f"/api/predict/{unique}"
    refused = [
        *(api.post(path, json={**ROW, "length": "long"}) for _ in range(3)),
        api.get(path, params={"length": "long"}),
        api.post(path, content=b"{"),
        api.post(f"{path}@9", json=ROW),
        api.post(f"{path}/what-if", json={"row": ROW, "feature": "none"}),
        api.post(f"/v2/models/{unique}/infer", json={}),
    ]
    query = (
        "select status, code, sum(count)::int from public.refusals join public.models on models.id = model_id "
        "where slug = %s group by status, code"
    )
    wanted = sorted(Counter((answer.status_code, answer.json()["code"]) for answer in refused).items())

    ends_at, found = time.monotonic() + 5, []
    while found != wanted and time.monotonic() < ends_at:
        with stack.connect() as connection:
            found = sorted(((status, code), count) for status, code, count in connection.execute(query, (unique,)))
        time.sleep(0.02)

    assert found == wanted
    assert ((422, "rows_invalid"), 4) in found


def test_large_requests_are_logged_without_their_rows(api: httpx.Client, logged: Log, public_model: str):
    """More rows than the log is for: counted and timed."""
    row = logged.find(api.post(f"/api/predict/{public_model}", json=[ROW] * 1001).json()["id"])

    assert (row["row_count"], row["rows"], row["outputs"]) == (1001, None, None)


def test_outage_delays_the_log_and_loses_nothing(own_site: OwnSite, logged: Log, public_model: str):
    """Database down: predictions go on and say that the log is behind. Up again: all there, once, without a restart."""

    def ask() -> httpx.Response:
        return own_site.client.post(f"/api/predict/{public_model}", json=ROW)

    logged.find(ask().json()["id"])
    own_site.supabase.shut()
    time.sleep(2)

    answers = [ask()]
    time.sleep(0.3)
    answers += [ask() for _ in range(20)]
    assert {answer.status_code for answer in answers} == {200}
    assert "log" in answers[-1].headers["x-rowcast-degraded"]
    assert list(own_site.spill.glob("*.jsonl"))
    ids = [answer.json()["id"] for answer in answers]
    assert logged.count(ids)[0] == 0
    own_site.supabase.open()

    assert logged.wait_for(ids)[0] == len(ids)
    ends_at = time.monotonic() + 5
    while "x-rowcast-degraded" in ask().headers and time.monotonic() < ends_at:
        time.sleep(0.1)
    assert "x-rowcast-degraded" not in ask().headers
    assert not list(own_site.spill.glob("*"))
