"""MLflow's scoring protocol: its four JSON forms and CSV, its answers and its errors."""

import json
import uuid
from typing import Any

import httpx
import pytest

from api._lib import VERSION
from tests.api.tiny import CLASSES, expected
from tests.conftest import User

ROWS = [{"length": 9.0, "width": 2, "island": "Dream"}, {"length": 0.5, "width": 7, "island": None}]
CELLS = [list(row.values()) for row in ROWS]
LABELS = [max(wanted, key=wanted.__getitem__) for wanted in (expected(*cells) for cells in CELLS)]


def invoke(api: httpx.Client, model: str, body: Any, content_type: str = "application/json") -> httpx.Response:
    content = body if isinstance(body, (bytes, str)) else json.dumps(body)
    return api.post(f"/invocations/{model}", content=content, headers={"content-type": content_type})


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ({"dataframe_split": {"columns": list(ROWS[0]), "index": [0, 1], "data": CELLS}}, "application/json"),
        ({"dataframe_records": ROWS}, "application/json; charset=UTF-8"),
        ({"instances": ROWS}, "application/json"),
        ({"instances": CELLS}, "application/json"),
        ({"inputs": {name: [row[name] for row in ROWS] for name in ROWS[0]}}, "application/json"),
        ({"inputs": {name: [[row[name]] for row in ROWS] for name in ROWS[0]}}, "application/json"),
        ({"inputs": ROWS, "params": {"temperature": 1}}, "application/json"),
        ({"inputs": CELLS, "params": None}, "application/json"),
        ("length,width,island\n9.0,2,Dream\n0.5,7,\n", "text/csv"),
        ("island,width,length\r\nDream,2,9.0\r\n,7,0.5\r\n", 'text/csv; charset="utf-8"'),
    ],
    ids=["split", "records", "instances", "lists", "inputs", "boxed", "input rows", "input lists", "csv", "csv 2"],
)
def test_every_form_of_the_same_rows_answers_the_same(api: httpx.Client, public_model: str, body, content_type):
    """Whatever an MLflow client sends, labels come back in the order of the rows."""
    answer = invoke(api, public_model, body, content_type)

    assert answer.status_code == 200, answer.text
    assert answer.json() == {"predictions": LABELS}
    assert uuid.UUID(answer.headers["x-rowcast-prediction-id"]).version == 7
    assert set(LABELS) < set(CLASSES)


def test_a_single_row_may_do_without_lists(api: httpx.Client, public_model: str):
    """`inputs` by name with plain values is one row."""
    assert invoke(api, public_model, {"inputs": ROWS[0]}).json() == {"predictions": LABELS[:1]}


def test_nan_is_read_as_missing(api: httpx.Client, public_model: str):
    """MLflow's own client writes a missing cell of a data frame as NaN, which is no JSON; a text of that name stays."""
    body = '{"dataframe_split": {"columns": ["length", "island", "row_id"], "data": [[NaN, NaN, "\\"NaN, NaN\\\\"]]}}'

    answer = invoke(api, public_model, body)

    assert answer.json() == invoke(api, public_model, {"instances": [{"length": None}]}).json()


def test_a_version_can_be_named(api: httpx.Client, public_model: str):
    """By alias or number, as everywhere."""
    for reference in ("@challenger", "@2", "@champion"):
        assert invoke(api, f"{public_model}{reference}", {"instances": ROWS}).status_code == 200


def test_server_answers_as_a_scoring_server_does(api: httpx.Client):
    """What load balancers and clients ask first."""
    assert api.get("/ping").status_code == 200
    assert api.get("/version").text == VERSION


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({}, None),
        ([], None),
        ({"instances": ROWS, "inputs": ROWS}, None),
        ({"rows": ROWS}, None),
        ({"instances": ROWS, "signature_name": "x"}, "#/signature_name"),
        ({"instances": ROWS, "params": []}, "#/params"),
        ({"instances": []}, "#/instances"),
        ({"instances": {"length": [1]}}, "#/instances"),
        ({"instances": [1, 2]}, "#/instances"),
        ({"instances": [[1, 2]]}, "#/instances/0"),
        ({"instances": [[1, 2, "Dream"], {"length": 1}]}, "#/instances/1"),
        ({"dataframe_records": CELLS}, "#/dataframe_records"),
        ({"dataframe_records": [ROWS[0], None]}, "#/dataframe_records"),
        ({"dataframe_split": CELLS}, "#/dataframe_split"),
        ({"dataframe_split": {"columns": ["length"], "rows": []}}, "#/dataframe_split"),
        ({"dataframe_split": {"data": CELLS}}, "#/dataframe_split/columns"),
        ({"dataframe_split": {"columns": [["length"]], "data": CELLS}}, "#/dataframe_split/columns"),
        ({"dataframe_split": {"columns": ["length", "length"], "data": [[1, 2]]}}, "#/dataframe_split/columns"),
        ({"dataframe_split": {"columns": ["length"], "data": []}}, "#/dataframe_split/data"),
        ({"dataframe_split": {"columns": ["length"], "data": [[1], [1, 2]]}}, "#/dataframe_split/data/1"),
        ({"inputs": {}}, "#/inputs"),
        ({"inputs": {"length": []}}, "#/inputs"),
        ({"inputs": 7}, "#/inputs"),
    ],
    ids=str,
)
def test_structure_that_does_not_hold_together_is_refused(api: httpx.Client, public_model: str, body, place):
    """400, with MLflow's two members beside those of every failure."""
    answer = invoke(api, public_model, body)

    assert answer.status_code == 400, answer.text
    problem = answer.json()
    assert [error["pointer"] for error in problem["errors"]] == ([place] if place else [])
    assert problem["error_code"] == "BAD_REQUEST"
    assert problem["message"] == problem["detail"] == problem["error"]


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (
            {"dataframe_split": {"columns": ["width", "length"], "data": [[1, 2], [1.5, 2]]}},
            "#/dataframe_split/data/1/0",
        ),
        ({"dataframe_split": {"columns": ["width"], "data": [[1]]}}, "#/dataframe_split/data/0/length"),
        ({"dataframe_records": [ROWS[0], {"length": "long"}]}, "#/dataframe_records/1/length"),
        ({"instances": [ROWS[0], {"length": 1, "beak": 2}]}, "#/instances/1/beak"),
        ({"instances": [[1, 2.5, None]]}, "#/instances/0/1"),
        ({"inputs": {"length": [1, "long"]}}, "#/inputs/length/1"),
        ({"inputs": {"length": "long"}}, "#/inputs/length"),
        ({"inputs": {"length": [1], "width": [1, 2]}}, "#/inputs"),
        ({"inputs": {"length": [1], "width": 2}}, "#/inputs/width"),
    ],
    ids=str,
)
def test_values_that_do_not_fit_name_their_place(api: httpx.Client, public_model: str, body, place):
    """422 with the cell, named as the caller sent it."""
    answer = invoke(api, public_model, body)

    assert answer.status_code == 422, answer.text
    assert [error["pointer"] for error in answer.json()["errors"]] == [place]
    assert answer.json()["error_code"] == "INVALID_PARAMETER_VALUE"


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain",
        "application/json; format=pandas-split",
        "application/json; charset=latin-1",
        "text/csv; header=no",
    ],
)
def test_other_content_types_are_refused(api: httpx.Client, public_model: str, content_type: str):
    """UTF-8, JSON or CSV, nothing else."""
    answer = invoke(api, public_model, {"instances": ROWS}, content_type)

    assert answer.status_code == 415
    assert answer.json()["error_code"] == "BAD_REQUEST"


@pytest.mark.parametrize(
    "body", ["", "{", '{"instances": [[Infinity]]}', b"\xff", '{"instances": ' + "[" * 10**5], ids=repr
)
def test_what_is_not_json_is_refused(api: httpx.Client, public_model: str, body):
    """The parser's refusal, never a traceback."""
    answer = invoke(api, public_model, body)

    assert answer.status_code == 400
    assert "not JSON" in answer.json()["message"]


def test_private_models_answer_their_owner_only(api: httpx.Client, private_model: str, analyst: User, stranger: User):
    """The protocol is no way around the registry."""
    address, body = f"/invocations/{private_model}", {"instances": ROWS}

    assert api.post(address, json=body).json()["error_code"] == "RESOURCE_DOES_NOT_EXIST"
    assert api.post(address, json=body, headers=stranger.headers).status_code == 404
    assert api.post(address, json=body, headers=analyst.headers).status_code == 200
    assert api.post(address, json=body, headers={"authorization": "Bearer rc_no_key"}).json()["error_code"] == (
        "UNAUTHENTICATED"
    )


def test_more_rows_than_memory_are_refused(api: httpx.Client, public_model: str):
    """A million one-cell rows are not turned into a million objects."""
    body = '{"dataframe_split": {"columns": ["length"], "data": [' + "[1]," * 1_000_000 + "[1]]}}"

    answer = invoke(api, public_model, body)

    assert answer.status_code == 413
    assert answer.json()["error_code"] == "INVALID_PARAMETER_VALUE"
