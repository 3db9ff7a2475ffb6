"""The hot path: every form in, one coercion table, and bad input that is answered with a pointer."""

import json
import uuid

import httpx
import pytest

from api.predict import Answer
from tests.api.tiny import ISLANDS, expected
from tests.conftest import User

ROW = {"length": 1.5, "width": 2, "island": "Dream"}


def test_one_object_answers_one_prediction(api: httpx.Client, public_model: str):
    """The plainest request there is: one object in, a list of one out, with the model's own probabilities."""
    answer = api.post(f"/api/predict/{public_model}", json=ROW)

    assert answer.status_code == 200
    body = Answer.model_validate(answer.json())
    wanted = expected(1.5, 2, "Dream")
    assert body.predictions[0].label == max(wanted, key=wanted.__getitem__)
    assert body.predictions[0].probabilities == pytest.approx(wanted, abs=1e-5)
    assert (body.model, body.version, body.alias, body.task) == (public_model, 1, "champion", "multiclass")
    assert uuid.UUID(body.id).version == 7
    assert set(answer.json()) == set(Answer.model_fields) - {"explanations"}


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (json.dumps(ROW), "application/json"),
        (json.dumps({"rows": [ROW]}), "application/json; charset=utf-8"),
        (json.dumps({"columns": {name: [value] for name, value in ROW.items()}}), "application/json"),
        (json.dumps([ROW]), "application/vnd.example+json"),
        (json.dumps(ROW), "application/x-www-form-urlencoded"),
        ("length,width,island\n1.5,2,Dream\n", "text/csv"),
        ('\ufefflength,width,island\r\n"1.5",2,"Dream"\r\n', "text/csv; charset=utf-8"),
        (json.dumps({"length": " 1.5 ", "width": "2.0", "island": "Dream", "row_id": 7}), ""),
    ],
)
def test_every_form_of_the_same_row_answers_the_same(api: httpx.Client, public_model: str, content, content_type):
    """Rows, columns, CSV and text cells mean the same row."""
    headers = {"content-type": content_type} if content_type else {}
    answer = api.post(f"/api/predict/{public_model}", content=content, headers=headers)

    assert answer.status_code == 200, answer.text
    assert answer.json()["predictions"][0]["probabilities"] == pytest.approx(expected(1.5, 2, "Dream"), abs=1e-5)


def test_permalink_answers_like_a_body(api: httpx.Client, public_model: str):
    """A link with the row in its query is a prediction."""
    answer = api.get(f"/api/predict/{public_model}", params={"length": "1.5", "width": "2", "island": "Dream"})

    assert answer.json()["predictions"][0]["probabilities"] == pytest.approx(expected(1.5, 2, "Dream"), abs=1e-5)


def test_many_rows_keep_their_order(api: httpx.Client, public_model: str):
    """A batch above the size that is worked on in a thread answers row by row, in order."""
    rows = [{"length": index % 7, "width": index % 5, "island": ISLANDS[index % 3]} for index in range(3000)]

    answer = api.post(f"/api/predict/{public_model}", json={"rows": rows})

    predictions = answer.json()["predictions"]
    assert len(predictions) == 3000
    for index in (0, 1, 1234, 2999):
        wanted = expected(rows[index]["length"], rows[index]["width"], rows[index]["island"])
        assert predictions[index]["probabilities"] == pytest.approx(wanted, abs=1e-5)


def test_missing_and_unseen_are_answered_with_a_warning(api: httpx.Client, public_model: str):
    """Null says unknown, an absent optional feature is missing, an unseen category is a warning and no error."""
    answer = api.post(f"/api/predict/{public_model}", json={"length": None, "island": "Atlantis"})

    assert answer.status_code == 200
    assert answer.json()["predictions"][0]["probabilities"] == pytest.approx(expected(None, None, None), abs=1e-5)
    assert [warning["pointer"] for warning in answer.json()["warnings"]] == ["#/island"]


@pytest.mark.parametrize(
    ("reference", "version", "alias"), [("@2", 2, None), ("@challenger", 2, "challenger"), ("@1", 1, None)]
)
def test_reference_chooses_the_version(api: httpx.Client, public_model: str, reference, version, alias):
    """An alias or a number behind the name chooses what answers."""
    answer = api.post(f"/api/predict/{public_model}{reference}", json=ROW)

    assert (answer.json()["version"], answer.json()["alias"]) == (version, alias)


@pytest.mark.parametrize(
    "reference", ["@3", "@nobody", "@0", "@", "@@", "@Champion", "@99999999999999999999", "@1;drop"]
)
def test_unknown_reference_is_not_found(api: httpx.Client, public_model: str, reference):
    """What is no version of the model says so; an empty reference is the champion."""
    answer = api.post(f"/api/predict/{public_model}{reference}", json=ROW)

    assert answer.status_code == (200 if reference == "@" else 404)


@pytest.mark.parametrize(
    "slug",
    [
        "no-such-model",
        "A",
        "x" * 300,
        "%00",
        "eq.1",
        "a,b",
        "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"),
    ],
)
def test_unknown_model_is_not_found(api: httpx.Client, slug):
    """A model that is not there is 404, however odd its name."""
    answer = api.post(f"/api/predict/{slug}", json=ROW)

    assert answer.status_code == 404
    assert answer.json()["code"] == "model_not_found"


@pytest.mark.parametrize(
    ("content", "status", "code", "pointers"),
    [
        ({"length": "long", "width": 2.5}, 422, "rows_invalid", ["#/length", "#/width"]),
        ({"rows": [ROW, {"length": [], "island": {}}]}, 422, "rows_invalid", ["#/rows/1/length", "#/rows/1/island"]),
        ({"rows": [{}]}, 422, "rows_invalid", ["#/rows/0/length"]),
        ({"rows": [1]}, 422, "rows_invalid", ["#/rows/0"]),
        ({"rows": []}, 422, "request_invalid", ["#/rows"]),
        ({"rows": [ROW], "explained": True}, 422, "request_invalid", ["#/explained"]),
        ({"columns": {}}, 422, "request_invalid", ["#/columns"]),
        ({"columns": {"length": [1, 2], "width": [1]}}, 422, "rows_invalid", ["#/columns"]),
        ({"columns": {"length": [1, "x"]}}, 422, "rows_invalid", ["#/columns/length/1"]),
        ({"lenght": 1, "length": 1}, 422, "rows_invalid", ["#/lenght"]),
        ({"length": 1e39}, 422, "rows_invalid", ["#/length"]),
        ([], 422, "request_invalid", ["#"]),
        (7, 422, "request_invalid", []),
    ],
)
def test_bad_rows_are_answered_with_pointers(api: httpx.Client, public_model: str, content, status, code, pointers):
    """Whatever does not fit is named by a pointer into the body as it was sent."""
    answer = api.post(f"/api/predict/{public_model}", json=content)

    assert answer.status_code == status
    assert answer.json()["code"] == code
    assert {error["pointer"] for error in answer.json()["errors"]} == set(pointers)


@pytest.mark.parametrize(
    ("content", "content_type", "status"),
    [
        (b"", "application/json", 400),
        (b"{", "application/json", 400),
        (b"null", "application/json", 422),
        (b'{"length": NaN}', "application/json", 400),
        (b'{"length": "\xff"}', "application/json", 400),
        (b'{"length": "\\ud800"}', "application/json", 400),
        (b"[" * 5000 + b"]" * 5000, "application/json", 400),
        (b'{"length": ' + b"9" * 400 + b"}", "application/json", 400),
        (b"length\n1\n", "text/xml", 415),
        (b"", "text/csv", 422),
        (b"length\n", "text/csv", 422),
        (b"length,length\n1,2\n", "text/csv", 422),
        (b"length,width\n1\n", "text/csv", 422),
        (b'length\n"1\n', "text/csv", 400),
        (b"length\n\xff\n", "text/csv", 400),
        (b"length\n\x001\n", "text/csv", 400),
        (b'length\n"' + b"1" * 200_000 + b'"\n', "text/csv", 400),
    ],
)
def test_unreadable_bodies_are_refused(api: httpx.Client, public_model: str, content, content_type, status):
    """Broken JSON and broken CSV end in a 4xx, never in a 5xx."""
    answer = api.post(f"/api/predict/{public_model}", content=content, headers={"content-type": content_type})

    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_at_most_a_hundred_errors_are_listed(api: httpx.Client, public_model: str):
    """An answer about a bad file stays small."""
    answer = api.post(f"/api/predict/{public_model}", json={"rows": [{"length": "x"}] * 500})

    assert answer.status_code == 422
    assert len(answer.json()["errors"]) == 100


def test_permalink_without_or_with_doubled_features_is_refused(api: httpx.Client, public_model: str):
    """A query that is no row says what to write."""
    assert api.get(f"/api/predict/{public_model}").status_code == 422
    assert api.get(f"/api/predict/{public_model}?length=1&length=2").status_code == 422


def test_server_timing_names_the_steps(api: httpx.Client, public_model: str):
    """A caller can see where the time went."""
    answer = api.post(f"/api/predict/{public_model}", json=ROW)

    steps = [step.split(";")[0].strip() for step in answer.headers["server-timing"].split(",")]
    assert steps == ["parse", "validate", "infer", "total"]
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(("who", "status"), [("nobody", 404), ("stranger", 404), ("analyst", 200), ("admin", 200)])
def test_private_model_answers_its_owner_only(api: httpx.Client, private_model: str, request, who, status):
    """A private model looks as if it were not there, whoever asked for it before."""
    headers = {} if who == "nobody" else request.getfixturevalue(who).headers

    for _ in range(2):
        answer = api.post(f"/api/predict/{private_model}", json=ROW, headers=headers)
        assert answer.status_code == status


def test_warm_private_model_stays_private(api: httpx.Client, private_model: str, analyst: User):
    """Its owner's request fills this process's memory; a stranger's next request gains nothing from it."""
    assert api.post(f"/api/predict/{private_model}", json=ROW, headers=analyst.headers).status_code == 200

    assert api.post(f"/api/predict/{private_model}", json=ROW).status_code == 404
    assert api.post(f"/api/predict/{private_model}@1", json=ROW).status_code == 404
