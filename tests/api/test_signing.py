"""Signatures of webhooks, with the real Standard Webhooks library as the other side."""

import json
import random
import string
import time
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks.webhooks import Webhook

from api._lib import signing
from api._lib.errors import ApiError, RequestMalformed, SignatureRejected

BODY = json.dumps({"type": "row.inserted", "data": {"name": "Zoë"}}).encode()


def signed(secret: str, body: bytes = BODY, *, at: datetime | None = None, name: str = "msg_1") -> dict[bytes, bytes]:
    """Sign a message as a sender with the reference library does."""
    at = at or datetime.now(UTC)
    return {
        b"webhook-id": name.encode(),
        b"webhook-timestamp": str(int(at.timestamp())).encode(),
        b"webhook-signature": Webhook(secret).sign(name, at, body.decode()).encode(),
    }


def test_what_the_library_signs_is_accepted():
    """The reference sender is understood, whichever of our two secrets it knows."""
    old, new = signing.make_secret(), signing.make_secret()

    for secret in (old, new):
        assert signing.verify(BODY, signed(secret), [new, old], now=time.time()) == "msg_1"


def test_what_we_sign_is_accepted_by_the_library():
    """The reference receiver understands us, whichever of two secrets it still has."""
    old, new = signing.make_secret(), signing.make_secret()
    headers = signing.sign("msg_2", BODY, [new, old], at=datetime.now(UTC))

    for secret in (old, new):
        assert Webhook(secret).verify(BODY, headers) == json.loads(BODY)


@pytest.mark.parametrize("seconds", [-301, 301, -86_400])
def test_stale_and_early_messages_are_refused(seconds: int):
    """Five minutes either way are tolerated, and no more; the clock is the caller's argument."""
    secret, at = signing.make_secret(), datetime(2026, 11, 23, 12, tzinfo=UTC)
    headers = signed(secret, at=at)

    with pytest.raises(SignatureRejected, match="too"):
        signing.verify(BODY, headers, [secret], now=(at + timedelta(seconds=seconds)).timestamp())
    for near in (-300, 300):
        assert signing.verify(BODY, headers, [secret], now=(at + timedelta(seconds=near)).timestamp())


def test_a_stranger_learns_nothing_about_time():
    """A wrong signature is refused as such, however stale it is."""
    headers = signed(signing.make_secret(), at=datetime(2020, 1, 1, tzinfo=UTC))

    with pytest.raises(SignatureRejected, match="does not match"):
        signing.verify(BODY, headers, [signing.make_secret()], now=time.time())


def test_changed_bytes_are_refused():
    """The signature is over the raw body: other spacing is another message."""
    secret = signing.make_secret()

    with pytest.raises(SignatureRejected):
        signing.verify(BODY.replace(b": ", b":"), signed(secret), [secret], now=time.time())


@pytest.mark.parametrize("missing", [b"webhook-id", b"webhook-timestamp", b"webhook-signature"])
def test_unsigned_messages_are_refused(missing: bytes):
    """All three headers are needed; no secret at all accepts nothing."""
    secret = signing.make_secret()
    headers = signed(secret)

    with pytest.raises(SignatureRejected):
        signing.verify(BODY, {name: value for name, value in headers.items() if name != missing}, [secret], now=0)
    with pytest.raises(SignatureRejected):
        signing.verify(BODY, headers, [], now=time.time())


@pytest.mark.parametrize(
    ("header", "value"),
    [
        (b"webhook-id", b""),
        (b"webhook-id", b"a.b"),
        (b"webhook-id", b"a b"),
        (b"webhook-id", b"\xff"),
        (b"webhook-id", b"x" * 257),
        (b"webhook-timestamp", b""),
        (b"webhook-timestamp", b"yesterday"),
        (b"webhook-timestamp", b"nan"),
        (b"webhook-timestamp", b"1e9"),
        (b"webhook-timestamp", b"-1"),
        (b"webhook-timestamp", b"9" * 40),
        (b"webhook-timestamp", b"99999999999"),
        (b"webhook-signature", b""),
        (b"webhook-signature", b"v1"),
        (b"webhook-signature", b"v1,"),
        (b"webhook-signature", b"v1,a,b"),
        (b"webhook-signature", b"v1,\xff\xfe"),
        (b"webhook-signature", b"v1,===="),
        (b"webhook-signature", b"v1a,AAAA"),
        (b"webhook-signature", b"v1,A " * 1000),
    ],
)
def test_malformed_headers_are_the_senders_fault(header: bytes, value: bytes):
    """None of them is a failure of ours."""
    secret = signing.make_secret()

    with pytest.raises((SignatureRejected, RequestMalformed)):
        signing.verify(BODY, {**signed(secret), header: value}, [secret], now=time.time())


def test_random_headers_never_break_it():
    """Whatever bytes arrive, the answer is a refusal that can be told."""
    chance = random.Random(5)
    secret = signing.make_secret()
    alphabet = (string.printable + "ÿ\x00").encode("latin-1")
    for _ in range(2000):
        headers = signed(secret)
        for name in list(headers):
            if chance.random() < 0.5:
                headers[name] = bytes(chance.choices(alphabet, k=chance.randrange(40)))
        body = bytes(chance.choices(range(256), k=8)) if chance.random() < 0.3 else BODY
        if headers == signed(secret) and body == BODY:
            continue
        with pytest.raises(ApiError) as refused:
            signing.verify(body, headers, [secret], now=time.time())
        assert refused.value.status in (400, 401)


def test_a_body_that_is_not_text_is_refused():
    """Nobody can sign it: the signed text is UTF-8."""
    secret = signing.make_secret()

    with pytest.raises(RequestMalformed, match="UTF-8"):
        signing.verify(b"\xff\xfe", signed(secret), [secret], now=time.time())


def test_secrets_are_read_as_people_have_them():
    """With the prefix of Supabase Auth, with the usual one, or bare; what is too short or no base64 is refused."""
    secret = signing.make_secret()
    bare = secret.removeprefix("whsec_")

    assert signing.read_secret(f" v1,{secret}\n") == signing.read_secret(bare) == signing.read_secret(secret) == secret
    assert signing.read_secret(bare.rstrip("=")) == secret
    for wrong in (
        "",
        "whsec_",
        "whsec_AAAA",
        "v2," + secret,
        "whsec_" + "A" * 200,
        "whsec_" + "A" * 33,
        "pass word",
        "é" * 40,
    ):
        with pytest.raises(signing.SecretInvalid):
            signing.read_secret(wrong)


def test_shared_secrets_are_compared_as_bytes():
    """A header that is no ASCII is a wrong secret, not a failure."""
    secret = signing.make_secret()

    assert signing.is_same(f" {secret} ".encode(), [signing.make_secret(), secret])
    assert not signing.is_same("é".encode(), [secret])
    assert not signing.is_same(b"", [])
