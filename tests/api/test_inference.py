"""The Open Inference Protocol V2 on the wire: what a client may send, and what it gets, JSON and bytes."""

import gzip
import json
import struct
import uuid
import zlib
from typing import Any

import httpx
import numpy as np
import pytest

from tests.api.tiny import CLASSES, expected
from tests.conftest import User

LENGTHS, WIDTHS, PLACES = [1.5, 4.0], [2, 7], ["Dream", "Biscoe"]
WANTED = [list(expected(*row).values()) for row in zip(LENGTHS, WIDTHS, PLACES, strict=True)]


def tensor(name: str, datatype: str, data: list[Any], *shape: int) -> dict[str, Any]:
    return {"name": name, "shape": list(shape or (len(data),)), "datatype": datatype, "data": data}


def by_feature() -> list[dict[str, Any]]:
    return [tensor("length", "FP32", LENGTHS), tensor("width", "INT64", WIDTHS), tensor("island", "BYTES", PLACES)]


def infer(api: httpx.Client, model: str, inputs: list[Any], **others: Any) -> httpx.Response:
    return api.post(f"/v2/models/{model}/infer", json={"inputs": inputs, **others})


def probabilities(answer: httpx.Response) -> list[list[float]]:
    output = next(each for each in answer.json()["outputs"] if each["name"] == "probabilities")
    return np.reshape(output["data"], output["shape"]).tolist()


def test_server_says_who_it_is(api: httpx.Client):
    """Metadata and health of the server, without any model."""
    metadata = api.get("/v2").json()

    assert metadata["name"] == "rowcast"
    assert metadata["extensions"] == ["binary_tensor_data", "classification"]
    assert api.get("/v2/health/live").json() == {"live": True}
    assert api.get("/v2/health/ready").json() == {"ready": True}


def test_model_says_what_it_reads(api: httpx.Client, public_model: str):
    """One input per feature, the packed pair beside, the outputs with the order of classes."""
    metadata = api.get(f"/v2/models/{public_model}").json()

    assert metadata == {
        "name": public_model,
        "versions": ["1"],
        "platform": "onnx_onnxv1",
        "inputs": [
            {"name": "length", "datatype": "FP32", "shape": [-1, 1]},
            {"name": "width", "datatype": "INT64", "shape": [-1, 1]},
            {"name": "island", "datatype": "BYTES", "shape": [-1, 1]},
        ],
        "packed_inputs": [
            {"name": "numeric", "datatype": "FP32", "shape": [-1, 2]},
            {"name": "text", "datatype": "BYTES", "shape": [-1, 1]},
        ],
        "outputs": [
            {"name": "label", "datatype": "BYTES", "shape": [-1, 1]},
            {"name": "probabilities", "datatype": "FP32", "shape": [-1, 3]},
        ],
        "classes": CLASSES,
    }
    assert api.get(f"/v2/models/{public_model}/versions/challenger").json()["versions"] == ["2"]
    assert api.get(f"/v2/models/{public_model}/versions/2/ready").json() == {"name": public_model, "ready": True}


@pytest.mark.parametrize(
    "inputs",
    [
        by_feature(),
        [tensor("length", "FP64", [[1.5], [4]], 2, 1), tensor("width", "FP32", [2.0, 7.0], 2, 1), by_feature()[2]],
        [tensor("length", "BYTES", ["1.5", " 4 "]), tensor("width", "UINT8", [2, 7]), by_feature()[2]],
        [tensor("numeric", "FP32", [1.5, 2, 4, 7], 2, 2), tensor("text", "BYTES", PLACES, 2, 1)],
        [tensor("numeric", "FP32", [[1.5, 2], [4, 7]], 2, 2), tensor("text", "BYTES", [["Dream"], ["Biscoe"]], 2, 1)],
        [tensor("text", "BYTES", PLACES), *by_feature()[:2]],
    ],
    ids=["by feature", "nested", "other types", "packed", "packed and nested", "mixed"],
)
def test_every_form_of_the_same_rows_answers_the_same(api: httpx.Client, public_model: str, inputs):
    """Per feature or packed, flat or nested, whatever the datatype: the same rows."""
    answer = infer(api, public_model, inputs, id="42")

    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert probabilities(answer) == [pytest.approx(row, abs=1e-5) for row in WANTED]
    assert body["outputs"][0] == tensor("label", "BYTES", ["Chinstrap", "Chinstrap"], 2, 1)
    assert (body["model_name"], body["model_version"], body["id"]) == (public_model, "1", "42")
    assert "total;dur=" in answer.headers["server-timing"]


def test_a_version_can_be_named_in_each_way(api: httpx.Client, public_model: str):
    """In the path as the protocol says, or in the reference as everywhere else here."""
    paths = [f"{public_model}/versions/2", f"{public_model}@2", f"{public_model}/versions/challenger"]

    answers = [api.post(f"/v2/models/{path}/infer", json={"inputs": by_feature()}) for path in paths]

    assert [answer.json()["model_version"] for answer in answers] == ["2", "2", "2"]
    assert len({str(probabilities(answer)) for answer in answers}) == 1


def test_missing_values_are_accepted(api: httpx.Client, public_model: str):
    """null, "" and an absent optional feature are missing; what is odd is counted and the first place named."""
    inputs = [tensor("length", "FP32", [None, 1.0]), tensor("island", "BYTES", ["", "Atlantis"])]

    answer = infer(api, public_model, inputs)

    assert probabilities(answer) == [
        pytest.approx(list(expected(*row).values()), abs=1e-5) for row in [(None, None, None), (1.0, None, None)]
    ]
    assert answer.json()["parameters"]["warnings"] == 1
    assert answer.json()["parameters"]["first_warning"].startswith("#/inputs/1/data/1: ")
    assert uuid.UUID(answer.json()["id"]).version == 7
    assert answer.json()["parameters"]["prediction_id"] == answer.json()["id"]


def test_outputs_can_be_chosen(api: httpx.Client, public_model: str):
    """Only what is asked for, in that order."""
    both = infer(api, public_model, by_feature(), outputs=[{"name": "probabilities"}, {"name": "label"}])
    one = infer(api, public_model, by_feature(), outputs=[{"name": "label"}], parameters={"priority": 3, "x": True})

    assert [each["name"] for each in both.json()["outputs"]] == ["probabilities", "label"]
    assert [each["name"] for each in one.json()["outputs"]] == ["label"]


def test_classes_come_ranked_when_asked_for(api: httpx.Client, public_model: str):
    """The classification extension: the best classes as "probability:index:label"."""
    wanted = [{"name": "probabilities", "parameters": {"classification": 2}}]

    output = infer(api, public_model, by_feature(), outputs=wanted).json()["outputs"][0]

    assert (output["datatype"], output["shape"]) == ("BYTES", [2, 2])
    for row, (first, second) in zip(WANTED, np.reshape(output["data"], (2, 2)).tolist(), strict=True):
        ranked = sorted(range(3), key=lambda index: -row[index])
        assert [each.split(":")[2] for each in (first, second)] == [CLASSES[index] for index in ranked[:2]]
        assert float(first.split(":")[0]) == pytest.approx(max(row), abs=1e-5)


def binary_body(
    *tensors: tuple[str, str, list[int], bytes], parameters: dict[str, Any] | None = None
) -> tuple[bytes, dict[str, str]]:
    inputs = [
        {"name": name, "datatype": datatype, "shape": shape, "parameters": {"binary_data_size": len(raw)}}
        for name, datatype, shape, raw in tensors
    ]
    head = json.dumps({"inputs": inputs, "parameters": parameters or {}}).encode()
    headers = {"Inference-Header-Content-Length": str(len(head)), "content-type": "application/octet-stream"}
    return head + b"".join(raw for *_, raw in tensors), headers


def texts(*values: str) -> bytes:
    return b"".join(struct.pack("<I", len(value.encode())) + value.encode() for value in values)


NUMBERS = struct.pack("<4f", 1.5, 2, 4, 7)
PACKED = (("numeric", "FP32", [2, 2], NUMBERS), ("text", "BYTES", [2, 1], texts(*PLACES)))


def test_bytes_in_and_bytes_out(api: httpx.Client, public_model: str):
    """The binary tensor extension in both directions: values follow the JSON, whose length the header tells."""
    content, headers = binary_body(*PACKED, parameters={"binary_data_output": True})

    answer = api.post(f"/v2/models/{public_model}/infer", content=content, headers=headers)

    assert answer.headers["content-type"] == "application/octet-stream"
    size = int(answer.headers["inference-header-content-length"])
    head, blocks = json.loads(answer.content[:size]), answer.content[size:]
    label, shares = head["outputs"]
    assert "data" not in label
    assert label["parameters"]["binary_data_size"] + shares["parameters"]["binary_data_size"] == len(blocks)
    assert blocks.startswith(texts("Chinstrap", "Chinstrap"))
    found = np.frombuffer(blocks[label["parameters"]["binary_data_size"] :], "<f4").reshape(shares["shape"])
    np.testing.assert_allclose(found, WANTED, atol=1e-5)


@pytest.mark.parametrize(
    ("datatype", "form"),
    [
        ("FP16", "<2e"),
        ("FP32", "<2f"),
        ("FP64", "<2d"),
        ("INT8", "2b"),
        ("UINT16", "<2H"),
        ("INT64", "<2q"),
        ("BOOL", "2?"),
    ],
)
def test_bytes_of_every_width_are_read(api: httpx.Client, public_model: str, datatype: str, form: str):
    """Numbers of any type and width arrive as what they are."""
    content, headers = binary_body(("length", datatype, [2], struct.pack(form, 1, 0)))

    answer = api.post(f"/v2/models/{public_model}/infer", content=content, headers=headers)

    wanted = [list(expected(length, None, None).values()) for length in (1, 0)]
    assert probabilities(answer) == [pytest.approx(row, abs=1e-5) for row in wanted]


def test_nan_in_bytes_is_missing(api: httpx.Client, public_model: str):
    """NaN has no place in JSON; in bytes it says what null says."""
    content, headers = binary_body(("numeric", "FP32", [1, 2], struct.pack("<2f", float("nan"), float("nan"))))

    answer = api.post(f"/v2/models/{public_model}/infer", content=content, headers=headers)

    assert probabilities(answer)[0] == pytest.approx(list(expected(None, None, None).values()), abs=1e-5)


@pytest.mark.parametrize(("encoding", "compress"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_compressed_bodies_are_read(api: httpx.Client, public_model: str, encoding: str, compress):
    """The length of the JSON is its length before compression."""
    content, headers = binary_body(*PACKED)

    answer = api.post(
        f"/v2/models/{public_model}/infer", content=compress(content), headers=headers | {"content-encoding": encoding}
    )

    assert probabilities(answer) == [pytest.approx(row, abs=1e-5) for row in WANTED]


def test_many_rows_keep_their_order(api: httpx.Client, public_model: str):
    """A large batch is worked on in a thread and answers row by row."""
    numbers = np.stack([np.arange(20_000) % 7, np.arange(20_000) % 5], axis=1).astype("<f4")
    content, headers = binary_body(("numeric", "FP32", [20_000, 2], numbers.tobytes()))

    answer = api.post(f"/v2/models/{public_model}/infer", content=content, headers=headers)

    found = probabilities(answer)
    for row in (0, 1, 777, 19_999):
        assert found[row] == pytest.approx(list(expected(*numbers[row].tolist(), None).values()), abs=1e-5)


def test_private_models_answer_their_owner_only(api: httpx.Client, private_model: str, analyst: User, stranger: User):
    """Every path of the protocol knows who is calling."""
    for path in (f"/v2/models/{private_model}", f"/v2/models/{private_model}/ready"):
        assert api.get(path).status_code == 404
        assert api.get(path, headers=stranger.headers).status_code == 404
        assert api.get(path, headers=analyst.headers).status_code == 200
    body = {"inputs": by_feature()}
    assert api.post(f"/v2/models/{private_model}/infer", json=body, headers=stranger.headers).status_code == 404
    assert api.post(f"/v2/models/{private_model}/infer", json=body, headers=analyst.headers).status_code == 200


def test_pages_of_other_origins_may_call(api: httpx.Client, public_model: str):
    """A browser may read the answer and the length of its JSON."""
    answer = api.post(
        f"/v2/models/{public_model}/infer", json={"inputs": by_feature()}, headers={"origin": "https://else.where"}
    )

    assert answer.headers["access-control-allow-origin"] == "*"
    assert "inference-header-content-length" in answer.headers["access-control-expose-headers"]
