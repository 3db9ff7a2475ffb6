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
from onnx import TensorProto, helper
from skl2onnx import convert_sklearn, update_registered_converter
from skl2onnx.common._registration import get_converter, get_shape_calculator
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.pipeline import Pipeline

from models.errors import ExportRefused
from models.runtime import NUMERIC_INPUT, TEXT_INPUT
from models.training.recipes import Plan

OPSETS = {"": 18, "ai.onnx.ml": 3}
"""Old enough for the browser's runtime, new enough for every construct here."""

PROBABILITIES = "probabilities"
VALUE = "value"


def export(pipeline: Pipeline, plan: Plan, *, center: float = 0.0, spread: float = 1.0) -> bytes:
    """Convert a trained pipeline; amounts are brought back to their own units in float64 inside the file.

    Raises:
        ExportRefused: when the converter does not know a construct.
    """
    inputs: list[tuple[str, Any]] = []
    if plan.numeric:
        inputs.append((NUMERIC_INPUT, FloatTensorType([None, plan.numeric])))
    if plan.categories:
        inputs.append((TEXT_INPUT, StringTensorType([None, len(plan.categories)])))
    rounded = _with_float32_thresholds(pipeline)
    options = {id(rounded): {"zipmap": False}} if plan.classification else None
    try:
        model = convert_sklearn(rounded, initial_types=inputs, options=options, target_opset=OPSETS)
    except Exception as error:  # the converter's errors share no root
        names = " → ".join(type(step).__name__ for _, step in pipeline.steps)
        raise ExportRefused(f"{names} cannot be written as ONNX: {str(error).strip().splitlines()[0][:200]}") from error
    if plan.classification:
        _finish(model, PROBABILITIES, _as_float32(model.graph.output[1]))
    else:
        _finish(model, VALUE, _in_units(model.graph.output[0], center, spread))
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content


def _as_float32(output: Any) -> list[Any]:
    return [helper.make_node("Cast", [output.name], [PROBABILITIES + "_out"], to=TensorProto.FLOAT)]


def _in_units(output: Any, center: float, spread: float) -> list[Any]:
    """Undo the standard units of training in float64: float32 would lose the digits of large amounts."""
    constants = [
        helper.make_node("Constant", [], [name], value=helper.make_tensor(name, TensorProto.DOUBLE, [], [number]))
        for name, number in (("center", center), ("spread", spread))
    ]
    return [
        *constants,
        helper.make_node("Cast", [output.name], ["standard"], to=TensorProto.DOUBLE),
        helper.make_node("Mul", ["standard", "spread"], ["spread_out"]),
        helper.make_node("Add", ["spread_out", "center"], [VALUE + "_out"]),
    ]


def _finish(model: onnx.ModelProto, name: str, nodes: Sequence[Any]) -> None:
    """Append the last steps, name the one output and drop what no longer leads to it (the label)."""
    graph = model.graph
    graph.node.extend(nodes)
    kind = TensorProto.FLOAT if name == PROBABILITIES else TensorProto.DOUBLE
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info(f"{name}_out", kind, [None, None]))
    needed = {f"{name}_out"}
    kept = []
    for node in reversed(graph.node):
        if needed & set(node.output):
            kept.append(node)
            needed.update(node.input)
    kept.reverse()
    initializers = [one for one in graph.initializer if one.name in needed]
    del graph.node[:], graph.initializer[:], graph.value_info[:]
    graph.node.extend(kept)
    graph.initializer.extend(initializers)
    final = {name: f"{name}_before", f"{name}_out": name}
    for node in graph.node:
        node.input[:] = [final.get(one, one) for one in node.input]
        node.output[:] = [final.get(one, one) for one in node.output]
    graph.output[0].name = name


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
