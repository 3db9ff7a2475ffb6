"""Tokens of a hosted project: checked with the keys it publishes, and with nothing else."""

import base64
import hmac
import time
from collections.abc import Iterator

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from api._lib import auth
from api._lib.errors import CredentialRejected, Unavailable
from tests.api.tokens import CLAIMS, Issuer, claims, encode, identify


@pytest.fixture
def issuer(configure, monkeypatch: pytest.MonkeyPatch) -> Iterator[Issuer]:
    """Be a deployment in front of a hosted project, which is asked again a little sooner than in real life."""
    monkeypatch.setattr(auth, "KEYS_COOLDOWN_SECONDS", 0.3)
    made = Issuer()
    configure(SUPABASE_URL=made.url, SUPABASE_PUBLISHABLE_KEY="sb_publishable_x")
    yield made
    made.stop()


def test_hosted_token_is_checked_with_the_published_key(issuer: Issuer):
    """ES256 by the project's keys, which are fetched once."""
    assert identify(issuer.sign()).user_id == CLAIMS["sub"]
    assert identify(issuer.sign(email="b@example.com")).email == "b@example.com"
    assert issuer.asked == 1


def test_rotated_key_is_fetched_at_once(issuer: Issuer):
    """A token under a key that was published a moment ago is good."""
    assert identify(issuer.sign()).kind == "user"
    issuer.keys["two"] = ec.generate_private_key(ec.SECP256R1())

    time.sleep(auth.KEYS_COOLDOWN_SECONDS)

    assert identify(issuer.sign("two")).kind == "user"


def test_unknown_key_id_is_looked_up_once(issuer: Issuer):
    """A flood of made-up key ids becomes one look at the published keys per cooldown, not one per token."""
    assert identify(issuer.sign()).kind == "user"
    time.sleep(auth.KEYS_COOLDOWN_SECONDS)
    issuer.asked = 0
    forged = ec.generate_private_key(ec.SECP256R1())
    made = claims(iss=f"{issuer.url}/auth/v1")

    for number in range(20):
        with pytest.raises(CredentialRejected):
            identify(jwt.encode(made, forged, algorithm="ES256", headers={"kid": f"made-up-{number}"}))

    assert issuer.asked == 1
    assert identify(issuer.sign(email="c@example.com")).kind == "user"
    assert issuer.asked == 1


def test_token_of_another_project_is_rejected(issuer: Issuer):
    """Another project's token, even if its key goes by the same name, and one of its own users with our issuer's name."""
    other = Issuer()
    try:
        foreign = other.sign()
        made = claims(iss=f"{issuer.url}/auth/v1")
        renamed = jwt.encode(made, other.keys["one"], algorithm="ES256", headers={"kid": "one"})
    finally:
        other.stop()

    for token in (foreign, renamed):
        with pytest.raises(CredentialRejected):
            identify(token)


@pytest.mark.parametrize("form", ["pem", "der", "jwk"])
def test_public_key_is_no_secret(issuer: Issuer, form: str):
    """The classic confusion of algorithms: HS256 with what everybody can read, in each way it can be written."""
    public = issuer.keys["one"].public_key()
    written = {
        "pem": public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "der": public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "jwk": jwt.algorithms.ECAlgorithm.to_jwk(public).encode(),
    }
    head = encode({"alg": "HS256", "typ": "JWT", "kid": "one"})
    signed = f"{head}.{encode(claims(iss=f'{issuer.url}/auth/v1'))}"
    digest = hmac.new(written[form], signed.encode(), "sha256").digest()

    with pytest.raises(CredentialRejected, match="signed in a way"):
        identify(f"{signed}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}")


@pytest.mark.parametrize("algorithm", ["HS256", "RS256", "none"])
def test_hosted_deployment_refuses_other_signatures(issuer: Issuer, algorithm: str):
    """The published numbers as an HMAC secret, somebody's RSA key, no signature: none gets through, none asks the network for long."""
    made = claims(iss=f"{issuer.url}/auth/v1")
    if algorithm == "HS256":
        point = issuer.keys["one"].public_key().public_numbers()
        token = jwt.encode(made, f"{point.x:064x}{point.y:064x}", algorithm="HS256", headers={"kid": "one"})
    elif algorithm == "RS256":
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        token = jwt.encode(made, key, algorithm="RS256", headers={"kid": "one"})
    else:
        token = f"{encode({'alg': 'none', 'kid': 'one'})}.{encode(made)}."

    with pytest.raises(CredentialRejected):
        identify(token)


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
    made = claims(**{"iss": f"{issuer.url}/auth/v1", **changes})

    with pytest.raises(CredentialRejected):
        identify(jwt.encode(made, key, algorithm="ES256", headers={"kid": "one"}))


def test_unreachable_keys_are_not_the_callers_fault(configure):
    """When the keys cannot be fetched, the answer is 'later', not 'no'."""
    configure(SUPABASE_URL="http://127.0.0.1:9", SUPABASE_PUBLISHABLE_KEY="sb_publishable_x")
    token = jwt.encode(claims(), ec.generate_private_key(ec.SECP256R1()), algorithm="ES256", headers={"kid": "one"})

    with pytest.raises(Unavailable):
        identify(token)
