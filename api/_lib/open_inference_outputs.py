"""The outputs of the Open Inference Protocol V2: which were asked for, and the model's answer as tensors on the wire.

Classification answers `label` and `probabilities`, in the card's order of classes; regression answers `value` and, where the
card has an interval, `low` and `high`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from api._lib.places import refuse
from api._lib.tensors import BINARY_SIZE, TEXT, Tensor, describe, read_parameters, to_bytes
from models.contract import Card
from models.errors import FieldError, InvalidRows
from models.runtime import label_indexes

HEADER_LENGTH = "inference-header-content-length"


@dataclass(frozen=True, slots=True)
class Wanted:
    """One output that was asked for, and how."""

    name: str
    is_binary: bool
    classes: int


def read_wanted(outputs: Any, card: Card, *, is_binary: bool) -> list[Wanted]:
    """Read which outputs a request asks for; all of them if it names none."""
    known = _outputs(card)
    if outputs is None or outputs == []:
        return [Wanted(name, is_binary, 0) for name in known]
    if not isinstance(outputs, list):
        refuse("#/outputs", "expected a list of outputs")
    wanted: list[Wanted] = []
    for index, sent in enumerate(outputs):
        one = _wanted_one(sent, f"#/outputs/{index}", known, is_binary=is_binary)
        if any(one.name == other.name for other in wanted):
            refuse(f"#/outputs/{index}/name", "asked for twice")
        wanted.append(one)
    return wanted


def _wanted_one(sent: Any, place: str, known: Mapping[str, Any], *, is_binary: bool) -> Wanted:
    if not isinstance(sent, dict):
        refuse(place, "expected an object with a name")
    name = sent.get("name")
    if not isinstance(name, str) or name not in known:
        refuse(f"{place}/name", f"expected one of {', '.join(known)}")
    parameters = read_parameters(sent, place)
    classes = parameters.get("classification", 0)
    if type(classes) is not int or classes < 0 or (classes and name != "probabilities"):
        refuse(f"{place}/parameters/classification", "expected a number of classes, for the output probabilities")
    return Wanted(name, parameters.get("binary_data", is_binary) is True, classes)


def write_answer(answer: dict[str, Any], tensors: Sequence[tuple[Tensor, bool]]) -> tuple[bytes, dict[str, str]]:
    """Write an answer and its outputs, each as JSON or as bytes: the body and its headers."""
    outputs, blocks = [], []
    for tensor, is_binary in tensors:
        output: dict[str, Any] = {"name": tensor.name, "shape": tensor.shape, "datatype": tensor.datatype}
        if is_binary:
            blocks.append(to_bytes(tensor))
            output["parameters"] = {BINARY_SIZE: len(blocks[-1])}
        else:
            output["data"] = tensor.values.tolist() if isinstance(tensor.values, np.ndarray) else tensor.values
        outputs.append(output)
    head = orjson.dumps({**answer, "outputs": outputs})
    if not blocks:
        return head, {"content-type": "application/json"}
    headers = {"content-type": "application/octet-stream", HEADER_LENGTH: str(len(head))}
    return b"".join([head, *blocks]), headers


def answer_tensors(output: NDArray[Any], card: Card, wanted: Sequence[Wanted]) -> list[tuple[Tensor, bool]]:
    """Put the model's answer into the outputs that were asked for. Raises InvalidRows where it is not finite."""
    finite = np.isfinite(output).all(axis=1)
    if not finite.all():
        detail = "the numbers are too extreme: the model gives no finite answer"
        raise InvalidRows([FieldError("#/columns", f"row {row}: {detail}") for row in np.flatnonzero(~finite)])
    return [(_answer_tensor(output, card, each), each.is_binary) for each in wanted]


def output_tensors(card: Card) -> list[dict[str, Any]]:
    """Describe the outputs."""
    return [describe(name, datatype, width) for name, (datatype, width) in _outputs(card).items()]


def _outputs(card: Card) -> dict[str, tuple[str, int]]:
    if card.classes:
        return {"label": (TEXT, 1), "probabilities": ("FP32", len(card.classes))}
    bounds = ("low", "high") if card.interval else ()
    return dict.fromkeys(("value", *bounds), ("FP64", 1))


def _answer_tensor(output: NDArray[Any], card: Card, wanted: Wanted) -> Tensor:
    datatype, width = _outputs(card)[wanted.name]
    rows = len(output)
    match wanted.name:
        case "label":
            values: Sequence[Any] | NDArray[Any] = [card.classes[index] for index in label_indexes(output).tolist()]
        case "probabilities" if wanted.classes:
            return _classification(output, card, min(wanted.classes, width))
        case "low" | "high":
            assert card.interval
            half = card.interval.half_width
            values = output[:, 0] + (half if wanted.name == "high" else -half)
        case _:
            values = output.ravel()
    return Tensor(wanted.name, datatype, (rows, width), values)


def _classification(output: NDArray[Any], card: Card, count: int) -> Tensor:
    best = np.argsort(-output, axis=1, kind="stable")[:, :count]
    values = [
        f"{row[index]:.6f}:{index}:{card.classes[index]}"
        for row, indexes in zip(output.tolist(), best.tolist(), strict=True)
        for index in indexes
    ]
    return Tensor("probabilities", TEXT, (len(output), count), values)
