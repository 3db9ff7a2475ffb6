"""The Open Inference Protocol V2 spoken by the client that most servers of it are called with."""

from collections.abc import Iterator

import numpy as np
import pytest
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

from tests.api.tiny import CLASSES, expected
from tests.conftest import User

NUMBERS = np.array([[1.5, 2.0], [4.0, 7.0], [np.nan, 3.0]], dtype=np.float32)
PLACES = np.array([["Dream"], ["Bïscoe"], [""]], dtype=object)
WANTED = [list(expected(*row).values()) for row in [(1.5, 2, "Dream"), (4, 7, None), (None, 3, None)]]


@pytest.fixture
def client(site_url: str) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(site_url.removeprefix("http://")) as client:
        yield client


def inputs(*, is_binary: bool = True) -> list[triton.InferInput]:
    """Packed numbers and one feature by name; NaN can only travel as bytes."""
    numeric = triton.InferInput("numeric", [3, 2], "FP32").set_data_from_numpy(NUMBERS)
    island = triton.InferInput("island", [3, 1], "BYTES").set_data_from_numpy(PLACES, binary_data=is_binary)
    return [numeric, island]


def test_client_finds_server_and_model(client, public_model: str):
    """Health and metadata, of the server, the model and its versions."""
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready(public_model)
    assert client.is_model_ready(public_model, "2")
    assert not client.is_model_ready("nothing-here")
    assert "binary_tensor_data" in client.get_server_metadata()["extensions"]
    metadata = client.get_model_metadata(public_model, "2")
    assert (metadata["name"], metadata["versions"]) == (public_model, ["2"])
    assert [each["name"] for each in metadata["inputs"]] == ["length", "width", "island"]


@pytest.mark.parametrize("is_binary", [True, False], ids=["bytes", "json"])
@pytest.mark.parametrize("compression", [None, "gzip", "deflate"])
def test_client_infers(client, public_model: str, is_binary: bool, compression: str | None):
    """Bytes and JSON, compressed or not: labels and probabilities as numpy arrays."""
    outputs = [triton.InferRequestedOutput(name, binary_data=is_binary) for name in ("label", "probabilities")]

    result = client.infer(
        public_model,
        inputs(is_binary=is_binary),
        outputs=outputs,
        request_id="7",
        request_compression_algorithm=compression,
    )

    found, labels = result.as_numpy("probabilities"), result.as_numpy("label")
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, WANTED, atol=1e-5)
    assert [_text(label) for label in labels[:, 0]] == [CLASSES[index] for index in np.argmax(WANTED, axis=1)]
    assert result.get_response()["id"] == "7"


def test_client_gets_all_outputs_unless_it_chooses(client, public_model: str):
    """Without outputs the client asks for bytes of everything."""
    result = client.infer(public_model, inputs(), model_version="1", priority=1, timeout=1000)

    assert result.get_response()["model_version"] == "1"
    np.testing.assert_allclose(result.as_numpy("probabilities"), WANTED, atol=1e-5)
    assert result.as_numpy("label").shape == (3, 1)


def test_client_sends_every_type(client, public_model: str):
    """One tensor per feature, numbers of any type."""
    for dtype, datatype in [(np.int64, "INT64"), (np.uint8, "UINT8"), (np.float64, "FP64"), (np.float16, "FP16")]:
        length = triton.InferInput("length", [2], datatype).set_data_from_numpy(np.array([1, 4], dtype))
        width = triton.InferInput("width", [2, 1], "INT32").set_data_from_numpy(np.array([[2], [7]], np.int32))
        result = client.infer(public_model, [length, width])
        wanted = [list(expected(length, width, None).values()) for length, width in [(1, 2), (4, 7)]]
        np.testing.assert_allclose(result.as_numpy("probabilities"), wanted, atol=1e-5)


def test_client_writes_nan_into_json(client, public_model: str):
    """Asked for JSON, the client writes missing numbers as NaN; they arrive as missing."""
    numeric = triton.InferInput("numeric", [3, 2], "FP32").set_data_from_numpy(NUMBERS, binary_data=False)
    island = triton.InferInput("island", [3, 1], "BYTES").set_data_from_numpy(PLACES, binary_data=False)

    result = client.infer(public_model, [numeric, island])

    np.testing.assert_allclose(result.as_numpy("probabilities"), WANTED, atol=1e-5)


def test_client_gets_ranked_classes(client, public_model: str):
    """The classification extension."""
    wanted = triton.InferRequestedOutput("probabilities", class_count=1)

    result = client.infer(public_model, inputs(), outputs=[wanted])

    best = [_text(each).split(":") for each in result.as_numpy("probabilities")[:, 0]]
    assert [name for *_, name in best] == [CLASSES[index] for index in np.argmax(WANTED, axis=1)]


def test_client_infers_side_by_side(site_url: str, public_model: str):
    """Several requests under way at once."""
    with triton.InferenceServerClient(site_url.removeprefix("http://"), concurrency=4) as client:
        pending = [client.async_infer(public_model, inputs(), request_id=str(number)) for number in range(8)]

        results = [each.get_result() for each in pending]

    assert [result.get_response()["id"] for result in results] == [str(number) for number in range(8)]


def test_client_reads_our_errors(client, public_model: str, private_model: str, analyst: User):
    """A refusal reaches the caller in words, with its status."""
    wrong = triton.InferInput("length", [1], "BYTES").set_data_from_numpy(np.array(["long"], dtype=object))

    with pytest.raises(InferenceServerException, match=r"#/inputs/0/data/0: expected a number") as refused:
        client.infer(public_model, [wrong])
    with pytest.raises(InferenceServerException, match="There is no model 'nothing-here'"):
        client.get_model_metadata("nothing-here")

    assert refused.value.status() == "422"
    assert not client.is_model_ready(private_model)
    assert client.is_model_ready(private_model, headers=analyst.headers)


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
