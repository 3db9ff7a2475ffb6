"""`Idempotency-Key`: a creating call that is sent again gets the first answer again (draft-ietf-httpapi-idempotency-key-header-07).

A router takes `route_class=IdempotentRoute`; its POSTs that answer 201 then read the header. The key is claimed in the
database before the call runs and ends with the sealed answer; what the call makes takes its id from the claim, so
that an attempt whose answer was lost cannot make it twice.
"""

import hashlib
import re
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from http import HTTPStatus
from typing import Any
from uuid import UUID, uuid5

import orjson
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from api._lib import auth, log, sealing
from api._lib.errors import ApiError, Conflict, IdempotencyKeyReused, RequestMalformed, Unavailable
from api._lib.late import LateRoute
from api._lib.problems import problems
from api._lib.store import idempotency as store

REPLAYED = "idempotency-replayed"
HEADER: dict[str, Any] = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "A text of your choice, best a UUID. Sent again with the same request within 24 hours, the first answer "
    "comes again (`idempotency-replayed: true`) and nothing is made twice. 409: the first is still at work, ask again; "
    "422: the key was used for another request. Keys are yours: another caller's are other keys",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    "example": '"8e03978e-40d5-43dd-bc93-6894a57f9324"',
}

_QUOTED = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"')
_BARE = re.compile(r"[!-~]+")
_MAX_CHARACTERS = 255
_PRIMARY_KEY = "_pkey"

_made_id: ContextVar[UUID | None] = ContextVar("made_id", default=None)

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def identity(part: str = "") -> dict[str, str]:
    """Give the id of the row that this call makes, where the caller gave a key; else the database chooses one.

    A call that makes several rows names the others by `part`.
    """
    made = _made_id.get()
    if made is None:
        return {}
    return {"id": str(uuid5(made, part) if part else made)}


class IdempotentRoute(LateRoute):
    """A route that reads `Idempotency-Key` if it creates: a POST that answers 201."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        self._creates = options.get("status_code") == HTTPStatus.CREATED and "POST" in (options.get("methods") or ())
        if self._creates:
            extra = options.get("openapi_extra") or {}
            options["openapi_extra"] = {**extra, "parameters": [*extra.get("parameters", ()), HEADER]}
            options["responses"] = {**problems(400, 409, 422), **(options.get("responses") or {})}
        super().__init__(path, endpoint, **options)

    def get_route_handler(self) -> Handler:
        """Return what answers a request."""
        handle = super().get_route_handler()
        if not self._creates:
            return handle

        async def answer(request: Request) -> Response:
            given = request.headers.get(HEADER["name"])
            return await handle(request) if given is None else await _answer_once(request, read_key(given), handle)

        return answer


def read_key(given: str) -> str:
    """Read the header: a quoted text as the draft wants it, or a bare one as many clients send it.

    Raises:
        RequestMalformed: it is neither.
    """
    quoted = _QUOTED.fullmatch(given.strip())
    key = re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else given.strip()
    if not key or len(key) > _MAX_CHARACTERS or not (quoted or (_BARE.fullmatch(key) and key[0] != '"')):
        raise RequestMalformed(
            f'Idempotency-Key is a quoted text of 1 to {_MAX_CHARACTERS} characters, as in "8e03978e-40d5-43dd-bc93-6894a57f9324"'
        )
    return key


async def _answer_once(request: Request, key: str, handle: Handler) -> Response:
    headers = request.headers
    caller = await auth.identify(headers.get("authorization"), headers.get("x-api-key"))
    if not caller.user_id:
        return await handle(request)  # which refuses: what nobody makes is nobody's
    word = f"{caller.user_id}\0{key}"
    claim = await store.claim(caller.user_id, _hashed(word), await _fingerprint(request))
    match claim.state:
        case "claimed":
            return await _carry_out(request, claim, word, handle)
        case "ended":
            return _replay(claim, word)
        case "other":
            raise IdempotencyKeyReused
        case "running":
            wait = {"retry-after": str(min(claim.wait_seconds, 5))}
            raise Conflict("The first request with this Idempotency-Key is still at work; ask again", headers=wait)


async def _carry_out(request: Request, claim: store.Claim, word: str, handle: Handler) -> Response:
    assert claim.claim_id is not None
    token = _made_id.set(UUID(claim.made_id))
    try:
        response = await handle(request)
    except Exception as error:
        is_made = claim.is_repeated and isinstance(error, Conflict) and _PRIMARY_KEY in error.detail
        await _end(claim.claim_id, "refused" if _is_refusal(error) and not is_made else "unknown")
        if is_made:
            told = f"An earlier attempt with this Idempotency-Key made {claim.made_id}; its answer was lost"
            raise Conflict(told) from None
        raise
    finally:
        _made_id.reset(token)
    kept = {"media_type": response.headers.get("content-type"), "body": bytes(response.body).decode()}
    sealed = sealing.seal(orjson.dumps(kept), word=word)
    await _end(claim.claim_id, "answered", status=response.status_code, answer=sealed)
    return response


def _is_refusal(error: Exception) -> bool:
    """Tell whether an error says that nothing was made."""
    match error:
        case ApiError():
            return error.status < HTTPStatus.INTERNAL_SERVER_ERROR
        case HTTPException():
            return error.status_code < HTTPStatus.INTERNAL_SERVER_ERROR
        case _:
            return isinstance(error, RequestValidationError)


def _replay(claim: store.Claim, word: str) -> Response:
    assert claim.answer is not None
    assert claim.status is not None
    try:
        kept = orjson.loads(sealing.unseal(claim.answer, word=word))
    except sealing.Unreadable:
        raise Conflict(f"This was done already and made {claim.made_id}; the answer can no longer be read") from None
    headers = {REPLAYED: "true", "content-type": kept["media_type"]}
    return Response(kept["body"], status_code=claim.status, headers=headers)


async def _end(claim_id: str, outcome: Any, **answered: Any) -> None:
    """End a claim. If that fails the answer goes out all the same, and the claim runs out by itself."""
    try:
        await store.end(claim_id, outcome, **answered)
    except Unavailable as error:
        log.warning("idempotent call not ended", outcome=outcome, reason=error.detail)


async def _fingerprint(request: Request) -> str:
    """Name the request: the same one sent again has the same name."""
    parts = (request.method, request.url.path, request.url.query, request.headers.get("content-type", ""))
    return _hashed("\0".join(parts) + "\0", await request.body())


def _hashed(text: str, content: bytes = b"") -> str:
    return hashlib.sha256(text.encode() + content).hexdigest()
