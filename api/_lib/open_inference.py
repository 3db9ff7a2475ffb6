"""The inputs of the Open Inference Protocol V2: a request, its values as JSON or bytes → columns by feature name.

Inputs are one tensor per feature, or the packed pair `numeric` [N, F] and `text` [N, C] in the order of the card's
positions, or some of both. Beyond the protocol, null in `data` says that a value is missing, as NaN and "" do.
"""

import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from api._lib.app import MAX_BODY_BYTES
from api._lib.bodies import check_count
from api._lib.client_json import parse_client_json
from api._lib.errors import BodyTooLarge, MediaTypeUnsupported, RequestMalformed
from api._lib.open_inference_outputs import Wanted, read_wanted
from api._lib.places import Relocate, refuse
from api._lib.tensors import BINARY_SIZE, TEXT, Tensor, binary_size, describe, read_parameters, read_tensor
from models.contract import Card
from models.encoding import Column, column_pointer
from models.errors import FieldError
from models.runtime import NUMERIC_INPUT, TEXT_INPUT

DATATYPES = {"number": "FP32", "integer": "INT64", "boolean": "BOOL", "category": TEXT, "date": TEXT}
"""What the metadata recommend by kind of feature; any other type that the coercion table can read is as good."""

_MAX_ID_CHARACTERS = 256
_LENGTH = re.compile(r"\d{1,9}", re.ASCII)
_INFLATED = {"gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}


@dataclass(frozen=True, slots=True)
class InferenceRequest:
    """A request that holds together; the card has yet to read the values."""

    id: str
    columns: Mapping[str, Column]
    wanted: Sequence[Wanted]
    relocate: Relocate

    def to_rows(self) -> list[dict[str, Any]]:
        """Write the values as rows; one that is missing is null."""
        columns = [column.tolist() if isinstance(column, np.ndarray) else column for column in self.columns.values()]
        return [dict(zip(self.columns, cells, strict=True)) for cells in zip(*columns, strict=True)]


def inflate(body: bytes, encoding: str) -> bytes:
    """Undo the compression of a body, which may not grow beyond what a plain body may have.

    Raises:
        ApiError: the compression is unknown or broken, or the content is too large.
    """
    if encoding in {"", "identity"}:
        return body
    if encoding not in _INFLATED:
        raise MediaTypeUnsupported(f"Bodies may be compressed with gzip or deflate, not {encoding[:40]}")
    inflater = zlib.decompressobj(_INFLATED[encoding])
    try:
        content = inflater.decompress(body, MAX_BODY_BYTES + 1)
    except zlib.error:
        raise RequestMalformed(f"The body is not {encoding}") from None
    if len(content) > MAX_BODY_BYTES:
        raise BodyTooLarge(
            f"The body is above {MAX_BODY_BYTES / 1e6:.1f} MB once decompressed. Send fewer rows at a time"
        )
    if not inflater.eof:
        raise RequestMalformed(f"The body ends before its {encoding} does")
    return content


def read_request(body: bytes, header_length: str | None, card: Card) -> InferenceRequest:
    """Read a request for the model of this card.

    Raises:
        RequestMalformed: with the place that does not hold together.
    """
    sent, blocks = _split(body, header_length)
    given = sent.get("id", "")
    if not isinstance(given, str) or len(given) > _MAX_ID_CHARACTERS:
        refuse("#/id", f"expected a text of at most {_MAX_ID_CHARACTERS} characters")
    is_binary = read_parameters(sent, "#").get("binary_data_output", False) is True
    wanted = read_wanted(sent.get("outputs"), card, is_binary=is_binary)
    columns, places = _columns(_tensors(sent.get("inputs"), blocks), card)
    return InferenceRequest(given, columns, wanted, _relocation(places, card))


def input_tensors(card: Card) -> list[dict[str, Any]]:
    """Describe one input per feature."""
    return [describe(feature.name, DATATYPES[feature.kind], 1) for feature in card.features]


def packed_tensors(card: Card) -> list[dict[str, Any]]:
    """Describe the inputs that hold all features of one type."""
    return [
        describe(name, datatype, len(names))
        for name, datatype in ((NUMERIC_INPUT, "FP32"), (TEXT_INPUT, TEXT))
        if (names := _packed(card).get(name))
    ]


def _packed(card: Card) -> dict[str, list[str]]:
    """Name the features behind each packed input; a feature of the same name comes first."""
    taken = {feature.name for feature in card.features}
    ordered = sorted(card.features, key=lambda feature: feature.position)
    packed = {
        NUMERIC_INPUT: [feature.name for feature in ordered if feature.kind != "category"],
        TEXT_INPUT: [feature.name for feature in ordered if feature.kind == "category"],
    }
    return {name: names for name, names in packed.items() if names and name not in taken}


def _split(body: bytes, header_length: str | None) -> tuple[dict[str, Any], memoryview]:
    """Part the JSON from the bytes that follow it."""
    size = len(body)
    if header_length is not None:
        if not _LENGTH.fullmatch(header_length) or int(header_length) > size:
            raise RequestMalformed(f"Inference-Header-Content-Length must be a number of bytes, at most {size}")
        size = int(header_length)
    view = memoryview(body)
    sent = parse_client_json(view[:size])
    if not isinstance(sent, dict):
        raise RequestMalformed('Send {"inputs": [{"name", "shape", "datatype", "data"}, …]}')
    return sent, view[size:]


def _tensors(inputs: Any, blocks: memoryview) -> list[Tensor]:
    if not isinstance(inputs, list) or not inputs:
        refuse("#/inputs", "expected a list of tensors")
    tensors, at = [], 0
    for index, sent in enumerate(inputs):
        place = f"#/inputs/{index}"
        if not isinstance(sent, dict):
            refuse(place, "expected an object with name, shape, datatype and data")
        size = binary_size(sent, place) if "parameters" in sent else None
        if size is not None and at + size > len(blocks):
            refuse(f"{place}/parameters/{BINARY_SIZE}", f"only {len(blocks) - at} bytes are left in the body")
        tensors.append(read_tensor(sent, place, None if size is None else bytes(blocks[at : at + size])))
        at += size or 0
    if at < len(blocks):
        raise RequestMalformed(f"{len(blocks) - at} bytes of the body belong to no input")
    return tensors


class _Place(NamedTuple):
    """Where the values of a feature stand in the request."""

    input: int
    offset: int
    width: int
    is_nested: bool

    def pointer(self, row: int) -> str:
        index = row * self.width + self.offset
        return f"#/inputs/{self.input}/data/{f'{row}/{self.offset}' if self.is_nested else index}"


def _columns(tensors: Sequence[Tensor], card: Card) -> tuple[dict[str, Column], dict[str, _Place]]:
    columns: dict[str, Column] = {}
    places: dict[str, _Place] = {}
    for index, tensor in enumerate(tensors):
        is_packed = tensor.name in {NUMERIC_INPUT, TEXT_INPUT}
        names = _packed(card).get(tensor.name, [tensor.name]) if is_packed else [tensor.name]
        width = len(names)
        if width > 1 and (len(tensor.shape) != 2 or tensor.shape[1] != width):  # noqa: PLR2004  rows and features
            refuse(f"#/inputs/{index}/shape", f"expected [rows, {width}]: {', '.join(names)[:200]}")
        if width == 1 and len(tensor.values) != tensor.shape[0]:
            refuse(f"#/inputs/{index}/shape", "expected [rows] or [rows, 1]")
        for offset, name in enumerate(names):
            if name in columns:
                refuse(f"#/inputs/{index}/name", f"the feature {name[:80]!r} is given twice")
            columns[name] = tensor.values[offset::width] if width > 1 else tensor.values
            places[name] = _Place(index, offset, width, tensor.is_nested)
    lengths = {len(values) for values in columns.values()}
    if len(lengths) > 1:
        refuse("#/inputs", f"the tensors have {min(lengths)} to {max(lengths)} rows")
    if lengths == {0}:
        refuse("#/inputs", "there are no rows")
    check_count(max(lengths))
    return columns, places


def _relocation(places: Mapping[str, _Place], card: Card) -> Relocate:
    def relocate(error: FieldError) -> FieldError:
        column, _, row = error.pointer.removeprefix("#/columns").removeprefix("/").partition("/")
        names = [*places, *(feature.name for feature in card.features)]
        name = next((each for each in names if column_pointer(0, each).split("/")[2] == column), None)
        if name is None:
            return FieldError("#/inputs", error.detail)
        if (place := places.get(name)) is None:
            return FieldError("#/inputs", f"the feature {name!r} is missing: {error.detail}")
        return FieldError(place.pointer(int(row)) if row else f"#/inputs/{place.input}/name", error.detail)

    return relocate
