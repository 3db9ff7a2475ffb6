"""A stranger's graph that reads one column at a time, made shorter: what is taken apart only to be put together again stays whole.

A pipeline that was exported with one input per column takes each column out of the packed tensor and, as a rule, joins the numbers
again before it computes anything. Each of those steps costs as much as the model's own, so that a row of 30 numbers takes
five times as long. Here the columns that are joined are taken at once. The same walk tells which values a column's encoder knows.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import onnx
from onnx import TensorProto, helper, numpy_helper

from models.coercion import coerce_category
from models.errors import CoercionError
from models.training.foreign_schema import MAX_CATEGORIES, Schema

_ENCODERS = {"OneHotEncoder": "cats_strings", "LabelEncoder": "keys_strings"}
"""Operators that know the values of a column, and where they keep them."""

_ACROSS = {1, -1}  # the axis of the columns
_PICKERS = {"Gather", "ArrayFeatureExtractor"}
"""Operators that pick columns; of a single column, the first is all of it."""


class Column(NamedTuple):
    """One column of a packed tensor."""

    side: str
    place: int


def join_columns(graph: onnx.GraphProto, columns: dict[str, Column]) -> None:
    """Take columns that are joined by one step, and drop what is then of no use.

    Args:
        graph: Is changed in place.
        columns: What stands for which column as it is, by the name of the value.
    """
    columns = _followed(graph, columns)
    widths = {one.name: one.type.tensor_type.shape.dim[1].dim_value for one in graph.input}
    nodes: list[Any] = []
    for node in graph.node:
        if node.op_type in _PICKERS and node.output[0] in columns:
            nodes.append(helper.make_node("Identity", [node.input[0]], [node.output[0]]))
        elif node.op_type == "Concat" and _axis(node) in _ACROSS:
            nodes += _joined(node, columns, widths)
        else:
            nodes.append(node)
    kept = _useful(nodes, {output.name for output in graph.output})
    del graph.node[:]
    graph.node.extend(kept)


def known_values(graph: onnx.GraphProto, columns: dict[str, Column], schema: Schema) -> Schema:
    """Complete a description by what the graph's encoders tell of the values of a category."""
    columns = _followed(graph, columns)
    found: dict[int, list[str]] = {}
    for node in graph.node:
        values = _ENCODERS.get(node.op_type)
        column = columns.get(node.input[0]) if values and len(node.input) == 1 else None
        if column is not None:
            texts = [text.decode() for each in node.attribute if each.name == values for text in each.strings]
            found.setdefault(column.place, []).extend(filter(_is_sent, texts))
    categories = [feature for feature in schema.features if feature.kind == "category"]
    told = {
        feature.name: list(dict.fromkeys(found.get(place, [])))
        for place, feature in enumerate(categories)
        if not feature.categories
    }
    features = [
        feature.model_copy(update={"categories": told[feature.name]})
        # A longer list would stand in the card only in part, and the rest would be called unknown.
        if 0 < len(told.get(feature.name, ())) <= MAX_CATEGORIES
        else feature
        for feature in schema.features
    ]
    return schema.model_copy(update={"features": features})


def _is_sent(text: str) -> bool:
    """Tell whether a cell can become this text: blanks are cut off, and words for missing become none."""
    try:
        return bool(text) and coerce_category(text) == text
    except CoercionError:
        return False


def _followed(graph: onnx.GraphProto, columns: dict[str, Column]) -> dict[str, Column]:
    """Add the values that are a column under another name: handed on, or its first and only part."""
    columns = dict(columns)
    firsts = {one.name for one in graph.initializer if list(one.dims) == [1] and not numpy_helper.to_array(one).any()}
    for node in graph.node:
        if node.input and node.input[0] in columns and (node.op_type == "Identity" or _picks(node, firsts)):
            columns[node.output[0]] = columns[node.input[0]]
    return columns


def _picks(node: Any, chosen: set[str]) -> bool:
    """Tell whether a step picks columns by one of these lists."""
    if node.op_type not in _PICKERS or node.input[1] not in chosen:
        return False
    return node.op_type == "ArrayFeatureExtractor" or _axis(node) in _ACROSS


def _axis(node: Any) -> int:
    return next((int(attribute.i) for attribute in node.attribute if attribute.name == "axis"), 0)


def _joined(node: Any, columns: dict[str, Column], widths: dict[str, int]) -> list[Any]:
    """Write a join again: neighbours that are columns of the same tensor come as one."""
    output, steps, parts = node.output[0], [], []
    for side, run in groupby(node.input, key=lambda name: columns[name].side if name in columns else ""):
        names = list(run)
        places = [columns[name].place for name in names] if side else []
        if len(places) < 2:  # noqa: PLR2004  one is no join
            parts += names
        elif places == list(range(widths[side])):
            parts.append(side)
        else:
            taken = f"{output}_of_{side}_{len(parts)}"
            steps += _taken(side, places, taken)
            parts.append(taken)
    if len(parts) == len(node.input):
        return [node]
    if len(parts) == 1:
        return [*steps, helper.make_node("Identity", parts, [output])]
    return [*steps, helper.make_node("Concat", parts, [output], axis=1)]  # columns have two axes: the last is this one


def _taken(side: str, places: Sequence[int], name: str) -> list[Any]:
    index = helper.make_tensor(f"{name}_places", TensorProto.INT64, [len(places)], places)
    constant = helper.make_node("Constant", [], [index.name], value=index)
    return [constant, helper.make_node("Gather", [side, index.name], [name], axis=1)]


def _useful(nodes: Sequence[Any], wanted: set[str]) -> list[Any]:
    """Keep the steps that an answer needs."""
    kept = []
    for node in reversed(nodes):
        if not wanted.isdisjoint(node.output):
            wanted.update(_read(node))
            kept.append(node)
    return kept[::-1]


def _read(node: Any) -> Iterator[str]:
    """Name what a step reads, graphs within it included."""
    yield from node.input
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            for inner in graph.node:
                yield from _read(inner)
            yield from (output.name for output in graph.output)
