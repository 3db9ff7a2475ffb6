"""The wire format of MLflow's scoring protocol: four JSON forms and CSV → rows or columns; predictions → a list.

A row without names is read in the order of the card's features. `params` is accepted and changes nothing, as in MLflow for
a model that declares none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from api._lib.bodies import Batch, check_count, read_batch
from api._lib.client_json import parse_client_json
from api._lib.errors import ApiError, MediaTypeUnsupported, RequestMalformed
from api._lib.places import Relocate, refuse
from api._lib.problems import problem_body
from models.contract import Card
from models.encoding import row_pointer
from models.errors import FieldError
from models.runtime import Prediction

FORMS = ("dataframe_split", "dataframe_records", "instances", "inputs")

_ERROR_CODES = {
    400: "BAD_REQUEST",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "RESOURCE_DOES_NOT_EXIST",
    413: "INVALID_PARAMETER_VALUE",
    415: "BAD_REQUEST",
    422: "INVALID_PARAMETER_VALUE",
    429: "REQUEST_LIMIT_EXCEEDED",
    503: "TEMPORARILY_UNAVAILABLE",
}


@dataclass(frozen=True, slots=True)
class ScoringRequest:
    """Rows or columns, and how to say where a value stands in the request."""

    rows: Sequence[Mapping[str, Any]] | None = None
    columns: Mapping[str, Sequence[Any]] | None = None
    relocate: Relocate = lambda error: error

    def to_rows(self) -> Sequence[Mapping[str, Any]]:
        """Write the values as rows."""
        return Batch(self.rows, self.columns).to_rows()


def read_scoring(body: bytes, content_type: str, card: Card) -> ScoringRequest:
    """Read a request for the model of this card.

    Raises:
        ApiError: it is none of the forms; the detail says which there are.
    """
    media_type, _, parameters = content_type.partition(";")
    charset = parameters.strip().lower().replace('"', "")
    if charset not in {"", "charset=utf-8"}:
        raise MediaTypeUnsupported("The only parameter of a content type that is known here is charset=utf-8")
    match media_type.strip().lower():
        case "text/csv":
            return ScoringRequest(rows=read_batch(body, "text/csv").rows)
        case "application/json":
            return _read_json(body, card)
    raise MediaTypeUnsupported("Send application/json or text/csv")


def write_predictions(predictions: Sequence[Prediction]) -> bytes:
    """Write labels or values, one per row."""
    return orjson.dumps({"predictions": [each["label"] if "label" in each else each["value"] for each in predictions]})


def scoring_problem(error: ApiError) -> dict[str, Any]:
    """Write a failure as the one problem body, with MLflow's two members beside."""
    code = _ERROR_CODES.get(error.status, "INTERNAL_ERROR")
    return {**problem_body(error), "error_code": code, "message": error.detail}


def _read_json(body: bytes, card: Card) -> ScoringRequest:
    sent = parse_client_json(body)
    given = [name for name in FORMS if name in sent] if isinstance(sent, dict) else []
    if len(given) != 1:
        raise RequestMalformed(f"Send an object with exactly one of {', '.join(FORMS)}")
    form = given[0]
    if unknown := [name for name in sent if name not in {form, "params"}]:
        refuse(f"#/{unknown[0][:80]}", f"not known beside {form!r}")
    if not isinstance(sent.get("params"), (dict, type(None))):
        refuse("#/params", "expected an object")
    data = sent[form]
    match form:
        case "dataframe_split":
            return _read_split(data)
        case "inputs" if isinstance(data, dict):
            return _read_columns(data)
        case _:
            return _read_rows(data, form, card)


def _read_split(data: Any) -> ScoringRequest:
    place = "#/dataframe_split"
    if not isinstance(data, dict) or not data.keys() <= {"columns", "index", "data"}:
        refuse(place, "expected an object of columns, index and data")
    columns, cells = data.get("columns"), data.get("data")
    if not isinstance(columns, list) or not all(isinstance(name, (str, int)) for name in columns):
        refuse(f"{place}/columns", "expected a list of names")
    names = [str(name) for name in columns]
    if len(set(names)) < len(names):
        refuse(f"{place}/columns", "a name is given twice")
    return _named(cells, names, f"{place}/data")


def _read_rows(data: Any, form: str, card: Card) -> ScoringRequest:
    """Read a list of rows: objects by name, or lists in the order of the card's features."""
    place = f"#/{form}"
    if isinstance(data, list) and data and isinstance(data[0], list) and form != "dataframe_records":
        return _named(data, [feature.name for feature in card.features], place)
    if not isinstance(data, list) or not data or not all(isinstance(row, dict) for row in data):
        refuse(place, "expected a list of rows")
    check_count(len(data))
    return ScoringRequest(rows=data, relocate=_move("#/rows", place))


def _read_columns(data: dict[str, Any]) -> ScoringRequest:
    """Read columns by name; a column may be a list of one-element lists, and a single row may do without lists."""
    if not data:
        refuse("#/inputs", "expected columns")
    if not any(isinstance(values, list) for values in data.values()):
        return ScoringRequest(rows=[data], relocate=_move("#/rows/0", "#/inputs"))
    columns = {name: _unboxed(values) for name, values in data.items()}
    if [] in columns.values():
        refuse("#/inputs", "expected at least one row")
    check_count(max(len(values) if isinstance(values, list) else 0 for values in columns.values()))
    return ScoringRequest(columns=columns, relocate=_move("#/columns", "#/inputs"))


def _unboxed(values: Any) -> Any:
    if isinstance(values, list) and values and all(isinstance(each, list) and len(each) == 1 for each in values):
        return [each[0] for each in values]
    return values


def _named(cells: Any, names: Sequence[str], place: str) -> ScoringRequest:
    """Give the cells of each row their names."""
    if not isinstance(cells, list) or not cells:
        refuse(place, "expected a list of rows")
    check_count(len(cells))
    wrong = [index for index, row in enumerate(cells) if not isinstance(row, list) or len(row) != len(names)]
    if wrong:
        refuse(f"{place}/{wrong[0]}", f"expected a list of {len(names)} values")
    positions = {row_pointer(0, name).split("/")[-1]: str(index) for index, name in enumerate(names)}

    def relocate(error: FieldError) -> FieldError:
        row, *name = error.pointer.removeprefix("#/rows/").split("/")
        return FieldError("/".join([place, row, *(positions.get(each, each) for each in name)]), error.detail)

    return ScoringRequest(rows=[dict(zip(names, row, strict=True)) for row in cells], relocate=relocate)


def _move(old: str, new: str) -> Relocate:
    return lambda error: FieldError(new + error.pointer.removeprefix(old), error.detail)
