"""Models that were trained elsewhere are watched as far as anything is known of them, and stop nobody else's watching."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from onnx import TensorProto, helper

from api._jobs import counting, drift_watch
from models.drift import references
from models.training.foreign import check
from tests.api.conftest import Publisher
from tests.api.tiny import Tiny, build
from tests.conftest import RunningStack, User
from tests.monitoring.conftest import Watched, predicted


def bring(slug: str, task: str, folder: Path) -> Tiny:
    """Bring a file that reads a number and a word, and says a value or two probabilities: what most exports look like."""
    width = 1 if task == "regression" else 2
    weights = helper.make_tensor("W", TensorProto.FLOAT, [1, width], [2.0] * width)
    nodes = [helper.make_node("MatMul", ["size", "W"], ["said"])]
    nodes.append(helper.make_node("Identity" if width == 1 else "Softmax", ["said"], ["Y"]))
    given = [
        helper.make_tensor_value_info("size", TensorProto.FLOAT, [None, 1]),
        helper.make_tensor_value_info("city", TensorProto.STRING, [None, 1]),
    ]
    output = helper.make_tensor_value_info("Y", TensorProto.FLOAT, [None, width])
    graph = helper.make_graph(nodes, "theirs", given, [output], [weights])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    file = folder / f"{task}.onnx"
    file.write_bytes(made.SerializeToString())
    schema = {
        "name": slug,
        "task": task,
        "target": "price",
        "classes": [] if width == 1 else ["low", "high"],
        "features": [{"name": "size", "kind": "number"}, {"name": "city", "kind": "category"}],
        "examples": [{"size": 1.5, "city": "Bern"}, {"size": 2.5, "city": "Ulm"}],
    }
    card = check(file, schema, folder / f"{task}-checked")
    return Tiny((folder / f"{task}-checked" / "model.onnx").read_bytes(), card)


def answer(task: str) -> dict[str, Any]:
    if task == "regression":
        return {"value": 3.0}
    return {"label": "low", "probabilities": {"low": 0.5, "high": 0.5}}


def requests_of(owner: httpx.Client, slug: str) -> int:
    models = owner.get("/api/overview?span=7d").raise_for_status().json()["models"]
    return next(each["requests"] for each in models if each["model"] == slug)


@pytest.fixture(params=["regression", "binary"])
def brought(
    request: pytest.FixtureRequest, stack: RunningStack, analyst: User, unique: str, tmp_path: Path
) -> tuple[Watched, dict[str, Any]]:
    """Publish a brought model, and log what it was asked three days ago and today."""
    slug = f"{unique}-brought"
    Publisher(stack).publish(slug, bring(slug, request.param, tmp_path), owner=analyst, visibility="private")
    logged = {"rows": [{"size": 2.0, "city": "Rome"}], "outputs": [answer(request.param)]}
    watched = Watched(stack, slug)
    watched.log(*[predicted(at=datetime.now(UTC) - timedelta(days=ago), **logged) for ago in (3, 0)])
    return watched, logged


def test_brought_model_is_counted_and_stops_no_other(
    brought: tuple[Watched, dict[str, Any]], watched: Watched, count: Callable[[], int], as_owner: httpx.Client
):
    """Its traffic and its words are told; where nothing is known of its training, nothing is laid beside them."""
    watched.log(predicted("Adelie"))

    count()
    drift_watch.watch_all()

    theirs = as_owner.get(f"/api/metrics/{brought[0].slug}/values").raise_for_status().json()["features"]
    city = next(each for each in theirs if each["feature"] == "city")
    assert city["training"] == []
    assert [sum(day["counts"]) for day in city["days"]] == [1, 1]
    said = [each for each in theirs if each["feature"] is None]
    assert all(each["training"] == [] for each in said)
    assert requests_of(as_owner, brought[0].slug) == 2
    drift = as_owner.get(f"/api/metrics/{brought[0].slug}/drift").raise_for_status().json()
    assert drift["features"] == []
    others = as_owner.get(f"/api/metrics/{watched.slug}/values").raise_for_status().json()["features"]
    assert sum(sum(day["counts"]) for each in others if each["feature"] is None for day in each["days"]) == 1


def test_nothing_is_compared_with_a_training_that_nobody_knows(tmp_path: Path):
    """Shares that were made up would be drift from the first day."""
    assert references(bring("brought", "binary", tmp_path).card) == []
    assert references(build("trained").card) != []


def test_version_that_cannot_be_counted_stops_no_other(
    watched: Watched,
    stack: RunningStack,
    analyst: User,
    unique: str,
    count: Callable[[], int],
    as_owner: httpx.Client,
    monkeypatch: pytest.MonkeyPatch,
):
    """A fault in what belongs to one version is told in the log; the figures of the others go on."""
    other = f"{unique}-other"
    Publisher(stack).publish(other, build(other), owner=analyst, visibility="private")
    watched.log(predicted("Adelie"))
    Watched(stack, other).log(predicted("Adelie"))
    tally = counting._tally

    def fail_for_other(reader: Any, logged: Any) -> Any:
        if reader.card.name == other:
            raise ValueError("planted")
        return tally(reader, logged)

    monkeypatch.setattr(counting, "_tally", fail_for_other)
    watch = drift_watch._watch

    def fail_to_watch(connection: Any, version_id: Any, card: Any, *rest: Any) -> None:
        if card.name == other:
            connection.execute("select 1 / 0")
        watch(connection, version_id, card, *rest)

    monkeypatch.setattr(drift_watch, "_watch", fail_to_watch)

    count()
    drift_watch.watch_all((datetime.now(UTC) + timedelta(days=1)).date())

    assert as_owner.get(f"/api/metrics/{watched.slug}/values").raise_for_status().json()["features"][0]["days"]
    assert not as_owner.get(f"/api/metrics/{other}/values").raise_for_status().json()["features"][0]["days"]
    assert requests_of(as_owner, other) == 1
    assert as_owner.get(f"/api/metrics/{watched.slug}/drift").raise_for_status().json()["features"]
