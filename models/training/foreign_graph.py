"""A stranger's graph: read without running it, refused where it is more than plain computation, and brought to packed inputs."""

from collections.abc import Sequence
from typing import Any

import onnx
from onnx import TensorProto, helper

from models.errors import ArtifactRejected
from models.runtime import NUMERIC_INPUT, TEXT_INPUT
from models.training.foreign_columns import Column
from models.training.foreign_schema import Schema

DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml"})
"""The operators of the standard; anything else would be somebody's own code."""

REFUSED = {
    "Loop": "may go on without end",
    **dict.fromkeys(
        ("Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"),
        "answers by chance",
    ),
}
"""Operators of the standard that a server must not run for strangers: the same row has one answer, within a bounded time."""

MAX_NODES = 20_000
_MAX_OPSET = {"": 22, "ai.onnx": 22, "ai.onnx.ml": 4}
_NUMBERS = {TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.INT64, TensorProto.INT32, TensorProto.BOOL}


def read_graph(content: bytes) -> onnx.ModelProto:
    """Read a graph, and refuse what is not plain computation. Raises ArtifactRejected."""
    try:
        model = onnx.load_from_string(content)
        onnx.checker.check_model(model)
    except Exception as error:  # noqa: BLE001  protobuf's and onnx's errors share no root
        raise ArtifactRejected(f"the file is no valid ONNX model: {first_line(error)}") from None
    for opset in model.opset_import:
        if opset.domain not in DOMAINS:
            raise ArtifactRejected(f"the file uses operators of {opset.domain!r}: only the standard's are run")
        if opset.version > _MAX_OPSET[opset.domain]:
            raise ArtifactRejected(
                f"the file uses operator set {opset.version}; up to {_MAX_OPSET[opset.domain]} is served"
            )
    if len(model.functions):
        raise ArtifactRejected("the file defines functions of its own: export it without them")
    nodes = _check_graph(model.graph)
    if nodes > MAX_NODES:
        raise ArtifactRejected(f"the file has {nodes} operators; the limit is {MAX_NODES}")
    return model


def _check_graph(graph: onnx.GraphProto) -> int:
    """Count the operators of a graph and of the graphs in it; refuse foreign ones and data outside the file."""
    count = len(graph.node)
    tensors = [*graph.initializer, *(one.values for one in graph.sparse_initializer)]
    for node in graph.node:
        if node.domain not in DOMAINS:
            raise ArtifactRejected(
                f"the operator {node.op_type} is one of {node.domain!r}: only the standard's are run"
            )
        if node.op_type in REFUSED:
            raise ArtifactRejected(f"the operator {node.op_type} {REFUSED[node.op_type]}: export the model without it")
        for attribute in node.attribute:
            tensors += [attribute.t, *attribute.tensors]
            count += sum(_check_graph(inner) for inner in (attribute.g, *attribute.graphs))
    for tensor in tensors:
        if tensor.data_location == onnx.TensorProto.EXTERNAL or len(tensor.external_data):
            raise ArtifactRejected("the file keeps data in other files: save it as one file")
    return count


def pack(model: onnx.ModelProto, schema: Schema) -> dict[str, Column]:
    """Let a graph read the two packed tensors and give one answer; it is changed in place.

    It may read them already, or one tensor of all numbers and one of all texts by other names, or one column per feature.

    Returns:
        What stands for which column as it is, by the name of the value.
    """
    graph = model.graph
    _keep_the_answer(graph, len(schema.classes) or 1)
    sides = {
        NUMERIC_INPUT: [feature.name for feature in schema.features if feature.kind != "category"],
        TEXT_INPUT: [feature.name for feature in schema.features if feature.kind == "category"],
    }
    fixed = {one.name for one in graph.initializer}
    inputs = [one for one in graph.input if one.name not in fixed]
    places = {name: (side, place) for side, names in sides.items() for place, name in enumerate(names)}
    whole = {side: [one for one in inputs if _side(one) == side] for side in sides}
    nodes: list[Any] = []
    columns: dict[str, Column] = {}
    is_packed = all(len(whole[side]) == bool(names) for side, names in sides.items())
    if is_packed and not places.keys() >= {one.name for one in inputs}:
        nodes += [node for side, ones in whole.items() for one in ones for node in _handed_on(side, one)]
    else:
        unknown = [one.name for one in inputs if one.name not in places]
        if unknown:
            raise ArtifactRejected(f"the file reads {unknown[0]!r}, which is no feature of the description")
        for one in inputs:
            side, place = places[one.name]
            if _side(one) != side:
                raise ArtifactRejected(f"the file reads {one.name!r} as another type than the description says")
            nodes += _column(side, place, one)
            kind = one.type.tensor_type
            if kind.elem_type in {TensorProto.FLOAT, TensorProto.STRING} and len(kind.shape.dim) != 1:
                columns[one.name] = Column(side, place)
    given = [_declared(side, len(names)) for side, names in sides.items() if whole[side] and names]
    kept = list(graph.node)
    del graph.node[:], graph.input[:]
    graph.input.extend(given)
    graph.node.extend([*nodes, *kept])
    return columns


def _keep_the_answer(graph: onnx.GraphProto, width: int) -> None:
    """Keep the one output that holds a number per class, or per row."""
    fitting = []
    for output in graph.output:
        tensor = output.type.tensor_type
        dimensions = [one.dim_value for one in tensor.shape.dim]
        if (
            tensor.elem_type in {TensorProto.FLOAT, TensorProto.DOUBLE}
            and len(dimensions) == 2  # noqa: PLR2004  # rows and answers
            and dimensions[1] in {0, width}
        ):
            fitting.append(output)
    if len(fitting) != 1:
        raise ArtifactRejected(
            f"the file needs one output of shape [rows, {width}] with floats (of scikit-learn: zipmap off); it has {len(fitting)}"
        )
    kept = onnx.ValueInfoProto()
    kept.CopyFrom(fitting[0])
    del graph.output[:]
    graph.output.extend([kept])


def _side(value: onnx.ValueInfoProto) -> str:
    kind = value.type.tensor_type.elem_type
    if kind == TensorProto.STRING:
        return TEXT_INPUT
    if kind in _NUMBERS:
        return NUMERIC_INPUT
    raise ArtifactRejected(f"the file reads {value.name!r} as something that is neither number nor text")


def _declared(side: str, width: int) -> Any:
    kind = TensorProto.STRING if side == TEXT_INPUT else TensorProto.FLOAT
    return helper.make_tensor_value_info(side, kind, [None, width])


def _handed_on(side: str, one: onnx.ValueInfoProto) -> Sequence[Any]:
    """Hand a packed tensor to an input of another name or type."""
    kind = one.type.tensor_type.elem_type
    if one.name == side:
        if kind not in {TensorProto.STRING, TensorProto.FLOAT}:
            raise ArtifactRejected(f"the input {side!r} must hold float32 numbers")
        return []
    if side == TEXT_INPUT:
        return [helper.make_node("Identity", [side], [one.name])]
    return [helper.make_node("Cast", [side], [one.name], to=kind)]


def _column(side: str, place: int, one: onnx.ValueInfoProto) -> Sequence[Any]:
    """Take one column out of a packed tensor."""
    index, column = f"{one.name}_place", f"{one.name}_column"
    constant = helper.make_node(
        "Constant", [], [index], value=helper.make_tensor(index, TensorProto.INT64, [1], [place])
    )
    gather = helper.make_node("Gather", [side, index], [column], axis=1)
    rank = len(one.type.tensor_type.shape.dim)
    flat = f"{one.name}_flat"
    shape = helper.make_node(
        "Constant", [], [f"{flat}_shape"], value=helper.make_tensor(flat, TensorProto.INT64, [1], [-1])
    )
    steps = [constant, gather]
    if rank == 1:
        steps += [shape, helper.make_node("Reshape", [column, f"{flat}_shape"], [flat])]
        column = flat
    if side == TEXT_INPUT:
        return [*steps, helper.make_node("Identity", [column], [one.name])]
    return [*steps, helper.make_node("Cast", [column], [one.name], to=one.type.tensor_type.elem_type)]


def first_line(error: Exception) -> str:
    """Give as much of an error as a message can show."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
