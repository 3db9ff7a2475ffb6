"""Files that were made elsewhere: tried in a process of their own, served only if they are plain and answer alike."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from models.errors import ArtifactRejected, ModelError
from models.runtime import OnnxModel
from models.training.foreign import check
from models.training.foreign_child import examine
from models.training.foreign_schema import read_schema

RANDOM = np.random.default_rng(0)
ROWS = RANDOM.normal(size=(200, 3)).astype(np.float32)
OPSETS = {"": 18, "ai.onnx.ml": 3}
EXAMPLES = [{f"n{column}": float(str(cell)) for column, cell in enumerate(row)} for row in ROWS[:8]]


def schema(**changes):
    features = [{"name": f"n{index}", "kind": "number"} for index in range(3)]
    said = {"name": "brought", "task": "binary", "target": "y", "classes": ["no", "yes"], "features": features}
    return {**said, "examples": EXAMPLES, **changes}


def forest():
    fitted = RandomForestClassifier(10, max_depth=4, random_state=0).fit(ROWS, ROWS[:, 0] > 0)
    given = [("X", FloatTensorType([None, 3]))]
    made = convert_sklearn(fitted, initial_types=given, options={id(fitted): {"zipmap": False}}, target_opset=OPSETS)
    return fitted, made


@pytest.fixture
def checked(tmp_path):
    def run(model, said, **limits):
        path = tmp_path / "theirs.onnx"
        path.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
        card = check(path, said, tmp_path / "out", **limits)
        return card, OnnxModel.open(tmp_path / "out" / "model.onnx", card)

    return run


def test_a_classifier_with_one_tensor_is_served(checked):
    """As scikit-learn's converter writes it: one float input of any name, a label and probabilities."""
    fitted, made = forest()

    card, model = checked(made, schema())

    answers = model.predict(EXAMPLES)
    expected = fitted.predict_proba(ROWS[:8])
    assert [one["probabilities"]["yes"] for one in answers] == pytest.approx(expected[:, 1].tolist(), abs=1e-6)
    assert card.parity.basis == "runtime to runtime"
    assert card.parity.passed
    assert {kind.kind: kind.rows for kind in card.parity.kinds} == {"held_out": 8, "extreme": 6}
    assert card.parity.rows == 14
    assert "trained elsewhere" in card.warnings[0]


def test_a_pipeline_with_one_input_per_column_is_served(checked):
    """Texts, whole numbers and numbers, each by its own name."""
    import pandas as pd

    frame = pd.DataFrame(
        {"size": ROWS[:, 0], "count": RANDOM.integers(0, 9, 200), "city": RANDOM.choice(["a", "b"], 200)}
    )
    columns = ColumnTransformer(
        [("numbers", "passthrough", ["size", "count"]), ("texts", OneHotEncoder(handle_unknown="ignore"), ["city"])]
    )
    fitted = make_pipeline(columns, LinearRegression()).fit(
        frame, frame["size"] * 3 + frame["count"] + (frame["city"] == "a")
    )
    given = [
        ("size", FloatTensorType([None, 1])),
        ("count", Int64TensorType([None, 1])),
        ("city", StringTensorType([None, 1])),
    ]
    made = convert_sklearn(fitted, initial_types=given, target_opset=OPSETS)
    rows = [
        {"size": float(str(size)), "count": int(count), "city": city}
        for size, count, city in frame.head(6).itertuples(index=False)
    ]
    kinds = {"size": "number", "count": "integer", "city": "category"}
    said = schema(
        task="regression",
        classes=[],
        features=[{"name": name, "kind": kind} for name, kind in kinds.items()],
        examples=rows,
    )

    card, model = checked(made, said)

    assert {kind.kind: kind.rows for kind in card.parity.kinds} == {"held_out": 6, "unseen": 1, "extreme": 4}
    assert [one["value"] for one in model.predict(rows)] == pytest.approx(
        fitted.predict(frame.head(6)).tolist(), rel=1e-4
    )


def _custom_domain():
    node = helper.make_node("Anything", ["X"], ["Y"], domain="com.stranger")
    return _graph([node], opsets=[helper.make_opsetid("", 18), helper.make_opsetid("com.stranger", 1)])


def _graph(nodes, initializers=(), opsets=(), width=2):
    given = helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, 3])
    output = helper.make_tensor_value_info("Y", TensorProto.FLOAT, [None, width])
    graph = helper.make_graph(nodes, "theirs", [given], [output], list(initializers))
    return helper.make_model(graph, opset_imports=opsets or [helper.make_opsetid("", 18)], ir_version=8)


def _external_data():
    weights = helper.make_tensor("W", TensorProto.FLOAT, [3, 2], [0.0] * 6)
    weights.ClearField("float_data")
    weights.data_location = TensorProto.EXTERNAL
    weights.external_data.append(onnx.StringStringEntryProto(key="location", value="/etc/passwd"))
    return _graph([helper.make_node("MatMul", ["X", "W"], ["Y"])], [weights])


def _no_probabilities():
    weights = helper.make_tensor("W", TensorProto.FLOAT, [3, 2], [5.0] * 6)
    return _graph([helper.make_node("MatMul", ["X", "W"], ["Y"])], [weights])


def _endless():
    """A loop whose condition is never false."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["go_on"]), helper.make_node("Identity", ["held"], ["kept"])],
        "body",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("held", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("kept", TensorProto.FLOAT, None),
        ],
    )
    true = helper.make_tensor("true", TensorProto.BOOL, [], [True])
    return _graph([helper.make_node("Loop", ["", "true", "X"], ["Y"], body=body)], [true])


def _by_chance():
    """Noise beside the answer: no two calls agree."""
    weights = helper.make_tensor("W", TensorProto.FLOAT, [3, 2], [0.0] * 6)
    flat, noise = (
        helper.make_node("MatMul", ["X", "W"], ["flat"]),
        helper.make_node("RandomNormalLike", ["flat"], ["n"]),
    )
    return _graph([flat, noise, helper.make_node("Add", ["flat", "n"], ["Y"])], [weights])


def _zip_map():
    fitted = LogisticRegression().fit(ROWS, ROWS[:, 0] > 0)
    return convert_sklearn(fitted, initial_types=[("X", FloatTensorType([None, 3]))], target_opset=OPSETS)


@pytest.mark.parametrize(
    ("make", "changes", "reason"),
    [
        (lambda: b"not a model", {}, "no valid ONNX model"),
        (_custom_domain, {}, "com.stranger"),
        (_external_data, {}, "other files|no valid ONNX"),
        (_no_probabilities, {}, "no probabilities"),
        (_zip_map, {}, "zipmap off"),
        (_endless, {}, "Loop may go on without end"),
        (_by_chance, {}, "RandomNormalLike answers by chance"),
        (
            lambda: forest()[1],
            {"features": [{"name": "n0", "kind": "number"}]},
            "n1|n2|Invalid|expected|does not run|unknown feature",
        ),
        (lambda: forest()[1], {"classes": ["no"]}, "a binary model has two classes"),
        (lambda: forest()[1], {"classes": ["a", "b", "c"], "task": "multiclass"}, "one output of shape"),
        (lambda: forest()[1], {"task": "ranking"}, "does not fit at task"),
        (lambda: forest()[1], {"examples": []}, "does not fit at examples"),
        (lambda: forest()[1], {"examples": [{"n0": "x", "n1": 1, "n2": 1}]}, "expected a number"),
    ],
    ids=range(13),
)
def test_what_is_not_plain_or_does_not_fit_is_refused(make, changes, reason):
    """In one line: what the child does, done here."""
    made = make()
    content = made if isinstance(made, bytes) else made.SerializeToString()

    with pytest.raises(ModelError, match=reason) as refused:
        examine(content, read_schema(schema(**changes)))

    assert "\n" not in str(refused.value)


def test_a_file_that_takes_too_long_is_ended(checked):
    """The child is killed at its deadline."""
    with pytest.raises(ArtifactRejected, match=r"within 0\.2 s"):
        checked(forest()[1], schema(), seconds=0.2)


def test_a_file_that_wants_too_much_memory_is_refused(checked):
    """A graph of a few bytes that asks for gigabytes."""
    size = helper.make_tensor("S", TensorProto.INT64, [2], [60_000, 60_000])
    nodes = [
        helper.make_node("ConstantOfShape", ["S"], ["huge"]),
        helper.make_node("ReduceSum", ["huge"], ["sum"], keepdims=0),
        helper.make_node("MatMul", ["X", "W"], ["flat"]),
        helper.make_node("Add", ["flat", "sum"], ["Y"]),
    ]
    weights = helper.make_tensor("W", TensorProto.FLOAT, [3, 2], [0.0] * 6)

    with pytest.raises(ArtifactRejected):
        checked(_graph(nodes, [size, weights]), schema(), memory_mb=500)


def test_a_refusal_comes_back_from_the_child(checked):
    """What the child finds is said here in its words; an empty file is not even shown to it."""
    with pytest.raises(ArtifactRejected, match=r"com\.stranger"):
        checked(_custom_domain(), schema())
    with pytest.raises(ArtifactRejected, match="may not be empty"):
        checked(b"", schema())


def test_a_file_that_is_too_large_is_not_opened(tmp_path):
    """Its size is enough to refuse it."""
    path = tmp_path / "large.onnx"
    with path.open("wb") as file:
        file.truncate(60_000_000)

    with pytest.raises(ArtifactRejected, match=r"60\.0 MB; the limit is 50 MB"):
        check(path, schema(), tmp_path / "out")
