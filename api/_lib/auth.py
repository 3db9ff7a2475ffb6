"""Who is calling: nobody, a signed-in person, or an API key that acts for one.

Access tokens are checked here, without a call: the list of algorithms is fixed by the deployment and never taken from
the token. API keys are looked up by their SHA-256, with the secret key, at most every few seconds.
"""

import asyncio
import hashlib
import math
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import cache, lru_cache, partial
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, Request

from api._lib import limits, log
from api._lib.callers import ANONYMOUS, Caller
from api._lib.errors import ApiError, CredentialRejected, NotAllowed, NotSignedIn, Unavailable
from api._lib.lookup import Held, Lookup
from api._lib.memory import REMEMBERED, remember
from api._lib.settings import settings
from api._lib.store import keys

if TYPE_CHECKING:
    from jwt import PyJWKClient

KEY_FRESH_SECONDS = 4.0
"""How long a looked-up key is believed: a revoked key stops working everywhere within this time."""

KEY_STALE_SECONDS = 900.0
"""How long a key that was good goes on while the database does not answer."""


KEYS_COOLDOWN_SECONDS = 2.0
"""Between two looks at the project's published keys: forged key ids must not become calls."""

CLOCK_LEEWAY_SECONDS = 10
"""How far the issuer's clock may be ahead of ours. A token that has expired by ours has expired."""

MAX_CREDENTIAL_CHARACTERS = 8192
"""The longest tokens that Auth issues are a quarter of this; longer ones are not even read."""

_KEY_BYTES = 100
"""No key of ours is longer: others are not worth a place in memory."""

_FOR_EVERY_KEY = {"/api/feedback", "/api/me"}
"""What a key may ask whatever its model and scopes are: who it is, and what looks at its model and scopes by itself."""

_OVER_ALL_MODELS = {"/api/metrics", "/api/overview"}
"""What tells of many models: to a key that was made for one, of that one only."""

_HOSTED = ["ES256", "RS256"]
_EMBEDDED = ["HS256"]


USE_NOTED_SECONDS = 60.0
"""How often at most an instance notes that a key was used."""

_tokens: dict[str, Caller] = {}
_noted: dict[str, float] = {}
_keys: Lookup[str, Caller | None] = Lookup(max_age=KEY_FRESH_SECONDS, stale=KEY_STALE_SECONDS)


async def identify(authorization: str | None, api_key: str | None) -> Caller:
    """Name the caller from the two headers that can carry a credential.

    Raises:
        CredentialRejected: one was sent and is not good.
        TooManyRequests: too many wrong ones came from this address.
    """
    try:
        return await _identify(authorization, api_key)
    except CredentialRejected:
        limits.note_wrong_credential()
        raise


def peek_key(key: bytes) -> Caller | None:
    """Name the caller of an API key that was looked up a moment ago, without waiting; None: ask `identify`."""
    if len(key) > _KEY_BYTES:
        return None
    caller = _keys.peek(_hash_of(key))
    return caller if caller and caller.expires_at > time.time() else None


def hold_key(caller: Caller, headers: Mapping[bytes, bytes]) -> Held[str, Caller | None] | None:
    """Hold on to what is known of the API key in these headers if it says that this is who calls."""
    key = headers.get(b"x-api-key") or headers.get(b"authorization", b"").partition(b" ")[2].strip()
    held = _keys.hold(_hash_of(key))
    return held if held and held.value == caller else None


@lru_cache(maxsize=REMEMBERED)
def _hash_of(key: bytes) -> str:
    """Tell what is known of a key in the database; the same few come again and again."""
    return hashlib.sha256(key).hexdigest()


def admit(caller: Caller) -> None:
    """Count one request of a caller, and note that a key is in use.

    Raises:
        TooManyRequests: the caller's quota is used up.
    """
    match caller.kind:
        case "anonymous":
            limits.admit_anonymous()
        case "user":
            limits.admit_user(caller.user_id)
        case "key":
            limits.admit_key(caller.key_id, caller.user_id)
            if time.monotonic() >= _noted.get(caller.key_id, 0.0):
                remember(_noted, caller.key_id, time.monotonic() + USE_NOTED_SECONDS)
                log.current().behind.append(partial(_note_used, caller.key_id))


async def _note_used(key_id: str) -> None:
    with suppress(ApiError):
        await keys.note_used(key_id)


async def _identify(authorization: str | None, api_key: str | None) -> Caller:
    credential = api_key or ""
    if authorization and not credential:
        scheme, _, credential = authorization.partition(" ")
        if scheme.lower() != "bearer" or not credential.strip():
            raise CredentialRejected("Write the header as 'Authorization: Bearer <token or key>'")
        credential = credential.strip()
    if not credential:
        return ANONYMOUS
    if len(credential) > MAX_CREDENTIAL_CHARACTERS:
        raise CredentialRejected("This is too long to be a token or a key")
    if credential.startswith("rc_"):
        return await _identify_key(credential)
    if api_key:
        raise CredentialRejected("x-api-key takes an API key of Rowcast (rc_…)")
    return await _identify_user(credential)


async def _identify_user(token: str) -> Caller:
    known = _tokens.get(token)
    if known is None or known.expires_at <= time.time():
        limits.check_unknown_credential()
        claims = await _verify(token)
        if claims.get("role") != "authenticated":
            raise CredentialRejected("This token does not belong to a signed-in person")
        known = Caller(
            "user",
            user_id=claims["sub"],
            token=token,
            expires_at=float(claims["exp"]),
            email=str(claims.get("email", "")),
        )
        remember(_tokens, token, known)
    return known


async def _verify(token: str) -> dict[str, Any]:
    import jwt

    known = settings()
    checks: Any = {
        "audience": "authenticated",
        "leeway": CLOCK_LEEWAY_SECONDS,
        "options": {"require": ["exp", "sub"]},
    }
    try:
        if known.supabase_jwt_secret:
            # The embedded stack's tokens have no issuer.
            claims = jwt.decode(token, known.supabase_jwt_secret, algorithms=_EMBEDDED, **checks)
        else:
            if jwt.get_unverified_header(token).get("alg") not in _HOSTED:
                raise CredentialRejected("This token is signed in a way that is not accepted")
            key = await asyncio.to_thread(_published_keys().get_signing_key_from_jwt, token)
            claims = jwt.decode(token, key, algorithms=_HOSTED, issuer=f"{known.supabase_url}/auth/v1", **checks)
        if claims["exp"] <= time.time():
            raise jwt.ExpiredSignatureError  # noqa: TRY301  the leeway is for what begins, not for what ends
    except jwt.ExpiredSignatureError as error:
        raise CredentialRejected("Your access token has expired; sign in again") from error
    except jwt.PyJWKClientConnectionError as error:
        raise Unavailable("The keys that access tokens are checked with cannot be fetched at the moment") from error
    except jwt.PyJWTError as error:
        raise CredentialRejected("This access token is not valid") from error
    return claims


@cache
def _published_keys() -> "PyJWKClient":
    """Keep the project's published keys for ten minutes; an unknown key id makes it look again at once."""
    import jwt

    address = f"{settings().supabase_url}/auth/v1/.well-known/jwks.json"
    return jwt.PyJWKClient(address, lifespan=600, timeout=3, cooldown_duration=KEYS_COOLDOWN_SECONDS)


async def _identify_key(key: str) -> Caller:
    digest = hashlib.sha256(key.encode()).hexdigest()
    if not _keys.knows(digest):
        limits.check_unknown_credential()
    try:
        caller = await _keys.get(digest, lambda: _look_up_key(digest))
    except Unavailable:
        log.note_degraded("keys")
        return ANONYMOUS  # what nobody in particular may do is still answered
    if caller is None or caller.expires_at <= time.time():
        raise CredentialRejected("This API key is unknown, expired or revoked")
    return caller


async def _look_up_key(digest: str) -> Caller | None:
    found = await keys.find_good(digest)
    if found is None:
        return None
    return Caller(
        "key",
        user_id=found.owner_id,
        expires_at=found.expires_at.timestamp() if found.expires_at else math.inf,
        role=found.owner_role,
        scopes=found.scopes,
        model_slug=found.model_slug,
        key_id=found.id,
        shared=found.shared,
        edited=found.edited,
    )


async def _identify_request(request: Request) -> Caller:
    caller = await identify(request.headers.get("authorization"), request.headers.get("x-api-key"))
    admit(caller)
    if caller.kind == "key" and request.scope["path"] not in _FOR_EVERY_KEY:
        if caller.scopes == {"feedback"}:
            raise NotAllowed("This API key is for feedback only")
        if request.scope["path"] not in _OVER_ALL_MODELS:
            named = request.path_params.get("slug") or request.path_params.get("model") or ""
            caller.must_reach(named.partition("@")[0])
    return caller


async def _somebody(caller: "AnyCaller") -> Caller:
    if caller.kind == "anonymous":
        raise NotSignedIn
    return caller


async def _person(caller: "Somebody") -> Caller:
    if caller.kind == "key":
        raise NotAllowed("API keys cannot do this; sign in as a person")
    return caller


async def _trainer(caller: "Somebody") -> Caller:
    caller.must_hold("train")
    return caller


async def _administrator(caller: "Somebody") -> Caller:
    caller.must_hold("admin")
    return caller


AnyCaller = Annotated[Caller, Depends(_identify_request)]
"""Whoever calls, nobody included."""

Somebody = Annotated[Caller, Depends(_somebody)]
"""A signed-in person or an API key."""

Person = Annotated[Caller, Depends(_person)]
"""A signed-in person."""

Trainer = Annotated[Caller, Depends(_trainer)]
"""A signed-in person, or an API key with the scope train."""

Administrator = Annotated[Caller, Depends(_administrator)]
"""A signed-in person, or an API key with the scope admin; what they may do is the database's to say."""
