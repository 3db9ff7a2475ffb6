"""Trained pipeline → ONNX file with two packed inputs and one output.

Inputs `numeric` float32 [N, F] and `text` string [N, C] (a side without columns is absent). Output `probabilities` float32
[N, K] in the order of the class codes, or `value` float64 [N, 1]. Nothing in the file names a label or a column.
"""

import copy
from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
import onnx
import onnx.compose
from onnx import TensorProto, helper
from skl2onnx import convert_sklearn, update_registered_converter
from skl2onnx.common._registration import get_converter, get_shape_calculator
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.pipeline import Pipeline

from models.errors import ExportRefused
from models.runtime import NUMERIC_INPUT, TEXT_INPUT
from models.training.blend import Blend
from models.training.recipes import Plan

OPSETS = {"": 18, "ai.onnx.ml": 3}
"""Old enough for the browser's runtime, new enough for every construct here."""

PROBABILITIES = "probabilities"
VALUE = "value"

_IR_VERSION = 8  # what opset 18 came with


def export(blend: Blend, plan: Plan, *, center: float = 0.0, spread: float = 1.0) -> bytes:
    """Convert trained pipelines into one file; amounts are brought back to their own units in float64 inside it.

    Raises:
        ExportRefused: when the converter does not know a construct.
    """
    try:
        members = [_converted(pipeline, plan) for _, pipeline in blend.members]
    except Exception as error:  # the converter's errors share no root
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ExportRefused(f"{blend.constructs} cannot be written as ONNX: {reason[:200]}") from error
    kind = TensorProto.FLOAT if plan.classification else TensorProto.DOUBLE
    output = helper.make_tensor_value_info(PROBABILITIES if plan.classification else VALUE, kind, [None, None])
    nodes: list[Any] = []
    for number, ((weight, _), member) in enumerate(zip(blend.members, members, strict=True)):
        nodes += [*member.graph.node, *_scaled(_output(member), weight * spread, f"share_{number}")]
    nodes += _sum([f"share_{number}" for number in range(len(members))], center, kind, output.name)
    initializers = list(chain.from_iterable(member.graph.initializer for member in members))
    graph = helper.make_graph(_needed(nodes, output.name), "model", members[0].graph.input, [output])
    names = set(chain.from_iterable(node.input for node in graph.node))
    graph.initializer.extend(one for one in initializers if one.name in names)
    opsets = [helper.make_opsetid(domain, number) for domain, number in OPSETS.items()]
    model = helper.make_model(graph, opset_imports=opsets, producer_name="rowcast", ir_version=_IR_VERSION)
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content


def _converted(pipeline: Pipeline, plan: Plan) -> onnx.ModelProto:
    """Convert one pipeline; every name in it but the inputs' gets a prefix of its own."""
    inputs: list[tuple[str, Any]] = []
    if plan.numeric:
        inputs.append((NUMERIC_INPUT, FloatTensorType([None, plan.numeric])))
    if plan.categories:
        inputs.append((TEXT_INPUT, StringTensorType([None, len(plan.categories)])))
    rounded = _with_float32_thresholds(pipeline)
    options = {id(rounded): {"zipmap": False}} if plan.classification else None
    model = convert_sklearn(rounded, initial_types=inputs, options=options, target_opset=OPSETS)
    return onnx.compose.add_prefix(model, f"m{id(pipeline)}_", rename_inputs=False)


def _output(member: onnx.ModelProto) -> str:
    """Name the last output: a classifier's first one is its label, which the runtime finds by itself."""
    name: str = member.graph.output[-1].name
    return name


def _scaled(name: str, factor: float, result: str) -> list[Any]:
    return [
        helper.make_node("Cast", [name], [f"{result}_double"], to=TensorProto.DOUBLE),
        _constant(f"{result}_factor", factor),
        helper.make_node("Mul", [f"{result}_double", f"{result}_factor"], [result]),
    ]


def _sum(shares: Sequence[str], center: float, kind: int, result: str) -> list[Any]:
    """Add up the members and the center in float64: float32 would lose the digits of large amounts."""
    return [
        _constant("center", center),
        helper.make_node("Sum", [*shares, "center"], ["total"]),
        helper.make_node("Cast", ["total"], [result], to=kind),
    ]


def _constant(name: str, number: float) -> Any:
    return helper.make_node("Constant", [], [name], value=helper.make_tensor(name, TensorProto.DOUBLE, [], [number]))


def _needed(nodes: Sequence[Any], output: str) -> list[Any]:
    """Drop the steps that no longer lead to the output, such as those that choose a label."""
    needed = {output}
    kept = []
    for node in reversed(nodes):
        if needed & set(node.output):
            kept.append(node)
            needed.update(node.input)
    return kept[::-1]


class _PlainIntegers:
    """A converter's container that writes integer attributes as integers: protobuf takes no booleans for them."""

    def __init__(self, container: Any) -> None:
        self._container = container

    def __getattr__(self, name: str) -> Any:
        return getattr(self._container, name)

    def add_node(self, op_type: str, *places: Any, **attributes: Any) -> Any:
        plain = {
            name: [int(one) for one in value] if name == "nodes_missing_value_tracks_true" else value
            for name, value in attributes.items()
        }
        return self._container.add_node(op_type, *places, **plain)


def _with_float32_thresholds(pipeline: Pipeline) -> Pipeline:
    """Copy a pipeline with each threshold of its boosting models lowered to a float32.

    For float32 input, `x <= t` and `x <= the largest float32 not above t` are the same question; rounding to the nearest, as
    the converter does, would send values just above a threshold the other way.
    """
    copied = copy.deepcopy(pipeline)
    model = copied[-1]
    for boosting in [model, *(one.estimator for one in getattr(model, "calibrated_classifiers_", []))]:
        for tree in chain.from_iterable(getattr(boosting, "_predictors", [])):
            thresholds = tree.nodes["num_threshold"]
            rounded = thresholds.astype(np.float32)
            above = rounded > thresholds
            rounded[above] = np.nextafter(rounded[above], np.float32(-np.inf))
            tree.nodes["num_threshold"] = rounded
    return copied


def _register(estimator: type, alias: str) -> None:
    original = get_converter(alias)

    def convert(scope: Any, operator: Any, container: Any) -> None:
        original(scope, operator, _PlainIntegers(container))

    options = original.get_allowed_options()
    update_registered_converter(estimator, alias, get_shape_calculator(alias), convert, options=options)


_register(HistGradientBoostingClassifier, "SklearnHistGradientBoostingClassifier")
_register(HistGradientBoostingRegressor, "SklearnHistGradientBoostingRegressor")
