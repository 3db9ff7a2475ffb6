"""Big answers are packed for who asks for it; whatever else was promised about an answer stays true."""

import gzip
import json

import brotli
import httpx
import pytest

from api._lib.compression import COMPRESS_BYTES, accepts_gzip, choose
from tests.conftest import User

ROWS = [{"length": index / 100, "width": index % 11, "island": "Dream"} for index in range(2000)]
GZIP = {"accept-encoding": "gzip"}
BROTLI = {"accept-encoding": "gzip, deflate, br, zstd"}
PLAIN = {"accept-encoding": "identity"}


def raw(api: httpx.Client, method: str, path: str, **request) -> tuple[httpx.Response, bytes]:
    """Ask and return the answer with the body's bytes as they came over the wire."""
    with api.stream(method, path, **request) as answer:
        return answer, b"".join(answer.iter_raw())


@pytest.mark.parametrize(
    ("accepted", "coding", "unpack"), [(GZIP, "gzip", gzip.decompress), (BROTLI, "br", brotli.decompress)]
)
def test_big_answer_is_packed(api: httpx.Client, contract_model: str, accepted, coding, unpack):
    """The same content in a third of the bytes, and its length is told."""
    path = f"/api/predict/{contract_model}"
    plain, plain_body = raw(api, "POST", path, json=ROWS, headers=PLAIN)
    packed, packed_body = raw(api, "POST", path, json=ROWS, headers=accepted)

    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == coding
    assert int(packed.headers["content-length"]) == len(packed_body) < len(plain_body) / 2
    assert json.loads(unpack(packed_body))["predictions"] == json.loads(plain_body)["predictions"]
    for answer in (plain, packed):
        assert "accept-encoding" in answer.headers["vary"]


def test_small_answer_is_left_alone(api: httpx.Client, contract_model: str):
    """One row is not worth it."""
    answer, body = raw(api, "POST", f"/api/predict/{contract_model}", json=ROWS[0], headers=GZIP)

    assert "content-encoding" not in answer.headers
    assert int(answer.headers["content-length"]) == len(body) < COMPRESS_BYTES


def test_head_tells_what_get_would(api: httpx.Client):
    """The same headers, packed or not, and no body."""
    for accepted in (BROTLI, GZIP, PLAIN):
        got, body = raw(api, "GET", "/api/openapi.json", headers=accepted)
        asked, nothing = raw(api, "HEAD", "/api/openapi.json", headers=accepted)
        for name in ("content-length", "content-encoding", "etag", "vary", "content-type", "cache-control"):
            assert asked.headers.get(name) == got.headers.get(name)
        assert int(got.headers["content-length"]) == len(body)
        assert nothing == b""


def test_packed_answer_has_a_weak_tag_that_is_known_again(api: httpx.Client):
    """Other bytes of the same content: a strong tag would be a lie, and either form is recognised."""
    strong = raw(api, "GET", "/api/openapi.json", headers=PLAIN)[0].headers["etag"]
    weak = raw(api, "GET", "/api/openapi.json", headers=GZIP)[0].headers["etag"]

    assert weak == f"W/{strong}"
    for accepted in (GZIP, PLAIN):
        for known in (strong, weak):
            answer, body = raw(api, "GET", "/api/openapi.json", headers={**accepted, "if-none-match": known})
            assert (answer.status_code, body) == (304, b"")
            assert "accept-encoding" in answer.headers["vary"]


def test_model_file_keeps_its_digest(api: httpx.Client, contract_model: str):
    """What is known by the SHA-256 of its bytes goes out as those bytes, whole or in part."""
    path = f"/api/models/{contract_model}/artifact"
    whole, content = raw(api, "GET", path, headers=GZIP)
    part, piece = raw(api, "GET", path, headers={**GZIP, "range": "bytes=4-9"})

    assert "content-encoding" not in whole.headers
    assert not whole.headers["etag"].startswith("W/")
    assert (part.status_code, piece) == (206, content[4:10])


def test_stream_is_not_held_back(api: httpx.Client, contract_owner: User):
    """Events go out as they happen."""
    head = {"status": 200, "headers": [(b"content-type", b"text/event-stream"), (b"content-length", b"99999")]}

    assert choose(head, b"gzip") is None


@pytest.mark.parametrize(
    ("header", "coding"),
    [
        (b"br", b"br"),
        (b"gzip;q=1.0, br", b"br"),
        (b"gzip, br;q=0", b"gzip"),
        (b"brotli, gzip", b"gzip"),
        (b"*", b"gzip"),
        (b"br;q=0.0", None),
        (b"br;q=0.1, gzip", b"gzip"),
        (b"br;q=0.5, gzip;q=0.5", b"br"),
        (b"br;q=., gzip;q=0.2", b"gzip"),
        (b"br;q=0.4;x=1, *;q=0.1", b"gzip"),
        (b"identity", None),
    ],
)
def test_brotli_is_chosen_where_it_is_named(header: bytes, coding: bytes | None):
    """It packs closer in less than half the time."""
    head = {"status": 200, "headers": [(b"content-type", b"application/json"), (b"content-length", b"99999")]}

    packer = choose(head, header)

    assert (packer._coding if packer else None) == coding


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        (b"gzip", True),
        (b"gzip, deflate, br", True),
        (b"br;q=1.0, gzip;q=0.8, *;q=0.1", True),
        (b"GZIP ; q=0.001", True),
        (b"*", True),
        (b"x-gzip", True),
        (b"deflate, gzip;q=1.0", True),
        (b"gzip;q=0", False),
        (b"gzip;q=0.000", False),
        (b"gzip;q=0, *", False),
        (b"*;q=0", False),
        (b"identity", False),
        (b"br", False),
        (b"gzipped", False),
        (b"", False),
    ],
)
def test_accepted_encodings_are_read_as_the_standard_says(header: bytes, wanted: bool):
    """RFC 9110 section 12.5.3."""
    assert accepts_gzip(header) is wanted
