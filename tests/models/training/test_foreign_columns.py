"""What is made of a file that reads one column at a time, and what is said of a model whose training nobody knows."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from models.card_readme import card_readme
from models.runtime import OnnxModel
from models.training.foreign import check
from models.what_if import what_if

RANDOM = np.random.default_rng(0)
OPSETS = {"": 18, "ai.onnx.ml": 3}


def schema(**changes):
    return {"name": "brought", "task": "binary", "target": "y", "classes": ["no", "yes"], **changes}


@pytest.fixture
def checked(tmp_path):
    def run(model, said):
        path = tmp_path / "theirs.onnx"
        path.write_bytes(model.SerializeToString())
        card = check(path, said, tmp_path / "out")
        return card, OnnxModel.open(tmp_path / "out" / "model.onnx", card)

    return run


def _by_column(numbers):
    """A forest on a table whose columns come one by one, as `to_onnx` of a pipeline on a data frame writes it."""
    import pandas as pd

    frame = pd.DataFrame({name: RANDOM.normal(size=200).astype(np.float32).astype(float) for name in numbers})
    frame["city"] = RANDOM.choice(["Bern", "Ulm", "Wien"], 200)
    frame["size"] = RANDOM.choice(["S", "M"], 200)
    columns = ColumnTransformer(
        [("numbers", "passthrough", numbers), ("texts", OneHotEncoder(handle_unknown="ignore"), ["city", "size"])],
        sparse_threshold=0,
    )
    fitted = make_pipeline(columns, RandomForestClassifier(10, max_depth=4, random_state=0))
    fitted.fit(frame, (frame[numbers[0]] > 0) ^ (frame["city"] == "Ulm"))
    given = [(name, FloatTensorType([None, 1]) if name in numbers else StringTensorType([None, 1])) for name in frame]
    options = {id(fitted): {"zipmap": False}}
    made = convert_sklearn(fitted, initial_types=given, options=options, target_opset=OPSETS)
    rows = frame.head(8).to_dict("records")
    features = [{"name": name, "kind": "number" if name in numbers else "category"} for name in frame]
    return fitted, made, frame, schema(features=features, examples=rows)


@pytest.mark.parametrize("listed", [["n0", "n1", "n2", "n3"], ["n3", "n1", "n0", "n2"]], ids=["in order", "mixed up"])
def test_columns_that_are_joined_again_are_never_taken_apart(checked, tmp_path, listed):
    """Each of some thirty steps costs as much as the forest: one step for all numbers is left, or none."""
    fitted, made, frame, said = _by_column(listed)
    said["features"].sort(key=lambda feature: feature["name"])

    _, model = checked(made, said)

    steps = [node.op_type for node in onnx.load(tmp_path / "out" / "model.onnx").graph.node]
    assert steps.count("Gather") == (2 if listed == sorted(listed) else 3), "the words, and the numbers out of order"
    assert "Cast" not in steps
    answers = [one["probabilities"]["yes"] for one in model.predict(frame.to_dict("records"))]
    assert answers == pytest.approx(fitted.predict_proba(frame)[:, 1].tolist(), abs=1e-6)


def test_the_values_of_a_category_are_read_from_its_encoder(checked):
    """The form offers them, and only what the encoder does not know is called unknown."""
    _, made, _, said = _by_column(["n0", "n1"])

    card, model = checked(made, said)

    city = next(feature for feature in card.features if feature.name == "city")
    assert [category.value for category in city.categories] == ["Bern", "Ulm", "Wien"]
    assert not model.encode(said["examples"]).warnings
    (warning,) = model.encode([{**said["examples"][0], "city": "Wein"}]).warnings
    assert "did you mean 'Wien'" in warning.detail


def _words_unread():
    """Twice the number; the word is declared, and nobody reads it."""
    weights = helper.make_tensor("W", TensorProto.FLOAT, [1, 1], [2.0])
    given = [
        helper.make_tensor_value_info("n0", TensorProto.FLOAT, [None, 1]),
        helper.make_tensor_value_info("city", TensorProto.STRING, [None, 1]),
    ]
    output = helper.make_tensor_value_info("Y", TensorProto.FLOAT, [None, 1])
    nodes = [helper.make_node("MatMul", ["n0", "W"], ["Y"])]
    graph = helper.make_graph(nodes, "theirs", given, [output], [weights])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def test_where_nobody_knows_the_values_none_is_called_unknown(checked):
    """A target-encoded or hashed category has no list: every text is as good as another."""
    features = [{"name": "n0", "kind": "number"}, {"name": "city", "kind": "category"}]
    rows = [{"n0": 1.5, "city": "Bern"}, {"n0": 2.5, "city": "Ulm"}]
    said = schema(task="regression", classes=[], features=features, examples=rows)

    card, model = checked(_words_unread(), said)

    assert card.features[1].categories == []
    alone, together = model.encode([{"n0": 1, "city": " Paris "}]), model.encode([{"n0": 1, "city": " Paris "}] * 9)
    assert not alone.warnings
    assert not together.warnings
    assert alone.text.tolist() == [["Paris"]]
    assert together.text.tolist() == [["Paris"]] * 9
    assert model.encode([{"n0": 1, "city": "n/a"}]).text.tolist() == [[""]]
    assert model.encode_columns({"n0": [1] * 9, "city": [7, "x", True, None, "?", 1.0, "é", "x ", "1"]}).text[
        :, 0
    ].tolist() == ["7", "x", "true", "", "", "1", "é", "x", "1"]


def test_what_nobody_has_told_is_not_made_up(checked):
    """Of a brought file no training is known: its card has no shares of classes, and its README says no more than is known."""
    _, made, _, said = _by_column(["n0", "n1"])

    card, _ = checked(made, said)

    assert card.is_brought
    assert card.class_shares == []
    readme = card_readme(card)
    assert "Trained elsewhere, brought" in readme
    assert "Nobody has judged this file" in readme
    for claim in ("missing in training", "0 rows", "seed", "## Importance"):
        assert claim not in readme


def test_one_feature_moves_over_the_examples_where_no_range_was_told(checked):
    """The curve of a brought file: from the smallest to the largest example, and over the texts that stand in them."""
    _, made, _, said = _by_column(["n0", "n1"])
    _, model = checked(made, said)
    cells = [row["n0"] for row in said["examples"]]
    row = model.encode([said["examples"][0]])

    curve = what_if(model, row, "n0")

    values = [point["value"] for point in curve["points"]]
    assert (values[0], values[-1]) == (pytest.approx(min(cells), rel=1e-6), pytest.approx(max(cells), rel=1e-6))
    assert 30 <= len(values) <= 44
    assert [point["prediction"] for point in curve["points"]] == model.predict(
        [said["examples"][0] | {"n0": value} for value in values]
    )


def test_a_word_moves_over_the_examples_where_no_values_were_told(checked):
    """A category without a list: the texts of the examples, and the row's own."""
    features = [{"name": "n0", "kind": "number"}, {"name": "city", "kind": "category"}]
    rows = [{"n0": 1.5, "city": "Bern"}, {"n0": 2.5, "city": "Ulm"}]
    said = schema(task="regression", classes=[], features=features, examples=rows)
    _, model = checked(_words_unread(), said)

    curve = what_if(model, model.encode([{"n0": 1, "city": "Paris"}]), "city")

    assert [point["value"] for point in curve["points"]] == ["Bern", "Ulm", "Paris"]
