"""The same models over two protocols that clients already speak: Open Inference Protocol V2, and MLflow's scoring."""

import time
from functools import partial
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path, Request, Response
from starlette.background import BackgroundTask

from api._lib import VERSION, log, prediction_log, registry, serving
from api._lib import inference_schemas as schemas
from api._lib.app import MAX_BODY_BYTES, create_app
from api._lib.errors import ApiError, BodyTooLarge
from api._lib.hot import HotRoute
from api._lib.mlflow_scoring import read_scoring, scoring_problem, write_predictions
from api._lib.open_inference import inflate, input_tensors, packed_tensors, read_request
from api._lib.open_inference_outputs import HEADER_LENGTH, answer_tensors, output_tensors, write_answer
from api._lib.openapi import ANYONE
from api._lib.places import refuse_rows
from api._lib.problems import PROBLEM_MEDIA_TYPE, problems
from models.errors import InvalidRows
from models.runtime import OnnxModel

router = APIRouter(tags=["inference"], route_class=HotRoute)

ModelReference = Annotated[
    str,
    Path(
        description="Slug of a model; `@alias` or `@number` chooses a version, the champion answers otherwise",
        examples=["penguins", "penguins@1"],
    ),
]
Version = Annotated[str, Path(description="Number or alias of the version", examples=["1", "challenger"])]
_REFUSALS = problems(401, 403, 404, 422, 503)
_INFER_REFUSALS = problems(400, 401, 403, 404, 413, 415, 422, 503)


@router.get("/v2", responses={200: {"model": schemas.ServerMetadata}})
async def get_server_metadata(_request: Request) -> Response:
    """Say who answers, and which extensions of the protocol it knows."""
    return _json({"name": "rowcast", "version": VERSION, "extensions": ["binary_tensor_data", "classification"]})


@router.get("/v2/health/live", responses={200: {"model": schemas.Live}})
async def get_live(_request: Request) -> Response:
    """Say that the process answers."""
    return _json({"live": True})


@router.get("/v2/health/ready", responses={200: {"model": schemas.Ready}})
async def get_ready(_request: Request) -> Response:
    """Say that the process can predict; a model has a readiness of its own."""
    return _json({"ready": True})


@router.get("/v2/models/{model}", responses={200: {"model": schemas.ModelMetadata}, **_REFUSALS}, openapi_extra=ANYONE)
async def get_model_metadata(_request: Request, model: ModelReference) -> Response:
    """Say what a model reads and answers.

    It reads one tensor per feature, or the two packed ones. Numbers may be of any numeric type, texts are BYTES.
    """
    granted, engine = await serving.find_engine(model)
    found, card = granted.found, engine.card
    return _json(
        {
            "name": found.slug,
            "versions": _version(found),
            "platform": "onnx_onnxv1",
            "inputs": input_tensors(card),
            "packed_inputs": packed_tensors(card),
            "outputs": output_tensors(card),
            "classes": card.classes,
        }
    )


@router.get(
    "/v2/models/{model}/versions/{version}",
    responses={200: {"model": schemas.ModelMetadata}, **_REFUSALS},
    openapi_extra=ANYONE,
)
async def get_version_metadata(request: Request, model: ModelReference, version: Version) -> Response:
    """Say what a version of a model reads and answers."""
    return await get_model_metadata(request, f"{model}@{version}")


@router.get(
    "/v2/models/{model}/ready", responses={200: {"model": schemas.ModelReady}, **_REFUSALS}, openapi_extra=ANYONE
)
async def get_model_ready(_request: Request, model: ModelReference) -> Response:
    """Say whether a model can predict; opens it if it was not."""
    granted, _ = await serving.find_engine(model)
    return _json({"name": granted.found.slug, "ready": True})


@router.get(
    "/v2/models/{model}/versions/{version}/ready",
    responses={200: {"model": schemas.ModelReady}, **_REFUSALS},
    openapi_extra=ANYONE,
)
async def get_version_ready(request: Request, model: ModelReference, version: Version) -> Response:
    """Say whether a version of a model can predict; opens it if it was not."""
    return await get_model_ready(request, f"{model}@{version}")


@router.post(
    "/v2/models/{model}/infer",
    responses={200: {"model": schemas.InferenceAnswer, **schemas.BINARY_ANSWER}, **_INFER_REFUSALS},
    openapi_extra={**schemas.INFERENCE_BODY, **ANYONE},
)
async def infer(request: Request, model: ModelReference) -> Response:
    """Predict over the Open Inference Protocol V2, with values as JSON or as bytes.

    Inputs are one tensor per feature, [rows] or [rows, 1], or the packed `numeric` [rows, F] and `text` [rows, C]. Beyond
    the protocol, null says that a value is missing; so do NaN and "". Bodies may be compressed with gzip or deflate.
    """
    started = time.perf_counter()
    headers = request.headers
    body = await request.body()
    granted, engine = await serving.find_engine(model)

    def compute() -> Response:
        content = inflate(body, headers.get("content-encoding", ""))
        return _infer(granted, engine, content, headers.get(HEADER_LENGTH), started)

    is_compressed = "content-encoding" in headers
    return await serving.work(MAX_BODY_BYTES if is_compressed else len(body), compute)


@router.post(
    "/v2/models/{model}/versions/{version}/infer",
    responses={200: {"model": schemas.InferenceAnswer, **schemas.BINARY_ANSWER}, **_INFER_REFUSALS},
    openapi_extra={**schemas.INFERENCE_BODY, **ANYONE},
)
async def infer_version(request: Request, model: ModelReference, version: Version) -> Response:
    """Predict with a version over the Open Inference Protocol V2."""
    return await infer(request, f"{model}@{version}")


@router.post(
    "/invocations/{model}",
    responses={200: {"model": schemas.ScoringAnswer, "headers": schemas.PREDICTION_ID_HEADER}, **_INFER_REFUSALS},
    openapi_extra={**schemas.SCORING_BODY, **ANYONE},
)
async def invoke(request: Request, model: ModelReference) -> Response:
    """Predict over MLflow's scoring protocol: labels for classification, values for regression.

    Send exactly one of `dataframe_split`, `dataframe_records`, `instances` and `inputs`, or a CSV with a header line.
    Failures carry MLflow's `error_code` and `message` beside the members of every other failure.
    """
    started = time.perf_counter()
    try:
        body = await request.body()
        granted, engine = await serving.find_engine(model)
        content_type = request.headers.get("content-type", "")
        return await serving.work(len(body), lambda: _score(granted, engine, body, content_type, started))
    except ApiError as error:
        content = orjson.dumps(scoring_problem(error))
        return Response(content, status_code=error.status, headers=error.headers, media_type=PROBLEM_MEDIA_TYPE)


@router.get("/ping", responses={200: {"content": {"application/json": {}}}})
async def ping(_request: Request) -> Response:
    """Say that the process answers, as MLflow's scoring server does."""
    return Response(b"{}\n", media_type="application/json")


@router.get("/version", responses={200: {"content": {"text/plain": {}}}})
async def get_version(_request: Request) -> Response:
    """Tell Rowcast's version, where MLflow's scoring server tells MLflow's."""
    return Response(VERSION, media_type="text/plain")


def _infer(
    granted: serving.Granted, engine: OnnxModel, body: bytes, header_length: str | None, started: float
) -> Response:
    """Read, coerce, run, write. The steps are timed one by one."""
    began = time.perf_counter()
    sent = read_request(body, header_length, engine.card)
    parsed = time.perf_counter()
    try:
        encoded = engine.encode_columns(sent.columns)
        validated = time.perf_counter()
        output = engine.run(encoded)
        tensors = answer_tensors(output, engine.card, sent.wanted)
    except InvalidRows as refused:
        refuse_rows(refused.errors, sent.relocate)
    done = time.perf_counter()
    found, prediction_id = granted.found, log.current().prediction_id
    parameters: dict[str, Any] = {"prediction_id": prediction_id}
    if encoded.warnings:
        first = sent.relocate(encoded.warnings[0])
        parameters |= {"warnings": len(encoded.warnings), "first_warning": f"{first.pointer}: {first.detail}"}
    answer: dict[str, Any] = {"model_name": found.slug, "id": sent.id or prediction_id, "parameters": parameters}
    if found.version.number is not None:
        answer["model_version"] = str(found.version.number)
    content, headers = write_answer(answer, tensors)
    headers["server-timing"] = (
        f"parse;dur={(parsed - began) * 1e3:.3f}, validate;dur={(validated - parsed) * 1e3:.3f}, "
        f"infer;dur={(done - validated) * 1e3:.3f}, total;dur={(time.perf_counter() - started) * 1e3:.3f}"
    )
    times = {"parse_ms": (parsed - began) * 1e3, "infer_ms": (done - validated) * 1e3}
    after = _log(granted, "v2", sent.to_rows, lambda: engine.decode(output), rows=len(output), started=started, **times)
    return Response(_sendable(content), headers=headers, background=after)


def _score(granted: serving.Granted, engine: OnnxModel, body: bytes, content_type: str, started: float) -> Response:
    sent = read_scoring(body, content_type, engine.card)
    try:
        encoded = engine.encode(sent.rows or ()) if sent.columns is None else engine.encode_columns(sent.columns)
        predictions = engine.decode(engine.run(encoded))
    except InvalidRows as refused:
        refuse_rows(refused.errors, sent.relocate)
    after = _log(granted, "mlflow", sent.to_rows, lambda: predictions, rows=len(predictions), started=started)
    content, headers = _sendable(write_predictions(predictions)), {schemas.PREDICTION_ID: log.current().prediction_id}
    return Response(content, headers=headers, media_type="application/json", background=after)


def _log(
    granted: serving.Granted,
    source: prediction_log.Source,
    make_rows: prediction_log.Cells,
    make_outputs: prediction_log.Cells,
    *,
    rows: int,
    started: float,
    parse_ms: float | None = None,
    infer_ms: float | None = None,
) -> BackgroundTask:
    """Note a prediction in the request's line, and have it logged when the answer is out."""
    log.note(rows=rows)
    if prediction_log.is_behind():
        log.note_degraded("log")
    record = partial(prediction_log.record, granted.found, granted.caller, source=source, row_count=rows)
    return BackgroundTask(
        record,
        prediction_id=log.current().prediction_id,
        rows=make_rows,
        outputs=make_outputs,
        total_ms=(time.perf_counter() - started) * 1e3,
        parse_ms=parse_ms,
        infer_ms=infer_ms,
    )


def _sendable(content: bytes) -> bytes:
    """Refuse to answer with more than the platform lets out of a function."""
    if len(content) > MAX_BODY_BYTES:
        raise BodyTooLarge(f"The answer would be above {MAX_BODY_BYTES / 1e6:.1f} MB. Send fewer rows at a time")
    return content


def _version(found: registry.Found) -> list[str]:
    return [] if found.version.number is None else [str(found.version.number)]


def _json(content: dict[str, Any]) -> Response:
    return Response(orjson.dumps(content), media_type="application/json")


app = create_app(router)
