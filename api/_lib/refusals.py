"""Supabase's refusals in our words.

The database decides and says why in a line meant for people; it arrives with a code. What has no place in this table is a
mistake of ours: it is logged, and the caller is not told its text.
"""

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import orjson

from api._lib import log
from api._lib.errors import (
    ApiError,
    Conflict,
    CredentialRejected,
    NotAllowed,
    NotFound,
    RequestInvalid,
    Unavailable,
    Unexpected,
)

if TYPE_CHECKING:
    import httpx

_CONSTRAINT = re.compile(r'check constraint "([^"]* [^"]*)"')
"""The names of our constraints are sentences for the caller; the rest of such a message is for nobody."""
_BARE_DENIAL = re.compile(r"permission denied for|new row violates row-level security")
_PLACED = re.compile(r"(?P<place>[a-z_]+(?:\.[a-z_]+)*): (?P<said>.+)", re.DOTALL)
"""Our functions begin a refusal with the field it is about: `options.holdout.column: the dataset has no column "x".`"""
_FIELD = re.compile(
    r"(?:model |dataset |key |hook )?(title|description|target|visibility|filename|name|reason|note|sha256|source|licence|url)\b"
)
"""What most constraints' names begin with."""
_NAMED_ELSE = {"model_slug": "model", "table_name": "table", "row_limit": "rows"}
"""Columns and parameters that the API has another name for."""
_ABOUT = (
    (re.compile(r"There is no user \""), "#/email"),
    (re.compile(r"There is no model \".*\" whose events you may have"), "#/model"),
    (re.compile(r"There is no such dataset\b|The dataset is not ready"), "#/dataset_id"),
    (re.compile(r"The model name \".*\" is taken|Model \".*\" predicts \""), "#/model"),
    (re.compile(r"(?:Only admins create keys|A key) with the scope"), "#/scopes"),
)
"""Refusals that begin with no field, and the field they are about: each can come of one kind of body only."""
_BY_CODE: dict[str, type[ApiError]] = {
    "42501": NotAllowed,
    "23505": Conflict,
    "23503": RequestInvalid,
    "23502": RequestInvalid,
    "23514": RequestInvalid,
    "22P02": RequestInvalid,
    "22021": RequestInvalid,
    "22P05": RequestInvalid,  # U+0000, in JSON
    "22023": RequestInvalid,
    "P0001": Conflict,
    "PT404": NotFound,
    "PT409": Conflict,
    "PT503": Unavailable,
    "PGRST116": NotFound,
    "PGRST301": CredentialRejected,
    "PGRST303": CredentialRejected,
}
_WITH_PLACES = frozenset({RequestInvalid, Conflict, NotFound})


def explain_refusal(response: "httpx.Response") -> ApiError:
    """Say in our words why Supabase refused a call."""
    said = _read(response)
    message = str(said.get("message") or said.get("error") or "")
    named = _BY_CODE.get(str(said.get("code", "")))
    if constraint := _CONSTRAINT.search(message):
        field = _FIELD.match(constraint[1])
        return RequestInvalid(constraint[1], errors=[(f"#/{field[1]}", constraint[1])] if field else [])
    if named in _WITH_PLACES and (placed := _PLACED.fullmatch(message)):
        return named(message, errors=[(_pointer(placed["place"]), placed["said"])])
    if _BARE_DENIAL.match(message):
        return NotAllowed("That is not yours to do, or it needs another role")
    if named:
        return named(message, errors=[(pointer, message) for about, pointer in _ABOUT if about.match(message)])
    status = str(said.get("statusCode", response.status_code))  # Storage wraps its own status in a 400
    return _explain_status(int(status) if status.isdecimal() else response.status_code, said, message)


def _pointer(place: str) -> str:
    first, *rest = place.split(".")
    return "/".join(("#", _NAMED_ELSE.get(first, first), *rest))


def _explain_status(status: int, said: dict[str, Any], message: str) -> ApiError:
    match status:
        case HTTPStatus.UNAUTHORIZED:
            return CredentialRejected("Your access token is no longer good; sign in again")
        case HTTPStatus.FORBIDDEN:
            return NotAllowed("That is not yours to do")
        case HTTPStatus.NOT_FOUND:
            return NotFound("There is nothing there")
        case HTTPStatus.CONFLICT:
            return Conflict(message)
    log.warning("call refused", code=said.get("code"), status=status, message=message[:200])
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS:
        return Unavailable("The database cannot answer at the moment")
    return Unexpected()


def _read(response: "httpx.Response") -> dict[str, Any]:
    try:
        body = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        return {}
    return body if isinstance(body, dict) else {}
