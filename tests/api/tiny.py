"""A model small enough to build by hand: two numbers and one category, three classes, weights one can recompute.

The score of class k is `WEIGHTS[k] · (length, width) + BIAS[k] + (island is CLASSES[k])`, with missing numbers as 0, and the
probabilities are its softmax. No training is needed to make it, and a test can say what it must answer.
"""

import hashlib
import math
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from models.contract import (
    CONTRACT_VERSION,
    Card,
    CategoryCount,
    DatasetNote,
    Evaluation,
    Feature,
    Metric,
    ParityCertificate,
)

CLASSES = ["Adelie", "Chinstrap", "Gentoo"]
WEIGHTS = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]], dtype=np.float32)
BIAS = np.array([0.0, 0.25, -0.25], dtype=np.float32)
ISLANDS = ["Biscoe", "Dream", "Torgersen"]


@dataclass(frozen=True)
class Tiny:
    """One built model: its file and its card."""

    model: bytes
    card: Card


def build(name: str = "tiny", *, seed: int = 0, is_heavy: bool = False) -> Tiny:
    """Build the model; another seed is another version of it, with another digest and slightly other answers.

    A heavy one gives the same answers after a tenth of a second of multiplying for nothing.
    """
    bias = BIAS + np.array([seed, 0, 0], dtype=np.float32) / 8
    constants = {
        "zero": np.zeros(1, np.float32),
        "weights": WEIGHTS.T.copy(),
        "bias": bias,
        "islands": np.array([ISLANDS], dtype=object),
        "seed": np.array([seed], np.int64),
    }
    nodes = [
        helper.make_node("IsNaN", ["numeric"], ["missing"]),
        helper.make_node("Where", ["missing", "zero", "numeric"], ["filled"]),
        helper.make_node("MatMul", ["filled", "weights"], ["weighted"]),
        helper.make_node("Equal", ["text", "islands"], ["matches"]),
        helper.make_node("Cast", ["matches"], ["bonus"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["weighted", "bias"], ["biased"]),
        helper.make_node("Add", ["biased", "bonus"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["probabilities"], axis=1),
    ]
    if is_heavy:
        nodes[-1:] = _HEAVY_NODES
        constants |= {"side": np.array([_HEAVY_SIDE, _HEAVY_SIDE], np.int64)}
    graph = helper.make_graph(
        nodes,
        "tiny",
        [
            helper.make_tensor_value_info("numeric", TensorProto.FLOAT, [None, 2]),
            helper.make_tensor_value_info("text", TensorProto.STRING, [None, 1]),
        ],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, 3])],
        initializer=[numpy_helper.from_array(array, key) for key, array in constants.items() if key != "seed"],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=10, doc_string=str(seed))
    onnx.checker.check_model(made)
    content = made.SerializeToString()
    return Tiny(content, _card(name, content, seed))


_HEAVY_SIDE = 1400
_HEAVY_NODES = [
    helper.make_node("ReduceSum", ["scores"], ["total"], keepdims=0),
    helper.make_node("Expand", ["total", "side"], ["square"]),
    helper.make_node("MatMul", ["square", "square"], ["product"]),
    helper.make_node("ReduceSum", ["product"], ["sum"], keepdims=0),
    helper.make_node("Mul", ["sum", "zero"], ["nothing"]),
    helper.make_node("Add", ["scores", "nothing"], ["same"]),
    helper.make_node("Softmax", ["same"], ["probabilities"], axis=1),
]


def expected(length: float | None, width: float | None, island: str | None) -> dict[str, float]:
    """Recompute the probabilities of seed 0 by hand."""
    numbers = np.array([length or 0.0, width or 0.0], dtype=np.float32)
    scores = WEIGHTS @ numbers + BIAS + np.array([each == island for each in ISLANDS], dtype=np.float32)
    powers = [math.exp(score - max(scores)) for score in scores]
    return {label: power / sum(powers) for label, power in zip(CLASSES, powers, strict=True)}


def _card(name: str, content: bytes, seed: int) -> Card:
    common = {
        "missing_share": 0.1,
        "category_count": 0,
        "categories": [],
        "quantiles": [0.0] * 7,
        "histogram": [1] * 20,
    }
    metric = Metric(name="accuracy", value=0.9, low=0.85, high=0.95, better="higher", primary=True)
    return Card(
        contract_version=CONTRACT_VERSION,
        name=name,
        title="Tiny",
        description="Built by hand",
        task="multiclass",
        target="species",
        features=[
            Feature(
                name="length", kind="number", position=0, required=True, minimum=0, maximum=10, default=1.0, **common
            ),
            Feature(
                name="width", kind="integer", position=1, required=False, minimum=0, maximum=10, default=1.0, **common
            ),
            Feature(
                name="island",
                kind="category",
                position=0,
                required=False,
                minimum=None,
                maximum=None,
                default="Biscoe",
                **common
                | {
                    "categories": [CategoryCount(value=each, share=1 / 3) for each in ISLANDS],
                    "category_count": 3,
                    "quantiles": [],
                    "histogram": [],
                },
            ),
        ],
        classes=CLASSES,
        class_shares=[0.4, 0.3, 0.3],
        target_quantiles=[],
        target_histogram=[],
        interval=None,
        ignored_columns=["row_id"],
        examples=[{"length": 1.0, "width": 2, "island": "Biscoe"}],
        background=[{"length": 1.0, "width": 1, "island": "Dream"}, {"length": 3.0, "width": 2, "island": "Biscoe"}],
        recipe="by_hand",
        parameters={"seed": seed},
        evaluation=Evaluation(
            rows=100,
            metrics=[metric],
            baseline=[metric.model_copy(update={"value": 0.4, "low": 0.3, "high": 0.5})],
            leaderboard=[],
            importance=[],
            confusion=[],
            reliability=[],
            residual_quantiles=[],
        ),
        parity=ParityCertificate(
            passed=True, tolerance=1e-5, rows=0, label_flips=0, max_error=0, kinds=[], worst_row={}, engines=[]
        ),
        dataset=DatasetNote(name="tiny", sha256="0" * 64, rows=400, columns=4, source=None, licence=None),
        warnings=[],
        digest=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        libraries={},
        seed=seed,
        training_seconds=0,
        trained_at=datetime(2026, 11, 23, tzinfo=UTC),
    )
