"""Bring your own model, over HTTP: uploaded, tried by a worker, certified and served, or refused with the reason."""

import hashlib
import time
from typing import Any

import httpx
import onnx
import pytest
from onnx import TensorProto, helper

from tests.api.test_datasets import announce, upload
from tests.api.tiny import CLASSES, Tiny, build, expected
from tests.conftest import User

ROW = {"length": 4.5, "width": 2, "island": "Gentoo"}


def send(api: httpx.Client, user: User, content: bytes) -> str:
    """Upload a model file as a client does and return its dataset."""
    made = announce(api, user.headers, filename="theirs.onnx", size_bytes=len(content), kind="model")
    order = made["upload"]
    sent = httpx.request(order["method"], order["url"], headers=order["headers"], content=content, trust_env=False)
    assert sent.status_code == 200, sent.text
    path = f"/api/datasets/{made['dataset']['id']}/complete"
    completed = api.post(path, json={"sha256": hashlib.sha256(content).hexdigest()}, headers=user.headers)
    assert completed.status_code == 200, completed.text
    return str(completed.json()["id"])


def order(slug: str, dataset_id: str, **changes: Any) -> dict[str, Any]:
    """Describe the tiny model as its owner would."""
    features = [{"name": "length", "kind": "number"}, {"name": "width", "kind": "integer"}]
    features += [{"name": "island", "kind": "category"}]
    examples = [ROW, {"length": None, "width": 3, "island": "Dream"}]
    said = {"dataset_id": dataset_id, "model": slug, "target": "species", "task": "multiclass", "classes": CLASSES}
    return {**said, "features": features, "examples": examples, **changes}


def carry_out(api: httpx.Client, user: User, asked: dict[str, Any]) -> dict[str, Any]:
    """Ask for an import and wait for its end."""
    answer = api.post("/api/models/import", json=asked, headers=user.headers)
    assert (answer.status_code, answer.json().get("kind")) == (201, "import"), answer.text
    run = answer.json()
    ends_at = time.monotonic() + 90
    while run["status"] in {"queued", "running"}:
        assert time.monotonic() < ends_at, run
        time.sleep(0.3)
        run = api.get(f"/api/runs/{run['id']}", headers=user.headers).json()
    return dict(run)


@pytest.fixture(scope="module")
def tiny() -> Tiny:
    """Build a file that nobody here has trained."""
    return build("brought", seed=0)


def test_a_file_becomes_a_version_that_answers(
    api: httpx.Client, analyst: User, stranger: User, unique: str, worker: None, tiny: Tiny
):
    """Certified runtime to runtime, private, first champion; the next file is a challenger; all doors of it work."""
    dataset = send(api, analyst, tiny.model)

    run = carry_out(api, analyst, order(unique, dataset))

    assert (run["status"], run["version"]) == ("succeeded", 1), run["reason"]
    card = api.get(f"/api/models/{unique}/card", headers=analyst.headers).json()
    assert card["parity"]["passed"]
    assert card["parity"]["basis"] == "runtime to runtime"
    assert {kind["kind"] for kind in card["parity"]["kinds"]} == {"held_out", "missing", "unseen", "extreme"}
    path = f"/api/predict/{unique}"
    answer = api.post(path, json=ROW, params={"explain": 1}, headers=analyst.headers)
    assert answer.status_code == 200, answer.text
    assert answer.json()["predictions"][0]["probabilities"] == pytest.approx(expected(4.5, 2, "Gentoo"), abs=1e-5)
    sweep = api.post(f"{path}/what-if", json={"row": ROW, "feature": "length"}, headers=analyst.headers)
    assert sweep.status_code == 200, sweep.text
    assert api.post(path, json=ROW, headers=stranger.headers).status_code == 404
    for face in ("readme", "openapi.json", "artifact"):
        assert api.get(f"/api/models/{unique}/{face}", headers=analyst.headers).status_code == 200

    second = carry_out(api, analyst, order(unique, send(api, analyst, build("brought", seed=3).model)))

    assert second["version"] == 2
    model = api.get(f"/api/models/{unique}", headers=analyst.headers).json()
    assert {alias["name"]: alias["number"] for alias in model["aliases"]} == {"champion": 1, "challenger": 2}
    taken = api.post(
        "/api/models/import", json=order(unique, send(api, stranger, tiny.model)), headers=stranger.headers
    )
    assert (taken.status_code, taken.json()["errors"][0]["pointer"]) == (409, "#/model")


def test_a_hostile_file_ends_the_run_with_a_line(api: httpx.Client, analyst: User, unique: str, worker: None):
    """What would run somebody's own code is not opened by any server; the owner reads why, and no model exists."""
    graph = helper.make_graph(
        [helper.make_node("Anything", ["X"], ["Y"], domain="com.stranger")],
        "theirs",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, 2])],
        [helper.make_tensor_value_info("Y", TensorProto.FLOAT, [None, 3])],
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("com.stranger", 1)]
    content = helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()
    assert onnx.load_from_string(content)

    run = carry_out(api, analyst, order(unique, send(api, analyst, content)))

    assert run["status"] == "failed"
    assert "com.stranger" in run["reason"]
    assert "\n" not in run["reason"]
    assert api.get(f"/api/models/{unique}", headers=analyst.headers).status_code == 404


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"task": "ranking"}, "#/task"),
        ({"features": []}, "#/features"),
        ({"features": [{"name": "length", "kind": "colour"}]}, "#/features/0/kind"),
        ({"examples": []}, "#/examples"),
        ({"model": "No Slug"}, "#/model"),
    ],
)
def test_a_description_that_does_not_fit_is_pointed_at(
    api: httpx.Client, analyst: User, changes: dict[str, Any], pointer: str
):
    """Before any worker is asked."""
    asked = order("any-name", "019ad000-0000-7000-8000-000000000000", **changes)
    answer = api.post("/api/models/import", json=asked, headers=analyst.headers)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"examples": [{"length": 10**30}]}, "#/examples/0/length"),
        ({"examples": [{"length": "a\0b"}]}, "#/examples/0/length"),
        ({"classes": ["a\0b"]}, "#/classes/0"),
        ({"title": "a\0b"}, "#/title"),
    ],
)
def test_what_no_database_can_keep_is_pointed_at(
    api: httpx.Client, analyst: User, unique: str, changes: dict[str, Any], pointer: str
):
    """Whole numbers beyond 64 bits and the character U+0000 are refused at their place."""
    answer = api.post("/api/models/import", json=order(unique, unique, **changes), headers=analyst.headers)

    assert answer.status_code == 422
    assert pointer in {each["pointer"][: len(pointer)] for each in answer.json()["errors"]}


def test_a_table_is_no_model(api: httpx.Client, analyst: User, viewer: User):
    """The wrong kind of upload, and the wrong role, are said at once."""
    dataset = upload(api, analyst.headers)["id"]

    answer = api.post("/api/models/import", json=order("any-name", dataset), headers=analyst.headers)

    assert (answer.status_code, answer.json()["errors"]) == (
        422,
        [{"pointer": "#/dataset_id", "detail": "that is a table, not a model file: train on it."}],
    )
    refused = api.post("/api/models/import", json=order("any-name", dataset), headers=viewer.headers)
    assert refused.status_code == 403
