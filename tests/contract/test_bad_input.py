"""What nobody should send: answered 4xx, in time, with at most 100 faults, and within bounded memory."""

import json
import struct
import sys
import time
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson
import psutil
import pytest

JSON, CSV = "application/json", "text/csv"
DOORS = ["/api/predict/{}", "/api/predict/{}/what-if", "/v2/models/{}/infer", "/invocations/{}"]
NAMES = 400_000
SECONDS = 20.0
MEMORY_BYTES = 700 * 1024 * 1024
WIDE = "{" + ",".join(f'"c{index}":1' for index in range(300_000)) + "}"
BODIES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", JSON),
    "cut off": (b'{"length": 1', JSON),
    "two values": (b"{}{}", JSON),
    "a number": (b"1", JSON),
    "null": (b"null", JSON),
    "not UTF-8": (b'{"length": "\xff\xfe"}', JSON),
    "UTF-16": ('{"length": 1}'.encode("utf-16"), JSON),
    "byte order mark": (b'\xef\xbb\xbf{"length": 1}', JSON),
    "lone surrogate": (b'{"length": 1, "island": "\\ud800"}', JSON),
    "lone surrogate as a name": (b'{"\\ud800": 1}', JSON),
    "infinity": (b'{"length": Infinity}', JSON),
    "huge number": (b'{"length": 1e400}', JSON),
    "beyond float32": (b'{"length": 1e39}', JSON),
    "ten thousand digits": (b'{"length": ' + b"9" * 10_000 + b"}", JSON),
    "deep lists": (b"[" * 100_000, JSON),
    "deep lists, closed": (b'{"length":' + b"[" * 900 + b"]" * 900 + b"}", JSON),
    "deep objects": (b'{"a":' * 100_000, JSON),
    "a wide row": (WIDE.encode(), JSON),
    "many wide columns": (b'{"columns":' + WIDE.encode() + b"}", JSON),
    "a picture": (b"\x89PNG\r\n\x1a\n", "image/png"),
    "a form": (b"--x\r\n", "multipart/form-data; boundary=x"),
    "no content type": (b"\x00\x01", ""),
    "JSON as CSV": (b'{"length": 1}', CSV),
    "binary as CSV": (b"length\n\x00\x01\n", CSV),
    "open quote": (b'length\n"1\n', CSV),
    "ragged": (b"length,width\n1\n", CSV),
    "header only": (b"length,width\n", CSV),
    "many names": (",".join(f"c{index}" for index in range(NAMES)).encode() + b"\n1\n", CSV),
    "many names, one twice": (",".join(["c0", *(f"c{index}" for index in range(NAMES))]).encode() + b"\n1\n", CSV),
    "a million commas": (b"," * 1_000_000 + b"\n" + b"," * 1_000_000 + b"\n", CSV),
    "a million bad rows": (b"length\n" + b"x\n" * 1_000_000, CSV),
    "many bad rows": (b"length\n" + b"x\n" * 50_000, CSV),
}


@pytest.fixture(scope="module")
def memory(site_url: str) -> psutil.Process:
    """Find the process that answers."""
    port = urlsplit(site_url).port
    owners = [each.pid for each in psutil.net_connections("tcp") if each.status == "LISTEN" and each.laddr.port == port]
    return psutil.Process(owners[0])


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("body", BODIES)
def test_nonsense_is_refused(api: httpx.Client, contract_model: str, memory: psutil.Process, body: str, door: str):
    """4xx with the one body; quickly; the process does not grow beyond its bound."""
    content, kind = BODIES[body]
    began = time.monotonic()

    answer = api.post(door.format(contract_model), content=content, headers={"content-type": kind}, timeout=60)

    assert 400 <= answer.status_code < 500, answer.text[:300]
    assert time.monotonic() - began < SECONDS
    problem = answer.json()
    assert problem["detail"]
    assert len(problem["errors"]) <= 100
    assert len(answer.content) < 100_000
    assert memory.memory_info().rss < MEMORY_BYTES


@pytest.mark.parametrize("path", ["/api/datasets", "/api/runs", "/api/batches", "/api/keys"])
@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b"[" * 100_000, b'{"name": "\\u0000"}', b'{"name": "\\ud800"}', b"\xff", WIDE.encode()],
)
def test_orders_that_make_no_sense_are_refused(api: httpx.Client, contract_owner: Any, path: str, body: bytes):
    """The same for what is read by FastAPI itself."""
    headers = {**contract_owner.headers, "content-type": JSON}

    answer = api.post(path, content=body, headers=headers)

    assert 400 <= answer.status_code < 500, answer.text[:300]
    assert len(answer.json()["errors"]) <= 100


def test_query_of_many_names_is_refused_in_time(api: httpx.Client, contract_model: str):
    """As long as a server takes it: read in one pass."""
    began = time.monotonic()

    answer = api.get(f"/api/predict/{contract_model}?" + "&".join(f"n{index}=" for index in range(7000)) + "&n1=")

    assert answer.status_code in {414, 422}
    assert time.monotonic() - began < SECONDS


def test_last_of_equal_names_counts(api: httpx.Client, contract_model: str):
    """JSON leaves it open; it is the same everywhere, and no failure."""
    answer = api.post(f"/api/predict/{contract_model}", content=b'{"length": 1, "length": 2}')

    assert (
        answer.json()["predictions"]
        == api.post(f"/api/predict/{contract_model}", json={"length": 2}).json()["predictions"]
    )


def test_csv_with_a_byte_order_mark_is_read(api: httpx.Client, contract_model: str):
    """As spreadsheets write it."""
    path, headers = f"/api/predict/{contract_model}", {"content-type": CSV}

    marked = api.post(path, content=b"\xef\xbb\xbflength\r\n2\r\n", headers=headers)

    assert marked.json()["predictions"] == api.post(path, json={"length": 2}).json()["predictions"]


@pytest.mark.parametrize("number", [3.4e38, -3.4e38, 1e-45, -0.0, sys.float_info.min])
def test_answers_are_strict_json(api: httpx.Client, contract_model: str, number: float):
    """Whatever extremes are read, neither NaN nor Infinity is written: a prediction or a refusal."""
    for body in ({"length": number}, {"rows": [{"length": number, "width": None}] * 3}):
        answer = api.post(f"/api/predict/{contract_model}", json=body)
        assert answer.status_code in {200, 422}
        json.loads(answer.content, parse_constant=lambda name: pytest.fail(f"{name} in an answer"))


@pytest.mark.parametrize(
    ("datatype", "shape", "block", "told"),
    [
        ("FP32", [2], b"\0" * 4, None),
        ("FP32", [2], b"\0" * 12, None),
        ("FP32", [1], b"\0" * 4, 8),
        ("FP32", [1], b"\0" * 4, 2),
        ("FP32", [1], b"\0" * 4, -4),
        ("FP32", [1], b"\0" * 4, 2**63),
        ("FP32", [2**40], b"", 0),
        ("FP32", [2**31, 2**31], b"", 0),
        ("FP64", [1], struct.pack("<d", float("inf")), None),
        ("BYTES", [1], struct.pack("<I", 2**32 - 1), None),
        ("BYTES", [1], b"\1\0", None),
        ("BYTES", [1], struct.pack("<I", 1) + b"\xff", None),
        ("BYTES", [2], struct.pack("<I", 1) + b"1", None),
        ("BOOL", [1], b"\2", None),
        ("FP16", [1], b"\0", None),
    ],
)
def test_tensors_that_do_not_add_up_are_refused(
    api: httpx.Client, contract_model: str, datatype: str, shape: list[int], block: bytes, told: int | None
):
    """Nothing is allocated by what a request says; it is compared with what is there."""
    size = len(block) if told is None else told
    tensor = {"name": "length", "datatype": datatype, "shape": shape, "parameters": {"binary_data_size": size}}
    head = orjson.dumps({"inputs": [tensor]})
    for length in (len(head), len(head) - 1, len(head) + len(block) + 1):
        headers = {"content-type": "application/octet-stream", "inference-header-content-length": str(length)}
        answer = api.post(f"/v2/models/{contract_model}/infer", content=head + block, headers=headers)
        assert answer.status_code in {400, 413, 422}, answer.text
