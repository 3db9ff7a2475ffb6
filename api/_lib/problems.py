"""The one body of every failure (RFC 9457), and the handlers through which each of them leaves."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import Field
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match

from api._lib.errors import ApiError, MethodNotAllowed, NotFound, RequestInvalid, RequestMalformed, Unexpected
from api._lib.schema import Schema

PROBLEM_MEDIA_TYPE = "application/problem+json"


class FieldProblem(Schema):
    """One wrong place in the request."""

    pointer: str = Field(description="JSON pointer to the place, as a fragment", examples=["#/rows/3/age"])
    detail: str = Field(examples=["'abc' is not a number"])


class Problem(Schema):
    """The one body of every failure (RFC 9457); `error` repeats `detail` for Open Inference Protocol clients."""

    type: str = Field(examples=["about:blank"])
    title: str = Field(description="The status in words", examples=["Unprocessable Entity"])
    status: int = Field(examples=[422])
    detail: str = Field(description="What went wrong and what to change", examples=["1 value does not fit the model"])
    code: str = Field(description="Fixed name of the failure, for programs", examples=["rows_invalid"])
    error: str = Field(description="The same text as detail")
    errors: list[FieldProblem] = Field(description="Wrong places in the request, at most 100; often empty")


def problem_body(error: ApiError) -> dict[str, Any]:
    """Write a failure as the one problem body."""
    return {
        "type": error.type,
        "title": error.status.phrase,
        "status": error.status.value,
        "detail": error.detail,
        "code": error.code,
        "error": error.detail,
        "errors": [{"pointer": pointer, "detail": detail} for pointer, detail in error.errors],
        **error.extra,
    }


def problem_response(error: ApiError) -> Response:
    """Answer with the one problem body."""
    return Response(
        orjson.dumps(problem_body(error)),
        status_code=error.status,
        headers=error.headers,
        media_type=PROBLEM_MEDIA_TYPE,
    )


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe failures in OpenAPI: every one has the same body."""
    content = {PROBLEM_MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": HTTPStatus(status).phrase, "content": content} for status in statuses}


def install(app: FastAPI) -> None:
    """Let every failure inside the app leave as the one problem body."""
    app.add_exception_handler(ApiError, _answer_api_error)
    app.add_exception_handler(HTTPException, _answer_http_exception)
    app.add_exception_handler(RequestValidationError, _answer_validation_error)


async def _answer_api_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return problem_response(error)


async def _answer_http_exception(request: Request, error: Exception) -> Response:
    """Translate what the framework raises by itself."""
    assert isinstance(error, HTTPException)
    path, method = request.url.path, request.method
    match error.status_code:
        case HTTPStatus.NOT_FOUND:
            told: ApiError = NotFound(f"There is nothing at {path}")
        case HTTPStatus.METHOD_NOT_ALLOWED:
            headers = {"allow": ", ".join(_methods_at(request))}
            if method == "OPTIONS":
                return Response(status_code=HTTPStatus.NO_CONTENT, headers=headers)
            told = MethodNotAllowed(f"{path} answers {headers['allow']}, not {method}", headers=headers)
        case HTTPStatus.BAD_REQUEST:
            told = RequestMalformed("The body cannot be read")
        case _:
            told = Unexpected()
    return problem_response(told)


def _methods_at(request: Request) -> list[str]:
    """Name the methods of all routes at a path: the framework names those of the first."""
    found = {"OPTIONS"}
    for route in request.app.routes:
        if route.matches(request.scope)[0] is not Match.NONE:
            found |= getattr(route, "methods", None) or set()
    return sorted(found | ({"HEAD"} if "GET" in found else set()))


async def _answer_validation_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return problem_response(explain_invalid(error.errors()))


def explain_invalid(places: Sequence[Any], *prefix: str) -> ApiError:
    """Say in our words what pydantic found wrong; `prefix` goes in front of each place."""
    if any(each["type"] == "json_invalid" for each in places):
        reason = places[0].get("ctx", {}).get("error", "")
        return RequestMalformed(f"The body is not JSON: {reason}")
    errors = [(_pointer((*prefix, *each["loc"])), each["msg"]) for each in places]
    what = "field does" if len(errors) == 1 else "fields do"
    return RequestInvalid(f"{len(errors)} {what} not fit this request", errors=errors)


def _pointer(location: Sequence[int | str]) -> str:
    """Write a place as a JSON pointer fragment; a place outside the body names where it is."""
    where, *parts = location
    steps = [str(part).replace("~", "~0").replace("/", "~1") for part in parts]
    return "#/" + "/".join(steps if where == "body" else [str(where), *steps])
