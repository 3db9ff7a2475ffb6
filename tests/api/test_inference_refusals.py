"""Bad tensors are the caller's fault and are told where they are wrong: never a 5xx, never memory by the gigabyte."""

import gzip
import json
import random
import struct
import zlib
from typing import Any

import httpx
import pytest

LENGTH = {"name": "length", "shape": [1], "datatype": "FP32", "data": [1.0]}


def post(api: httpx.Client, model: str, content: Any, **headers: str) -> httpx.Response:
    body = content if isinstance(content, (bytes, str)) else json.dumps(content)
    return api.post(
        f"/v2/models/{model}/infer", content=body, headers={key.replace("_", "-"): headers[key] for key in headers}
    )


def places(answer: httpx.Response) -> list[str]:
    return [error["pointer"] for error in answer.json()["errors"]]


def with_length(**changes: Any) -> dict[str, Any]:
    return {"inputs": [{**LENGTH, **changes}]}


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"inputs": []}, "#/inputs"),
        ({"inputs": {"length": [1]}}, "#/inputs"),
        ({}, "#/inputs"),
        ({"inputs": [7]}, "#/inputs/0"),
        (with_length(name=None), "#/inputs/0/name"),
        (with_length(name=""), "#/inputs/0/name"),
        (with_length(datatype="FP31"), "#/inputs/0/datatype"),
        (with_length(datatype=["FP32"]), "#/inputs/0/datatype"),
        (with_length(shape=None), "#/inputs/0/shape"),
        (with_length(shape=[]), "#/inputs/0/shape"),
        (with_length(shape=[-1]), "#/inputs/0/shape"),
        (with_length(shape=[True]), "#/inputs/0/shape"),
        (with_length(shape=[1.0]), "#/inputs/0/shape"),
        (with_length(shape=[1] * 9), "#/inputs/0/shape"),
        (with_length(shape=[10**18] * 8), "#/inputs/0/data"),
        (with_length(shape=[2]), "#/inputs/0/data"),
        (with_length(shape=[1, 2], data=[[1, 2]]), "#/inputs/0/shape"),
        (with_length(shape=[0], data=[]), "#/inputs"),
        (with_length(data=None), "#/inputs/0/data"),
        (with_length(data={"0": 1}), "#/inputs/0/data"),
        (with_length(shape=[2, 2], data=[[1, 2], [3]]), "#/inputs/0/data"),
        (with_length(shape=[2, 2], data=[[1], [2, 3, 4]]), "#/inputs/0/data"),
        (with_length(shape=[2], data=[[1], [2]]), "#/inputs/0/data"),
        (with_length(parameters=7), "#/inputs/0/parameters"),
        (with_length(parameters={"a": {}}), "#/inputs/0/parameters"),
        (with_length(parameters={"shared_memory_region": "r"}), "#/inputs/0/parameters/shared_memory_region"),
        (with_length(parameters={"binary_data_size": -4}), "#/inputs/0/parameters/binary_data_size"),
        (with_length(parameters={"binary_data_size": "4"}), "#/inputs/0/parameters/binary_data_size"),
        (with_length(parameters={"binary_data_size": 4}), "#/inputs/0/data"),
        ({"inputs": [LENGTH, LENGTH]}, "#/inputs/1/name"),
        ({"inputs": [LENGTH, {"name": "width", "shape": [2], "datatype": "INT8", "data": [1, 2]}]}, "#/inputs"),
        ({"inputs": [{"name": "numeric", "shape": [1, 3], "datatype": "FP32", "data": [1, 2, 3]}]}, "#/inputs/0/shape"),
        ({"inputs": [{"name": "numeric", "shape": [2], "datatype": "FP32", "data": [1, 2]}]}, "#/inputs/0/shape"),
        ({"inputs": [LENGTH], "id": 7}, "#/id"),
        ({"inputs": [LENGTH], "id": "x" * 300}, "#/id"),
        ({"inputs": [LENGTH], "parameters": []}, "#/parameters"),
        ({"inputs": [LENGTH], "parameters": [1]}, "#/parameters"),
        ({"inputs": [LENGTH], "outputs": 7}, "#/outputs"),
        ({"inputs": [LENGTH], "outputs": [7]}, "#/outputs/0"),
        ({"inputs": [LENGTH], "outputs": [{"name": "value"}]}, "#/outputs/0/name"),
        ({"inputs": [LENGTH], "outputs": [{"name": "label"}] * 2}, "#/outputs/1/name"),
        (
            {"inputs": [LENGTH], "outputs": [{"name": "label", "parameters": {"classification": 1}}]},
            "#/outputs/0/parameters/classification",
        ),
    ],
    ids=str,
)
def test_structure_that_does_not_hold_together_is_refused(api: httpx.Client, public_model: str, body, place):
    """400 with the place, and the same text as `error` for clients of the protocol."""
    answer = post(api, public_model, body)

    assert answer.status_code == 400, answer.text
    assert places(answer) == [place]
    assert answer.json()["error"] == answer.json()["detail"]


@pytest.mark.parametrize(
    ("inputs", "place"),
    [
        ([{**LENGTH, "data": ["long"]}], "#/inputs/0/data/0"),
        ([{**LENGTH, "shape": [3], "data": [1, 1e39, 2]}], "#/inputs/0/data/1"),
        ([LENGTH, {"name": "width", "shape": [1], "datatype": "FP32", "data": [1.5]}], "#/inputs/1/data/0"),
        ([LENGTH, {"name": "widht", "shape": [1], "datatype": "FP32", "data": [1]}], "#/inputs/1/name"),
        ([{"name": "width", "shape": [1], "datatype": "FP32", "data": [1]}], "#/inputs"),
        ([{"name": "numeric", "shape": [2, 2], "datatype": "FP32", "data": [1, 2, 1, 2.5]}], "#/inputs/0/data/3"),
        ([{"name": "numeric", "shape": [2, 2], "datatype": "FP32", "data": [[1, 2], ["x", 2]]}], "#/inputs/0/data/1/0"),
        ([{**LENGTH, "data": [{"deep": 1}]}], "#/inputs/0/data/0"),
    ],
    ids=str,
)
def test_values_that_do_not_fit_name_their_place_in_the_tensor(api: httpx.Client, public_model: str, inputs, place):
    """422 with the element, counted as the caller sent it."""
    answer = post(api, public_model, {"inputs": inputs})

    assert answer.status_code == 422, answer.text
    assert places(answer) == [place]
    assert answer.json()["code"] == "rows_invalid"


def test_errors_are_listed_up_to_a_hundred(api: httpx.Client, public_model: str):
    """A thousand wrong values are told as a hundred."""
    answer = post(api, public_model, with_length(shape=[1000], data=["x"] * 1000))

    assert answer.status_code == 422
    assert len(places(answer)) == 100


def binary(
    datatype: str, shape: list[int], raw: bytes, name: str = "length", size: int | None = None
) -> tuple[bytes, str]:
    size = len(raw) if size is None else size
    tensor = {"name": name, "datatype": datatype, "shape": shape, "parameters": {"binary_data_size": size}}
    head = json.dumps({"inputs": [tensor]}).encode()
    return head + raw, str(len(head))


@pytest.mark.parametrize(
    ("sent", "place"),
    [
        (binary("FP32", [2], b"\0" * 4), "#/inputs/0/data"),
        (binary("FP32", [2], b"\0" * 7), "#/inputs/0/data"),
        (binary("FP32", [10**18, 10**18], b"\0" * 4), "#/inputs/0/data"),
        (binary("FP32", [1], b"\0" * 4, size=8), "#/inputs/0/parameters/binary_data_size"),
        (binary("FP32", [1], b"\0" * 4, size=10**30), "#/inputs/0/parameters/binary_data_size"),
        (binary("FP32", [1], b"\0" * 4, size=0), "#/inputs/0/data"),
        (binary("BOOL", [1], b"\2"), "#/inputs/0/data"),
        (binary("BYTES", [1], b"\1\0", name="island"), "#/inputs/0/data/0"),
        (binary("BYTES", [1], struct.pack("<I", 2**32 - 1) + b"x", name="island"), "#/inputs/0/data/0"),
        (binary("BYTES", [2], struct.pack("<I", 1) + b"x", name="island"), "#/inputs/0/data"),
        (binary("BYTES", [1], struct.pack("<I", 3) + b"\xed\xa0\x80", name="island"), "#/inputs/0/data/0"),
        (binary("BYTES", [1], struct.pack("<I", 1) + b"\xff", name="island"), "#/inputs/0/data/0"),
        (binary("BYTES", [10**9], b"", name="island"), "#/inputs/0/data"),
        (binary("FP32", [0], b""), "#/inputs"),
    ],
    ids=[
        "too few bytes",
        "not whole values",
        "huge shape",
        "more than is left",
        "absurd size",
        "no bytes",
        "no truth value",
        "half a length",
        "text beyond the end",
        "too few texts",
        "half a surrogate pair",
        "not UTF-8",
        "huge count",
        "no rows",
    ],
)
def test_bytes_that_do_not_add_up_are_refused(api: httpx.Client, public_model: str, sent, place):
    """Every length is checked against what is there before anything is read."""
    content, length = sent

    answer = post(api, public_model, content, inference_header_content_length=length)

    assert answer.status_code == 400, answer.text
    assert places(answer) == [place]


@pytest.mark.parametrize("length", ["-1", "1e3", "99999999999999999999", "x", "٣", "100000"])
def test_header_length_must_be_true(api: httpx.Client, public_model: str, length: str):
    """The length of the JSON is a number of bytes that are there."""
    content = json.dumps({"inputs": [LENGTH]}).encode()

    answer = api.post(
        f"/v2/models/{public_model}/infer",
        content=content,
        headers=[(b"inference-header-content-length", length.encode())],
    )

    assert answer.status_code == 400
    assert "Inference-Header-Content-Length" in answer.json()["error"]


def test_bytes_that_belong_to_nothing_are_refused(api: httpx.Client, public_model: str):
    """What follows the last tensor is a mistake, not padding."""
    content, length = binary("FP32", [1], b"\0" * 4)

    answer = post(api, public_model, content + b"junk", inference_header_content_length=length)

    assert answer.status_code == 400
    assert "belong to no input" in answer.json()["error"]


def test_infinity_in_bytes_is_refused(api: httpx.Client, public_model: str):
    """As in every other door."""
    content, length = binary("FP32", [2], struct.pack("<2f", 1, float("inf")))

    answer = post(api, public_model, content, inference_header_content_length=length)

    assert answer.status_code == 422
    assert places(answer) == ["#/inputs/0/data/1"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"{", "not JSON"),
        (b'{"inputs": [{"name": "length", "shape": [1], "datatype": "FP32", "data": [Infinity]}]}', "not JSON"),
        (b'{"inputs": [{"name": "length", "shape": [1], "datatype": "FP32", "data": [NaN}]}', "not JSON"),
        (b'{"inputs": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "not JSON"),
        (b'{"id": "\\ud800", "inputs": []}', "not JSON"),
        (b"\xff\xfe{}", "not JSON"),
        (b"[]", "inputs"),
    ],
    ids=["empty", "cut off", "infinity", "NaN and more", "deep", "half a surrogate pair", "not UTF-8", "no object"],
)
def test_what_is_not_json_is_refused(api: httpx.Client, public_model: str, content: bytes, words: str):
    """The answer says what is wrong in words that help."""
    answer = post(api, public_model, content)

    assert answer.status_code == 400
    assert words in answer.json()["error"]


def test_more_rows_than_memory_are_refused(api: httpx.Client, public_model: str):
    """A row may be one byte: four megabytes of them are not unpacked."""
    content, length = binary("BOOL", [4_000_000], b"\1" * 4_000_000)

    answer = post(api, public_model, content, inference_header_content_length=length)

    assert answer.status_code == 413
    assert "100000" in answer.json()["error"]


def test_answers_beyond_the_platform_are_refused(api: httpx.Client, public_model: str):
    """More than a function may send is said before the platform says it in its own words."""
    content, length = binary("INT8", [100_000], bytes(index % 11 for index in range(100_000)))

    answer = post(api, public_model, content, inference_header_content_length=length)

    assert answer.status_code == 413
    assert "answer" in answer.json()["error"]


@pytest.mark.parametrize(
    ("content", "encoding", "status"),
    [
        (gzip.compress(b"\0" * 40_000_000), "gzip", 413),
        (zlib.compress(b" " * 40_000_000), "deflate", 413),
        (gzip.compress(b"{}")[:-9], "gzip", 400),
        (b"plain", "gzip", 400),
        (b"{}", "br", 415),
        (b"{}", "gzip, gzip", 415),
    ],
    ids=["gzip bomb", "deflate bomb", "cut off", "not compressed", "unknown", "twice"],
)
def test_compression_has_bounds(api: httpx.Client, public_model: str, content: bytes, encoding: str, status: int):
    """A bomb is defused at the size of a plain body."""
    assert post(api, public_model, content, content_encoding=encoding).status_code == status


@pytest.mark.parametrize("path", ["nothing-here", "{model}/versions/99", "{model}@1/versions/1", "{model}@9", "%00"])
def test_models_that_are_not_there(api: httpx.Client, public_model: str, path: str):
    """404 in the one body, for models, versions and nonsense alike."""
    answer = post(api, path.format(model=public_model), {"inputs": [LENGTH]})

    assert answer.status_code == 404
    assert answer.json()["error"]


def test_noise_is_never_our_fault(api: httpx.Client, public_model: str):
    """Bytes flipped at random in good requests, JSON and binary: refused or answered, never a 5xx."""
    rng = random.Random(7)
    content, length = binary("FP32", [2], struct.pack("<2f", 1, 2))
    plain = json.dumps({"inputs": [LENGTH], "outputs": [{"name": "label"}]}).encode()
    for _ in range(150):
        for body, headers in (
            (bytearray(content), {"inference_header_content_length": length}),
            (bytearray(plain), {}),
        ):
            for _ in range(rng.randint(1, 4)):
                body[rng.randrange(len(body))] = rng.randrange(256)
            assert post(api, public_model, bytes(body), **headers).status_code < 500
