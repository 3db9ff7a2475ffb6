"""Row in, prediction out: the hot path."""

import time
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path, Request, Response
from pydantic import ValidationError

from api._lib import log, predicting, regulars, serving
from api._lib.app import create_app
from api._lib.errors import RequestInvalid
from api._lib.hot import JSON, HotAnswer, HotRoute, read_body
from api._lib.openapi import ANYONE
from api._lib.places import refuse_rows
from api._lib.prediction_schemas import (
    EXPLAIN_PARAMETER,
    PREDICT_BODY,
    QUERY_PARAMETER,
    TABLE_ANSWER,
    TABLE_HEADERS,
    Answer,
    WhatIf,
    WhatIfOrder,
)
from api._lib.problems import explain_invalid, problems
from api._lib.questions import QUERY, Question
from models.errors import ExplanationRefused, InvalidRows
from models.runtime import OnnxModel

router = APIRouter(tags=["predict"], route_class=HotRoute)

ModelReference = Annotated[
    str,
    Path(
        description="Slug of a model; `@alias` or `@number` chooses a version, the champion answers otherwise",
        examples=["penguins", "penguins@1", "penguins@challenger"],
    ),
]
_YES = frozenset({b"explain=1", b"explain=true"})


@router.post(
    "/api/predict/{model}",
    responses={
        200: {"model": Answer, "description": "Predictions", "content": TABLE_ANSWER, "headers": TABLE_HEADERS},
        **problems(400, 401, 403, 404, 406, 413, 415, 422, 503),
    },
    openapi_extra={"parameters": [EXPLAIN_PARAMETER], "requestBody": PREDICT_BODY, **ANYONE},
)
async def predict(request: Request, model: ModelReference) -> HotAnswer:
    """Predict for one row, many rows, columns or a CSV.

    A cell may be a number, text, true/false or null; numbers may come as text. `null` says that the value is unknown.
    `Accept: text/csv` gets the rows back with the predictions beside them.
    Public models need no credential.
    """
    started = time.perf_counter()
    body = await read_body(request)
    granted = await serving.find_version(model)
    form = log.current().headers.get(b"content-type", b"").decode("latin-1")
    query: bytes = request.scope["query_string"]
    is_explained = bool(query) and not _YES.isdisjoint(query.split(b"&"))
    answer = await _answer(granted, Question(body, form, is_explained), started)
    if answer.media_type == JSON and not is_explained:
        regulars.keep(request.scope, model, granted, form)
    return answer


@router.get(
    "/api/predict/{model}",
    responses={
        200: {"model": Answer, "description": "Prediction", "content": TABLE_ANSWER, "headers": TABLE_HEADERS},
        **problems(401, 403, 404, 422, 503),
    },
    openapi_extra={"parameters": [QUERY_PARAMETER], **ANYONE},
)
async def predict_permalink(request: Request, model: ModelReference) -> HotAnswer:
    """Predict for one row that stands in the query: a link that can be shared."""
    started = time.perf_counter()
    granted = await serving.find_version(model)
    return await _answer(granted, Question(request.scope["query_string"], QUERY), started)


async def _answer(granted: serving.Granted, question: Question, started: float) -> HotAnswer:
    """Answer in the form that the caller accepts."""
    accept = log.current().headers.get(b"accept")
    if accept is None or b"csv" not in accept:
        return await predicting.answer(granted, question, started)
    from api._lib import forms

    if not forms.wants_csv(accept):
        return await predicting.answer(granted, question, started)
    forms.refuse_explained_table(question)
    return await forms.as_table(await predicting.answer(granted, question, started), question, granted)


@router.post(
    "/api/predict/{model}/what-if",
    responses={
        200: {"model": WhatIf, "description": "The curve of one feature"},
        **problems(400, 401, 403, 404, 413, 422, 503),
    },
    openapi_extra={
        "requestBody": {"required": True, "content": {"application/json": {"schema": WhatIfOrder.model_json_schema()}}},
        **ANYONE,
    },
)
async def ask_what_if(request: Request, model: ModelReference) -> Response:
    """Predict for one row while one feature moves over what training saw."""
    body = await read_body(request)
    granted, engine = await serving.find_engine(model)
    curve = _sweep(engine, _read_order(body))
    answer = {"model": granted.found.slug, "version": granted.found.version.number, **curve}
    return Response(orjson.dumps(answer), media_type="application/json")


def _read_order(body: bytes) -> WhatIfOrder:
    try:
        return WhatIfOrder.model_validate_json(body)
    except ValidationError as error:
        raise explain_invalid(error.errors(), "body") from None


def _sweep(engine: OnnxModel, order: WhatIfOrder) -> dict[str, Any]:
    from models.what_if import what_if

    try:
        return {**what_if(engine, engine.encode([order.row]), order.feature, points=order.points)}
    except ExplanationRefused as refused:
        raise RequestInvalid(str(refused), errors=[("#/feature", str(refused))]) from None
    except InvalidRows as refused:
        refuse_rows(refused.errors, lambda place: place._replace(pointer=place.pointer.replace("#/rows/0", "#/row", 1)))


app = create_app(router)
