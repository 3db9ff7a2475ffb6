"""CSV out: the rows as they were sent, with the predictions beside them, for whoever asks for it."""

import csv
import io
import uuid

import httpx
import pytest

from api._lib import serving
from api._lib.forms import wants_csv
from api._lib.result_table import write_table
from models.contract import IntervalNote
from tests.api.tiny import ISLANDS, build, expected

CSV = {"accept": "text/csv"}


def read(answer: httpx.Response) -> list[dict[str, str]]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(answer.text)))


def check(line: dict[str, str], length: float, width: float, island: str) -> None:
    wanted = expected(length, width, island)
    assert line["prediction"] == max(wanted, key=wanted.__getitem__)
    assert {name: float(line[f"probability_{name}"]) for name in wanted} == pytest.approx(wanted, abs=1e-5)


def test_table_comes_back_with_predictions(api: httpx.Client, public_model: str):
    """A CSV in, the same CSV out: columns that no model reads included, formulas made harmless, in the order of the rows."""
    table = "row_id,length,width,island\n=1+1,1.5,2,Dream\n8,3,,\n"

    answer = api.post(f"/api/predict/{public_model}", content=table, headers={**CSV, "content-type": "text/csv"})

    first, second = read(answer)
    assert list(first)[:5] == ["row_id", "length", "width", "island", "prediction"]
    assert (first["row_id"], first["length"], second["row_id"], second["width"]) == ("'=1+1", "1.5", "8", "")
    check(first, 1.5, 2, "Dream")
    assert uuid.UUID(answer.headers["x-rowcast-prediction-id"]).version == 7
    assert answer.headers["x-rowcast-version"] == f"{public_model}@1"
    assert answer.headers["x-rowcast-cache"] == "miss"


@pytest.mark.parametrize(
    "content",
    [
        {"rows": [{"length": 1.5, "width": 2}, {"length": 1, "width": 2, "island": "Dream"}]},
        {"columns": {"length": [1.5, 1], "width": [2, 2], "island": [None, "Dream"]}},
    ],
    ids=["rows", "columns"],
)
def test_other_forms_come_back_as_a_table(api: httpx.Client, public_model: str, content):
    """Whatever the rows came in; a feature that a row leaves out is an empty cell."""
    first, second = read(api.post(f"/api/predict/{public_model}", json=content, headers=CSV))

    assert [first["island"], second["island"]] == ["", "Dream"]
    check(second, 1, 2, "Dream")


def test_link_comes_back_as_a_table(api: httpx.Client, public_model: str):
    row = {"length": "1.5", "width": "2", "island": "Dream"}

    (line,) = read(api.get(f"/api/predict/{public_model}", params=row, headers=CSV))

    check(line, 1.5, 2, "Dream")


def test_large_table_comes_back_whole(api: httpx.Client, public_model: str):
    """Above the size that is worked on in a thread; the answer is packed like any other big one."""
    lines = [f"{index % 7},{index % 5},{ISLANDS[index % 3]}" for index in range(25_000)]
    content = "\n".join(["length,width,island", *lines])
    assert len(content) > serving.INLINE_BYTES

    answer = api.post(f"/api/predict/{public_model}", content=content, headers={**CSV, "content-type": "text/csv"})

    table = read(answer)
    assert len(table) == 25_000
    assert answer.headers["content-encoding"] in {"br", "gzip"}
    check(table[-1], 24_999 % 7, 24_999 % 5, ISLANDS[24_999 % 3])


def test_what_a_table_cannot_hold_is_refused(api: httpx.Client, public_model: str):
    """An explanation has no place in a line; a refusal is the one problem body, whatever was accepted."""
    path = f"/api/predict/{public_model}"

    explained = api.post(f"{path}?explain=1", json={"length": 1, "width": 2, "island": None}, headers=CSV)
    refused = api.post(path, json={"length": "long"}, headers=CSV)

    assert (explained.status_code, explained.json()["code"]) == (406, "not_acceptable")
    assert "JSON only" in explained.json()["detail"]
    assert refused.status_code == 422
    assert refused.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("accept", "is_csv"),
    [
        ("text/csv", True),
        ("TEXT/CSV; charset=utf-8", True),
        ("text/csv, */*;q=0.1", True),
        ("text/csv, */*", True),
        ("text/csv, application/json", True),
        ("application/json, text/csv", False),
        ("application/json;q=0.5, text/csv", True),
        ("text/csv;q=0.5, application/json", False),
        ("text/csv;q=0.5, */*", False),
        ("text/csv;q=0", False),
        ("text/csv;q=0, application/json;q=0", False),
        ("text/csv;q=much", False),
        ("*/*", False),
        ("text/*", False),
        ("text/csv-schema", False),
        ("", False),
    ],
)
def test_form_is_what_is_liked_best(accept: str, is_csv: bool):
    """CSV must be named: browsers and clients that take anything get JSON, as ever."""
    assert wants_csv(accept.encode()) is is_csv


def test_values_come_with_their_interval():
    """A regression's columns; cells that no table knows are JSON, and a taken name is given another."""
    card = build().card.model_copy(
        update={"classes": [], "interval": IntervalNote(coverage=0.9, half_width=2.0, measured=0.9)}
    )
    answers = [{"value": 3.0, "interval": {"low": 1.0, "high": 5.0, "coverage": 0.9}}] * 2
    rows = [{"prediction": True, "x": None}, {"x": 2, "more": [1, {"a": None}]}]

    written = write_table(rows, answers, card)

    assert written.decode().splitlines() == [
        "prediction,x,more,prediction_2,prediction_low,prediction_high",
        "true,,,3.0,1.0,5.0",
        ',2,"[1,{""a"":null}]",3.0,1.0,5.0',
    ]
