"""Row in, prediction out: the hot path. Bytes are read, coerced by the card, run in one ONNX call, and written."""

import time
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, Field
from uuid_utils import uuid7

from api._lib import log, registry, serving
from api._lib.app import create_app
from api._lib.bodies import Batch, read_batch, read_query
from api._lib.errors import RowsInvalid
from api._lib.hot import HotRoute
from api._lib.openapi import ANYONE
from api._lib.problems import FieldProblem, problems
from models.errors import FieldError, InvalidRows
from models.runtime import OnnxModel

router = APIRouter(tags=["predict"], route_class=HotRoute)

_ROW_POINTER = "#/rows/0"
ModelReference = Annotated[
    str,
    Path(
        description="Slug of a model; `@alias` or `@number` chooses a version, the champion answers otherwise",
        examples=["penguins", "penguins@1", "penguins@challenger"],
    ),
]
_ROW = {"type": "object", "additionalProperties": {"type": ["number", "string", "boolean", "null"]}}
_BODY = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "anyOf": [
                    {"title": "One row", **_ROW},
                    {
                        "title": "Rows",
                        "type": "object",
                        "properties": {"rows": {"type": "array", "minItems": 1, "items": _ROW}},
                        "required": ["rows"],
                        "additionalProperties": False,
                    },
                    {
                        "title": "Columns",
                        "type": "object",
                        "properties": {"columns": {"type": "object", "additionalProperties": {"type": "array"}}},
                        "required": ["columns"],
                        "additionalProperties": False,
                    },
                    {"title": "A list of rows", "type": "array", "minItems": 1, "items": _ROW},
                ]
            },
            "examples": {
                "one row": {"value": {"bill_length_mm": 39.1, "island": "Torgersen"}},
                "rows": {"value": {"rows": [{"bill_length_mm": 39.1}, {"bill_length_mm": 50.0}]}},
                "columns": {"value": {"columns": {"bill_length_mm": [39.1, 50.0]}}},
            },
        },
        "text/csv": {
            "schema": {"type": "string"},
            "examples": {"rows": {"value": "bill_length_mm,island\n39.1,Torgersen\n50.0,Biscoe\n"}},
        },
    },
}


class Interval(BaseModel):
    """Where the true value lies with the stated probability."""

    low: float
    high: float
    coverage: float = Field(description="Share of unseen rows whose true value lies inside", examples=[0.9])


class Prediction(BaseModel):
    """One answer: label and probabilities by class, or a value and its interval."""

    label: str | None = Field(default=None, description="Classification: the most probable class", examples=["Adelie"])
    probabilities: dict[str, float] | None = Field(
        default=None, description="Classification: probability of each class", examples=[{"Adelie": 0.98}]
    )
    value: float | None = Field(default=None, description="Regression: the predicted value")
    interval: Interval | None = Field(default=None, description="Regression: absent when the card has none")


class Timing(BaseModel):
    """Where the time went, in milliseconds."""

    parse_ms: float
    validate_ms: float
    infer_ms: float
    total_ms: float


class Answer(BaseModel):
    """Predictions in the order of the rows."""

    id: str = Field(description="Id of this prediction (UUIDv7)")
    model: str = Field(examples=["penguins"])
    version: int | None = Field(
        description="Number of the version that answered; null when the database did not tell (x-rowcast-degraded)"
    )
    alias: str | None = Field(description="Alias that led to the version; null when a number was asked for")
    task: Literal["binary", "multiclass", "regression"]
    predictions: list[Prediction]
    warnings: list[FieldProblem] = Field(description="What is odd about the rows, at most 100")
    timing: Timing


@router.post(
    "/api/predict/{model}",
    responses={
        200: {"model": Answer, "description": "Predictions"},
        **problems(400, 401, 403, 404, 413, 415, 422, 503),
    },
    openapi_extra={"requestBody": _BODY, **ANYONE},
)
async def predict(request: Request, model: ModelReference) -> Response:
    """Predict for one row, many rows, columns or a CSV.

    A cell may be a number, text, true/false or null; numbers may come as text. `null` says that the value is unknown.
    Public models need no credential.
    """
    started = time.perf_counter()
    body = await request.body()
    found, engine = await serving.find_engine(request, model)
    content_type = request.headers.get("content-type", "")
    return await _answer(found, engine, lambda: read_batch(body, content_type), size=len(body), started=started)


@router.get(
    "/api/predict/{model}",
    responses={200: {"model": Answer, "description": "Prediction"}, **problems(401, 403, 404, 422, 503)},
    openapi_extra={
        "parameters": [
            {
                "name": "features",
                "in": "query",
                "description": "The features of one row, by name",
                "style": "form",
                "explode": True,
                "schema": {"type": "object", "additionalProperties": {"type": "string"}},
                "example": {"bill_length_mm": "39.1"},
            },
        ],
        **ANYONE,
    },
)
async def predict_permalink(request: Request, model: ModelReference) -> Response:
    """Predict for one row that stands in the query: a link that can be shared."""
    started = time.perf_counter()
    pairs = request.query_params.multi_items()
    found, engine = await serving.find_engine(request, model)
    return await _answer(found, engine, lambda: read_query(pairs), size=0, started=started)


async def _answer(
    found: registry.Found, engine: OnnxModel, read: Callable[[], Batch], *, size: int, started: float
) -> Response:
    return await serving.work(size, lambda: _compute(found, engine, read, started))


def _compute(found: registry.Found, engine: OnnxModel, read: Callable[[], Batch], started: float) -> Response:
    """Read, coerce, run, write. The four steps are timed one by one."""
    began = time.perf_counter()
    batch = read()
    parsed = time.perf_counter()
    try:
        columns = batch.columns
        encoded = engine.encode(batch.rows or ()) if columns is None else engine.encode_columns(columns)
        validated = time.perf_counter()
        predictions = engine.decode(engine.run(encoded))
    except InvalidRows as refused:
        raise _refusal(refused, batch) from None
    done = time.perf_counter()
    parse_ms, validate_ms, infer_ms = (parsed - began) * 1e3, (validated - parsed) * 1e3, (done - validated) * 1e3
    total_ms = (done - started) * 1e3
    log.note(rows=len(predictions))
    answer = {
        "id": str(uuid7()),
        "model": found.slug,
        "version": found.version.number,
        "alias": found.alias,
        "task": engine.card.task,
        "predictions": predictions,
        "warnings": _places(encoded.warnings, batch) if encoded.warnings else [],
        "timing": {
            "parse_ms": round(parse_ms, 3),
            "validate_ms": round(validate_ms, 3),
            "infer_ms": round(infer_ms, 3),
            "total_ms": round(total_ms, 3),
        },
    }
    timing = (
        f"parse;dur={parse_ms:.3f}, validate;dur={validate_ms:.3f}, infer;dur={infer_ms:.3f}, total;dur={total_ms:.3f}"
    )
    return Response(orjson.dumps(answer), media_type="application/json", headers={"server-timing": timing})


def _refusal(refused: InvalidRows, batch: Batch) -> RowsInvalid:
    errors = [(place["pointer"], place["detail"]) for place in _places(refused.errors, batch)]
    count = len(errors)
    detail = f"{errors[0][0]}: {errors[0][1]}" if count == 1 else f"{count} values do not fit the model"
    return RowsInvalid(detail, errors=errors)


def _places(places: Sequence[FieldError], batch: Batch) -> list[dict[str, Any]]:
    """Name places as the caller sees them: a body that is the row has no `rows/0` in it."""
    cut = len(_ROW_POINTER) if batch.is_single else 0
    return [{"pointer": f"#{pointer[cut:]}" if cut else pointer, "detail": detail} for pointer, detail in places]


app = create_app(router)
