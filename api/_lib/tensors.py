"""One tensor of the Open Inference Protocol V2, from JSON or bytes to a flat list and back.

Nothing is ever allocated by a shape: the values must be there, and as many as the shape says. Bytes are little-endian and
row-major; a text is a four-byte length and UTF-8. What a value means is the card's business, not this module's.
"""

from collections.abc import Mapping, Sequence
from itertools import chain
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from api._lib.places import refuse

TEXT = "BYTES"
DTYPES = {
    "BOOL": "?",
    "UINT8": "u1",
    "UINT16": "<u2",
    "UINT32": "<u4",
    "UINT64": "<u8",
    "INT8": "i1",
    "INT16": "<i2",
    "INT32": "<i4",
    "INT64": "<i8",
    "FP16": "<f2",
    "FP32": "<f4",
    "FP64": "<f8",
}
BINARY_SIZE = "binary_data_size"

_MAX_DIMENSIONS = 8
_LENGTH_BYTES = 4
_SHOWN_CHARACTERS = 40
_SHARED_MEMORY = "shared_memory_region"


class Tensor(NamedTuple):
    """A named block of values, flat and row-major; numbers that came as bytes stay an array."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    values: Sequence[Any] | NDArray[Any]
    is_nested: bool = False
    """Its JSON was nested lists, so a place in it is named by two indexes."""


def read_tensor(sent: Mapping[str, Any], place: str, raw: bytes | None) -> Tensor:
    """Read one input; `raw` holds its bytes if it came as bytes.

    Raises:
        RequestMalformed: it does not hold together.
    """
    name, datatype, shape = sent.get("name"), sent.get("datatype"), _shape(sent.get("shape"), place)
    if not isinstance(name, str) or not name:
        refuse(f"{place}/name", "expected the name of the tensor")
    if not isinstance(datatype, str) or (datatype != TEXT and datatype not in DTYPES):
        refuse(f"{place}/datatype", f"expected one of {', '.join([*DTYPES, TEXT])}")
    if raw is not None:
        return Tensor(name, datatype, shape, _from_bytes(raw, datatype, prod(shape), place))
    data = sent.get("data")
    if not isinstance(data, list):
        refuse(f"{place}/data", "expected a list of values")
    return Tensor(name, datatype, shape, _flat(data, shape, place), bool(data) and isinstance(data[0], list))


def binary_size(sent: Mapping[str, Any], place: str) -> int | None:
    """Tell how many bytes of the body belong to an input; None when its data stand in the JSON."""
    parameters = read_parameters(sent, place)
    if _SHARED_MEMORY in parameters:
        refuse(f"{place}/parameters/{_SHARED_MEMORY}", "shared memory is not offered: send the data")
    size = parameters.get(BINARY_SIZE)
    if size is None:
        return None
    if type(size) is not int or size < 0:
        refuse(f"{place}/parameters/{BINARY_SIZE}", "expected a number of bytes")
    if "data" in sent:
        refuse(f"{place}/data", f"not beside {BINARY_SIZE}")
    return size


def read_parameters(sent: Mapping[str, Any], place: str) -> Mapping[str, Any]:
    """Read the `parameters` of a request, an input or an output: an object of texts, numbers, true and false."""
    parameters = sent.get("parameters")
    if parameters is None:
        return {}
    if not isinstance(parameters, dict) or any(isinstance(value, (dict, list)) for value in parameters.values()):
        refuse(f"{place}/parameters", "expected an object of texts, numbers, true and false")
    return parameters


def to_bytes(tensor: Tensor) -> bytes:
    """Write a tensor's values as bytes."""
    if tensor.datatype == TEXT:
        texts = [text.encode() for text in tensor.values]
        return b"".join(chain.from_iterable((len(text).to_bytes(_LENGTH_BYTES, "little"), text) for text in texts))
    return np.asarray(tensor.values, dtype=DTYPES[tensor.datatype]).tobytes()


def describe(name: str, datatype: str, width: int) -> dict[str, Any]:
    """Describe a tensor of any number of rows."""
    return {"name": name, "datatype": datatype, "shape": [-1, width]}


def _shape(shape: Any, place: str) -> tuple[int, ...]:
    if not isinstance(shape, list) or not 1 <= len(shape) <= _MAX_DIMENSIONS:
        refuse(f"{place}/shape", f"expected a list of 1 to {_MAX_DIMENSIONS} sizes")
    for size in shape:
        if type(size) is not int or size < 0:
            refuse(f"{place}/shape", "expected whole numbers")
    return tuple(shape)


def _flat(data: list[Any], shape: tuple[int, ...], place: str) -> list[Any]:
    """Flatten nested lists that are as regular as their shape; flat lists go as they are."""
    level, found = data, [len(data)]
    while level and isinstance(level[0], list):
        lengths = {len(each) if isinstance(each, list) else -1 for each in level}
        if len(lengths) > 1 or len(found) == _MAX_DIMENSIONS:
            refuse(f"{place}/data", "the lists do not all have the same length and depth")
        found.append(lengths.pop())
        level = list(chain.from_iterable(level))
    if len(found) > 1 and tuple(found) != shape:
        refuse(f"{place}/data", f"the lists have the shape {found}, not {list(shape)}")
    if len(level) != prod(shape):
        refuse(f"{place}/data", f"{len(level)} values do not fill the shape {_shown(shape)}")
    return level


def _from_bytes(raw: bytes, datatype: str, count: int, place: str) -> list[str] | NDArray[Any]:
    if datatype == TEXT:
        return _texts(raw, count, place)
    dtype = np.dtype(DTYPES[datatype])
    if len(raw) != count * dtype.itemsize:
        refuse(
            f"{place}/data", f"{len(raw)} bytes; the shape needs {_shown((count,))} values of {dtype.itemsize} bytes"
        )
    if datatype == "BOOL" and raw.strip(b"\0\1"):
        refuse(f"{place}/data", "a BOOL is one byte, 0 or 1")
    return np.frombuffer(raw, dtype)


def _texts(raw: bytes, count: int, place: str) -> list[str]:
    texts: list[str] = []
    at = 0
    while at < len(raw):
        start = at + _LENGTH_BYTES
        at = start + int.from_bytes(raw[at:start], "little")
        if at > len(raw) or start > len(raw):
            refuse(f"{place}/data/{len(texts)}", "the text is longer than the tensor's bytes")
        try:
            texts.append(raw[start:at].decode())
        except UnicodeDecodeError:
            refuse(f"{place}/data/{len(texts)}", "the text is not UTF-8")
    if len(texts) != count:
        refuse(f"{place}/data", f"{len(texts)} texts do not fill the shape, which has {_shown((count,))}")
    return texts


def _shown(shape: Sequence[int]) -> str:
    text = str(list(shape)) if len(shape) > 1 else str(shape[0])
    return text if len(text) <= _SHOWN_CHARACTERS else "that was sent"
