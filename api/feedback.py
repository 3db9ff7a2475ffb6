"""What turned out to be true, and what people thought of an answer: by the id that the prediction came with."""

import csv
import io
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Request
from pydantic import BaseModel, BeforeValidator, Field, ValidationError
from pydantic_core import PydanticCustomError

from api._lib.app import create_app
from api._lib.auth import AnyCaller
from api._lib.bodies import CSV_TYPES
from api._lib.callers import Caller
from api._lib.errors import NotSignedIn, RequestInvalid, RequestMalformed
from api._lib.hot import read_body
from api._lib.late import LateRoute
from api._lib.openapi import ANYONE
from api._lib.problems import explain_invalid, problems
from api._lib.schema import Schema, Sent
from api._lib.store import feedback as store
from api._lib.times import Moment
from api._lib.uuids import Uuid
from models.contract import coerce_category

router = APIRouter(tags=["feedback"], route_class=LateRoute)

MAX_ACTUALS = 10_000
MAX_ROW = 2**31 - 1
MAX_TEXT = 10_000

Row = Annotated[int, Field(ge=0, le=MAX_ROW, description="Which row of the request, from 0")]


def _check_actual(value: object) -> object:
    if isinstance(value, int | float) or (isinstance(value, str) and len(value) <= MAX_TEXT):
        return value
    raise PydanticCustomError("actual", "send a text of at most 10000 characters, a number, true or false")


class Actual(Sent):
    """What turned out to be true of one predicted row."""

    prediction_id: Uuid = Field(description="The `id` of the answer")
    row: Row = 0
    actual: Annotated[str | bool | int | float, BeforeValidator(_check_actual)] = Field(
        description="The class, or the number", examples=["Adelie", 152.3]
    )
    observed_at: Moment | None = Field(
        default=None, description="When it was known; of two corrections the later observed one stands. Absent: now"
    )


class Actuals(Sent):
    """Many of them."""

    actuals: list[Actual] = Field(min_length=1, max_length=MAX_ACTUALS)


class Opinion(Sent):
    """A thumb up or down on one predicted row. The last one stands."""

    prediction_id: Uuid = Field(description="The `id` of the answer")
    row: Row = 0
    opinion: Literal["good", "bad"]
    comment: str = Field(default="", max_length=500)


class Refused(Schema):
    """An actual that was not taken."""

    index: int = Field(description="Its place in what was sent, from 0")
    code: Literal["unknown", "no_row", "not_a_value"]
    detail: str


class Taken(Schema):
    """What became of what was sent. Sending the same again changes nothing."""

    accepted: int = Field(description="New ones")
    corrected: int = Field(description="Those that replaced another value")
    unchanged: int = Field(description="Those that were known, or observed before what is known")
    refused: list[Refused] = Field(description="Those that were not taken, and why")


def _many(model: type[BaseModel]) -> dict[str, Any]:
    """Describe a list of actuals with the actual in its place: a reference within the model leads nowhere from outside."""
    schema = model.model_json_schema()
    schema.pop("$defs")
    schema["properties"]["actuals"]["items"] = Actual.model_json_schema()
    return schema


_SCHEMA = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {"oneOf": [Actual.model_json_schema(), _many(Actuals), Opinion.model_json_schema()]}
        },
        "text/csv": {
            "schema": {
                "type": "string",
                "example": "prediction_id,actual\n0192f0c1-0000-7000-8000-000000000000,Adelie\n",
            }
        },
    },
}


@router.post(
    "/api/feedback",
    responses=problems(400, 401, 403, 404, 422, 503),
    openapi_extra={"requestBody": _SCHEMA, **ANYONE},
)
async def give_feedback(request: Request, caller: AnyCaller) -> Taken:
    """Say what turned out to be true of a prediction, of many, or by CSV; or whether an answer was good.

    Actuals are taken from editors of the model, and from whoever asked for the prediction with a key or signed in; a
    key needs the scope `feedback`. An opinion is taken from everybody who may use the model. Late, repeated and
    corrected values are understood.
    """
    body = await read_body(request)
    form = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    given = _read_csv(body) if form in CSV_TYPES else _read_json(body)
    caller.must_hold("feedback")
    if isinstance(given, Opinion):
        is_good = given.opinion == "good"
        await store.record_opinion(given.prediction_id, given.row, given.comment, caller.user_id, is_good=is_good)
        return Taken(accepted=1, corrected=0, unchanged=0, refused=[])
    if caller.kind == "anonymous":
        raise NotSignedIn
    return await _take(given, caller)


async def _take(given: Actual | Actuals, caller: Caller) -> Taken:
    actuals = given.actuals if isinstance(given, Actuals) else [given]
    sent = [
        {
            "prediction_id": each.prediction_id,
            "row": each.row,
            "value": coerce_category(each.actual) if isinstance(each.actual, bool) else each.actual,
            "observed_at": each.observed_at.isoformat() if each.observed_at else None,
        }
        for each in actuals
    ]
    taken = Taken(**await store.record_actuals(sent, caller.user_id, caller.model_slug))
    if isinstance(given, Actual) and taken.refused:
        refused = taken.refused[0]
        pointer = {"unknown": "#/prediction_id", "no_row": "#/row", "not_a_value": "#/actual"}[refused.code]
        raise RequestInvalid(refused.detail, errors=[(pointer, refused.detail)])
    return taken


def _read_json(body: bytes) -> Opinion | Actuals | Actual:
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise RequestMalformed(f"The body is not JSON: {error}") from None
    if not isinstance(content, dict):
        raise RequestInvalid("Send an object with prediction_id and actual, or with actuals, or with an opinion")
    kind: type[BaseModel] = Actual
    if "actuals" in content:
        kind = Actuals
    elif "opinion" in content:
        kind = Opinion
    given: Opinion | Actuals | Actual = _validate(kind, content)
    return given


def _validate(kind: type[BaseModel], content: Any) -> Any:
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        raise explain_invalid(error.errors(), "body") from None


def _read_csv(body: bytes) -> Actuals:
    try:
        reader = csv.DictReader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True)
        rows = list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise RequestMalformed(f"The body is not CSV in UTF-8: {error}") from None
    names = set(reader.fieldnames or ())
    if not {"prediction_id", "actual"} <= names <= {"prediction_id", "actual", "row", "observed_at"}:
        raise RequestInvalid("The columns are prediction_id and actual, and if you like row and observed_at")
    kept = [{name: cell for name, cell in row.items() if cell not in {"", None}} for row in rows]
    actuals: Actuals = _validate(Actuals, {"actuals": kept})
    return actuals


app = create_app(router)
