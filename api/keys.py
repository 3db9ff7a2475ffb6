"""API keys for machines: shown once, kept as hashes, scoped, revocable."""

import hashlib
import secrets
import string
from datetime import UTC, datetime
from typing import Annotated, Literal, NamedTuple

from fastapi import APIRouter, Body, Path, Response
from pydantic import Field

from api._lib.app import create_app
from api._lib.auth import Person
from api._lib.errors import NotFound, RequestInvalid
from api._lib.idempotency import IdempotentRoute, identity
from api._lib.openapi import PERSON
from api._lib.problems import problems
from api._lib.schema import Schema, Sent
from api._lib.store import keys as store
from api._lib.store import models
from api._lib.times import Moment, Time
from api._lib.uuids import Uuid

router = APIRouter(tags=["keys"], route_class=IdempotentRoute)

_ALPHABET = string.ascii_letters + string.digits
_PREFIX_CHARACTERS = 10
_SECRET_CHARACTERS = 40
"""238 bits: a plain hash of it cannot be searched."""

Scope = Literal["predict", "feedback", "train", "admin"]


class KeyOrder(Sent):
    """What a new key shall be good for."""

    name: str = Field(min_length=1, max_length=80, description="What it is for", examples=["checkout service"])
    scopes: list[Scope] = Field(
        default=["predict"],
        min_length=1,
        description="predict: read models and predict; feedback: send actuals; train: bring data, train and promote "
        "(analysts); admin: everything its owner may (admins)",
    )
    model: str | None = Field(
        default=None,
        description="Slug: the key works for this model only, at addresses that name it: predicting, reading, promoting",
        examples=["penguins"],
    )
    expires_at: Moment | None = Field(default=None, description="Absent: until it is revoked")


class Key(Schema):
    """A key, without its secret."""

    id: str
    name: str = Field(examples=["checkout service"])
    prefix: str = Field(description="The middle of the key, to recognise it by", examples=["k3vX9aTq2Z"])
    scopes: list[Scope]
    model: str | None = Field(description="Slug of the only model it works for")
    expires_at: Time | None
    revoked_at: Time | None
    last_used_at: Time | None = Field(description="To the minute")
    created_at: Time
    rotated_from: str | None = Field(description="Id of the key that this one replaces")


class Rotation(Sent):
    """How a key shall be replaced."""

    overlap_hours: int = Field(default=24, ge=0, le=720, description="So long both keys work; 0: the old one ends now")


class NewKey(Key):
    """A key with its secret, which is shown this one time."""

    key: str = Field(description="Keep it now: it cannot be shown again", examples=["rc_k3vX9aTq2Z_…"])


class KeyList(Schema):
    """Your keys, newest first."""

    keys: list[Key]


@router.post("/api/keys", status_code=201, responses=problems(400, 401, 403, 404, 422, 503), openapi_extra=PERSON)
async def create_key(order: KeyOrder, caller: Person) -> NewKey:
    """Create a key that acts for you, within its scopes. Your roles bound it."""
    if order.expires_at and order.expires_at <= datetime.now(UTC):
        raise RequestInvalid("expires_at lies in the past", errors=[("#/expires_at", "must lie in the future")])
    made = _make()
    row = {
        **identity(),
        "name": order.name,
        "prefix": made.prefix,
        "hash": made.hash,
        "scopes": sorted(set(order.scopes)),
        "model_id": (await models.find_model(order.model, caller.rights))["id"] if order.model else None,
        "expires_at": order.expires_at.isoformat() if order.expires_at else None,
    }
    kept = await store.create_key(row, caller.rights)
    return NewKey(**_face(kept), key=made.key)


@router.get("/api/keys", responses=problems(401, 403, 503), openapi_extra=PERSON)
async def list_keys(caller: Person) -> KeyList:
    """List your keys, revoked ones included."""
    return KeyList(keys=[Key(**_face(row)) for row in await store.list_keys(caller.user_id, caller.rights)])


@router.post(
    "/api/keys/{key_id}/rotate", status_code=201, responses=problems(401, 403, 404, 409, 422, 503), openapi_extra=PERSON
)
async def rotate_key(
    key_id: Annotated[Uuid, Path(description="Id of the key to replace")],
    caller: Person,
    order: Annotated[Rotation, Body(default_factory=Rotation)],
) -> NewKey:
    """Replace a key by a new one with the same name, scopes, model and length of life; both work for the overlap."""
    made = _make()
    kept = await store.rotate_key(key_id, made.prefix, made.hash, order.overlap_hours, caller.rights)
    return NewKey(**_face(kept), key=made.key)


@router.delete("/api/keys/{key_id}", status_code=204, responses=problems(401, 403, 404, 422, 503), openapi_extra=PERSON)
async def revoke_key(key_id: Annotated[Uuid, Path(description="Id of the key")], caller: Person) -> Response:
    """Revoke a key for good. It stops working within five seconds everywhere."""
    if not await store.revoke_key(key_id, caller.user_id, caller.rights):
        raise NotFound(f"You have no working key {key_id}")
    return Response(status_code=204)


class _Made(NamedTuple):
    key: str
    prefix: str
    hash: str


def _make() -> _Made:
    prefix = _random(_PREFIX_CHARACTERS)
    key = f"rc_{prefix}_{_random(_SECRET_CHARACTERS)}"
    return _Made(key, prefix, hashlib.sha256(key.encode()).hexdigest())


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _face(row: store.Row) -> store.Row:
    return {**row, "model": row["model"]["slug"] if row["model"] else None}


app = create_app(router)
