"""Who is calling: tokens are checked with a fixed list of algorithms, and nothing forged gets through."""

import asyncio
import json
import time
from collections.abc import Callable

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from api._lib import auth
from api._lib.errors import CredentialRejected
from tests.api.tokens import CLAIMS, claims, encode, identify

SECRET = "s" * 48


@pytest.fixture
def embedded(configure) -> None:
    """Be a deployment that shares a secret with its own Auth."""
    configure(SUPABASE_JWT_SECRET=SECRET)


@pytest.mark.usefixtures("embedded")
def test_good_token_names_the_person():
    """A token of the embedded Auth has no issuer and no app metadata, and is enough."""
    caller = identify(jwt.encode(claims(email="a@example.com"), SECRET, algorithm="HS256"))

    assert (caller.kind, caller.user_id, caller.email) == ("user", CLAIMS["sub"], "a@example.com")
    assert caller.rights.token
    assert not caller.rights.is_service


@pytest.mark.usefixtures("embedded")
@pytest.mark.parametrize(
    "changes",
    [
        {"exp": 1},
        {"exp": None},
        {"sub": None},
        {"aud": "other"},
        {"aud": None},
        {"role": "service_role"},
        {"role": None},
        {"nbf": 2**40},
    ],
)
def test_token_that_does_not_fit_is_rejected(changes):
    """Expired, endless, nobody's, for somebody else, or with a role that no person has."""
    with pytest.raises(CredentialRejected):
        identify(jwt.encode(claims(**changes), SECRET, algorithm="HS256"))


def _self_signed() -> str:
    """Sign with a key that travels in the token's own header."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    published = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key()))
    return jwt.encode(claims(), key, algorithm="RS256", headers={"jwk": published, "jku": "http://127.0.0.1:9/"})


FORGERIES: dict[str, Callable[[], str]] = {
    "another secret": lambda: jwt.encode(claims(), "t" * 48, algorithm="HS256"),
    "another hash": lambda: jwt.encode(claims(), "s" * 64, algorithm="HS512"),
    "no signature": lambda: f"{encode({'alg': 'none', 'typ': 'JWT'})}.{encode(claims())}.",
    "a key pair": lambda: jwt.encode(claims(), ec.generate_private_key(ec.SECP256R1()), algorithm="ES256"),
    "a bent signature": lambda: jwt.encode(claims(), SECRET, algorithm="HS256")[:-4] + "AAAA",
    "a cut signature": lambda: jwt.encode(claims(), SECRET, algorithm="HS256").rpartition(".")[0],
    "a key in its own header": _self_signed,
    "three letters": lambda: "a.b.c",
    "dots": lambda: "...",
    "no base64": lambda: "é.é.é",
    "a long text": lambda: "x" * 100_000,
}


@pytest.mark.usefixtures("embedded")
@pytest.mark.parametrize("forgery", FORGERIES)
def test_forged_token_is_rejected(forgery: str):
    """Another secret, another algorithm, none at all, a cut or a bent signature."""
    with pytest.raises(CredentialRejected):
        identify(FORGERIES[forgery]())


@pytest.mark.usefixtures("embedded")
def test_clock_that_is_behind_the_issuers_is_forgiven():
    """A token of this very second is good although our clock has not reached it; one of next week is not."""
    soon, later = (int(time.time()) + seconds for seconds in (auth.CLOCK_LEEWAY_SECONDS - 2, 604_800))

    assert identify(jwt.encode(claims(iat=soon, nbf=soon), SECRET, algorithm="HS256")).kind == "user"
    for made in (claims(nbf=later), claims(iat=later)):
        with pytest.raises(CredentialRejected):
            identify(jwt.encode(made, SECRET, algorithm="HS256"))


@pytest.mark.usefixtures("embedded")
def test_token_that_has_just_expired_is_rejected():
    """The leeway is for clocks that are behind, not for tokens that are late."""
    with pytest.raises(CredentialRejected, match="expired"):
        identify(jwt.encode(claims(exp=int(time.time()) - 1), SECRET, algorithm="HS256"))


@pytest.mark.usefixtures("embedded")
def test_huge_token_is_not_even_read(monkeypatch: pytest.MonkeyPatch):
    """Checking a signature over megabytes is work that nobody may order."""
    monkeypatch.setattr(jwt, "decode", lambda *_, **__: pytest.fail("it was read"))
    token = jwt.encode(claims(email="x" * 20_000), SECRET, algorithm="HS256")

    with pytest.raises(CredentialRejected, match="too long"):
        identify(token)


@pytest.mark.usefixtures("embedded")
def test_remembered_token_still_expires():
    """A token that was checked once is not good beyond its time."""
    token = jwt.encode(claims(exp=int(time.time()) + 1), SECRET, algorithm="HS256")
    assert identify(token).kind == "user"

    time.sleep(1.1)

    with pytest.raises(CredentialRejected, match="expired"):
        identify(token)


@pytest.mark.parametrize("header", ["Basic eDp5", "Bearer", "Bearer ", "bearer", "Token x"])
def test_header_of_another_scheme_is_rejected(header: str):
    """A credential that cannot be read is not taken for none."""
    with pytest.raises(CredentialRejected):
        asyncio.run(auth.identify(header, None))


def test_nobody_is_nobody():
    """No credential, no rights."""
    caller = asyncio.run(auth.identify(None, None))

    assert caller.kind == "anonymous"
    assert (caller.rights.token, caller.rights.is_service) == ("", False)
