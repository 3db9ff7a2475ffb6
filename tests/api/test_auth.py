"""Who is calling: tokens are checked with a fixed list of algorithms, and nothing forged gets through."""

import asyncio
import base64
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from api._lib import auth
from api._lib.errors import CredentialRejected, Unavailable
from api._lib.settings import settings

SECRET = "s" * 48
CLAIMS = {"sub": "01a20000-0000-7000-8000-000000000001", "aud": "authenticated", "role": "authenticated"}


def _identify(credential: str) -> auth.Caller:
    return asyncio.run(auth.identify(f"Bearer {credential}", None))


def _claims(**changes: Any) -> dict[str, Any]:
    claims = {**CLAIMS, "exp": int(time.time()) + 600, **changes}
    return {name: value for name, value in claims.items() if value is not None}


def _encode(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Set variables as a deployment would, and forget what was known before."""

    def forget() -> None:
        settings.cache_clear()
        auth._tokens.clear()
        auth._published_keys.cache_clear()

    def set_environ(**values: str) -> None:
        for name, value in values.items():
            monkeypatch.setenv(name, value)
        forget()

    yield set_environ
    forget()


@pytest.fixture
def embedded(configure) -> None:
    """Be a deployment that shares a secret with its own Auth."""
    configure(SUPABASE_JWT_SECRET=SECRET)


class Issuer:
    """A hosted project's Auth: publishes its keys over HTTP and signs with them."""

    def __init__(self) -> None:
        self.keys = {"one": ec.generate_private_key(ec.SECP256R1())}
        self.asked = 0
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked += 1
                published = [
                    {
                        **json.loads(jwt.algorithms.ECAlgorithm.to_jwk(key.public_key())),
                        "kid": name,
                        "alg": "ES256",
                        "use": "sig",
                    }
                    for name, key in issuer.keys.items()
                ]
                body = json.dumps({"keys": published}).encode()
                self.send_response(200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def sign(self, kid: str = "one", **changes: Any) -> str:
        claims = _claims(iss=f"{self.url}/auth/v1", **changes)
        return jwt.encode(claims, self.keys[kid], algorithm="ES256", headers={"kid": kid})

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def issuer(configure, monkeypatch: pytest.MonkeyPatch) -> Iterator[Issuer]:
    """Be a deployment in front of a hosted project, which is asked again a little sooner than in real life."""
    monkeypatch.setattr(auth, "KEYS_COOLDOWN_SECONDS", 0.3)
    made = Issuer()
    configure(SUPABASE_URL=made.url, SUPABASE_PUBLISHABLE_KEY="sb_publishable_x")
    yield made
    made.stop()


@pytest.mark.usefixtures("embedded")
def test_good_token_names_the_person():
    """A token of the embedded Auth has no issuer and no app metadata, and is enough."""
    caller = _identify(jwt.encode(_claims(email="a@example.com"), SECRET, algorithm="HS256"))

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
        _identify(jwt.encode(_claims(**changes), SECRET, algorithm="HS256"))


def _self_signed() -> str:
    """Sign with a key that travels in the token's own header."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    published = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key()))
    return jwt.encode(_claims(), key, algorithm="RS256", headers={"jwk": published, "jku": "http://127.0.0.1:9/"})


FORGERIES: dict[str, Callable[[], str]] = {
    "another secret": lambda: jwt.encode(_claims(), "t" * 48, algorithm="HS256"),
    "another hash": lambda: jwt.encode(_claims(), "s" * 64, algorithm="HS512"),
    "no signature": lambda: f"{_encode({'alg': 'none', 'typ': 'JWT'})}.{_encode(_claims())}.",
    "a key pair": lambda: jwt.encode(_claims(), ec.generate_private_key(ec.SECP256R1()), algorithm="ES256"),
    "a bent signature": lambda: jwt.encode(_claims(), SECRET, algorithm="HS256")[:-4] + "AAAA",
    "a cut signature": lambda: jwt.encode(_claims(), SECRET, algorithm="HS256").rpartition(".")[0],
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
        _identify(FORGERIES[forgery]())


@pytest.mark.usefixtures("embedded")
def test_clock_that_is_behind_the_issuers_is_forgiven():
    """A token of this very second is good although our clock has not reached it; one of next week is not."""
    soon, later = (int(time.time()) + seconds for seconds in (auth.CLOCK_LEEWAY_SECONDS - 2, 604_800))

    assert _identify(jwt.encode(_claims(iat=soon, nbf=soon), SECRET, algorithm="HS256")).kind == "user"
    for claims in (_claims(nbf=later), _claims(iat=later)):
        with pytest.raises(CredentialRejected):
            _identify(jwt.encode(claims, SECRET, algorithm="HS256"))


@pytest.mark.usefixtures("embedded")
def test_token_that_has_just_expired_is_rejected():
    """The leeway is for clocks that are behind, not for tokens that are late."""
    with pytest.raises(CredentialRejected, match="expired"):
        _identify(jwt.encode(_claims(exp=int(time.time()) - 1), SECRET, algorithm="HS256"))


@pytest.mark.usefixtures("embedded")
def test_huge_token_is_not_even_read(monkeypatch: pytest.MonkeyPatch):
    """Checking a signature over megabytes is work that nobody may order."""
    monkeypatch.setattr(jwt, "decode", lambda *_, **__: pytest.fail("it was read"))
    token = jwt.encode(_claims(email="x" * 20_000), SECRET, algorithm="HS256")

    with pytest.raises(CredentialRejected, match="too long"):
        _identify(token)


@pytest.mark.usefixtures("embedded")
def test_remembered_token_still_expires():
    """A token that was checked once is not good beyond its time."""
    token = jwt.encode(_claims(exp=int(time.time()) + 1), SECRET, algorithm="HS256")
    assert _identify(token).kind == "user"

    time.sleep(1.1)

    with pytest.raises(CredentialRejected, match="expired"):
        _identify(token)


def test_hosted_token_is_checked_with_the_published_key(issuer: Issuer):
    """ES256 by the project's keys, which are fetched once."""
    assert _identify(issuer.sign()).user_id == CLAIMS["sub"]
    assert _identify(issuer.sign(email="b@example.com")).email == "b@example.com"
    assert issuer.asked == 1


def test_rotated_key_is_fetched_at_once(issuer: Issuer):
    """A token under a key that was published a moment ago is good."""
    assert _identify(issuer.sign()).kind == "user"
    issuer.keys["two"] = ec.generate_private_key(ec.SECP256R1())

    time.sleep(auth.KEYS_COOLDOWN_SECONDS)

    assert _identify(issuer.sign("two")).kind == "user"


def test_unknown_key_id_is_looked_up_once(issuer: Issuer):
    """A flood of made-up key ids becomes one look at the published keys per cooldown, not one per token."""
    assert _identify(issuer.sign()).kind == "user"
    time.sleep(auth.KEYS_COOLDOWN_SECONDS)
    issuer.asked = 0
    forged = ec.generate_private_key(ec.SECP256R1())
    claims = _claims(iss=f"{issuer.url}/auth/v1")

    for number in range(20):
        with pytest.raises(CredentialRejected):
            _identify(jwt.encode(claims, forged, algorithm="ES256", headers={"kid": f"made-up-{number}"}))

    assert issuer.asked == 1
    assert _identify(issuer.sign(email="c@example.com")).kind == "user"
    assert issuer.asked == 1


def test_token_of_another_project_is_rejected(issuer: Issuer):
    """Another project's token, even if its key goes by the same name, and one of its own users with our issuer's name."""
    other = Issuer()
    try:
        foreign = other.sign()
        claims = _claims(iss=f"{issuer.url}/auth/v1")
        renamed = jwt.encode(claims, other.keys["one"], algorithm="ES256", headers={"kid": "one"})
    finally:
        other.stop()

    for token in (foreign, renamed):
        with pytest.raises(CredentialRejected):
            _identify(token)


@pytest.mark.parametrize("form", ["pem", "der", "jwk"])
def test_public_key_is_no_secret(issuer: Issuer, form: str):
    """The classic confusion of algorithms: HS256 with what everybody can read, in each way it can be written."""
    public = issuer.keys["one"].public_key()
    written = {
        "pem": public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "der": public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "jwk": jwt.algorithms.ECAlgorithm.to_jwk(public).encode(),
    }
    head = _encode({"alg": "HS256", "typ": "JWT", "kid": "one"})
    signed = f"{head}.{_encode(_claims(iss=f'{issuer.url}/auth/v1'))}"
    digest = hmac.new(written[form], signed.encode(), "sha256").digest()

    with pytest.raises(CredentialRejected, match="signed in a way"):
        _identify(f"{signed}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}")


@pytest.mark.parametrize("algorithm", ["HS256", "RS256", "none"])
def test_hosted_deployment_refuses_other_signatures(issuer: Issuer, algorithm: str):
    """The published numbers as an HMAC secret, somebody's RSA key, no signature: none gets through, none asks the network for long."""
    claims = _claims(iss=f"{issuer.url}/auth/v1")
    if algorithm == "HS256":
        point = issuer.keys["one"].public_key().public_numbers()
        token = jwt.encode(claims, f"{point.x:064x}{point.y:064x}", algorithm="HS256", headers={"kid": "one"})
    elif algorithm == "RS256":
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        token = jwt.encode(claims, key, algorithm="RS256", headers={"kid": "one"})
    else:
        token = f"{_encode({'alg': 'none', 'kid': 'one'})}.{_encode(claims)}."

    with pytest.raises(CredentialRejected):
        _identify(token)


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://other.example/auth/v1"},
        {"iss": None},
        {"exp": 1},
        {"exp": None},
        {"nbf": 2**40},
        {"role": "anon"},
        {"role": "service_role"},
        {"aud": "x"},
        {"aud": None},
        {"sub": None},
    ],
)
def test_hosted_token_that_does_not_fit_is_rejected(issuer: Issuer, changes):
    """The issuer counts too where there is one."""
    key = issuer.keys["one"]
    claims = _claims(**{"iss": f"{issuer.url}/auth/v1", **changes})

    with pytest.raises(CredentialRejected):
        _identify(jwt.encode(claims, key, algorithm="ES256", headers={"kid": "one"}))


def test_unreachable_keys_are_not_the_callers_fault(configure):
    """When the keys cannot be fetched, the answer is 'later', not 'no'."""
    configure(SUPABASE_URL="http://127.0.0.1:9", SUPABASE_PUBLISHABLE_KEY="sb_publishable_x")
    token = jwt.encode(_claims(), ec.generate_private_key(ec.SECP256R1()), algorithm="ES256", headers={"kid": "one"})

    with pytest.raises(Unavailable):
        _identify(token)


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
