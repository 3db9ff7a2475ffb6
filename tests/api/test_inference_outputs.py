"""Tensors by themselves: what is written can be read, and regression answers with its interval."""

import json
import math
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api._lib.client_json import parse_client_json
from api._lib.errors import RequestMalformed
from api._lib.open_inference_outputs import answer_tensors, output_tensors, read_wanted, write_answer
from api._lib.tensors import DTYPES, TEXT, Tensor, read_tensor, to_bytes
from models.contract import IntervalNote
from models.errors import InvalidRows
from tests.models.fitted import fit


@given(st.sampled_from(sorted(DTYPES)), st.binary(max_size=64))
def test_numbers_survive_the_wire(datatype: str, noise: bytes):
    """Any bytes that make whole numbers come back as the same bytes."""
    dtype = np.dtype(DTYPES[datatype])
    raw = (
        bytes(byte & 1 for byte in noise)
        if datatype == "BOOL"
        else noise[: len(noise) // dtype.itemsize * dtype.itemsize]
    )
    sent = {"name": "x", "datatype": datatype, "shape": [len(raw) // dtype.itemsize]}

    tensor = read_tensor(sent, "#/inputs/0", raw)

    np.testing.assert_array_equal(np.frombuffer(to_bytes(tensor), dtype), np.frombuffer(raw, dtype))


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))))
def test_texts_survive_the_wire(texts: list[str]):
    """Any text, in any language, empty ones and NUL included."""
    raw = to_bytes(Tensor("x", TEXT, (len(texts),), texts))

    tensor = read_tensor({"name": "x", "datatype": TEXT, "shape": [len(texts)]}, "#/inputs/0", raw)

    assert tensor.values == texts


@pytest.mark.parametrize("has_interval", [True, False])
def test_regression_answers_value_and_interval(has_interval: bool):
    """The value, and the two ends of the interval if the card has one."""
    model = fit("ridge")
    interval = IntervalNote(coverage=0.9, half_width=2.5, measured=0.9) if has_interval else None
    card = model.card.model_copy(update={"interval": interval})
    output = model.run(model.encode(card.examples))

    content, headers = write_answer({}, answer_tensors(output, card, read_wanted(None, card, is_binary=False)))

    described = [each["name"] for each in output_tensors(card)]
    assert described == (["value", "low", "high"] if has_interval else ["value"])
    assert headers == {"content-type": "application/json"}
    assert content.count(b'"FP64"') == len(described)
    tensors = {tensor.name: tensor for tensor, _ in answer_tensors(output, card, read_wanted([], card, is_binary=True))}
    assert tensors["value"].shape == (3, 1)
    if has_interval:
        ends = zip(tensors["low"].values, tensors["value"].values, tensors["high"].values, strict=True)
        assert all(low + 2.5 == pytest.approx(value) == pytest.approx(high - 2.5) for low, value, high in ends)


def test_answers_beyond_numbers_are_refused():
    """The row whose answer is no finite number is named."""
    model = fit("ridge")
    output = np.array([[1.0], [np.inf], [np.nan]])

    with pytest.raises(InvalidRows, match="row 1: the numbers are too extreme") as refused:
        answer_tensors(output, model.card, read_wanted(None, model.card, is_binary=False))

    assert len(refused.value.errors) == 2


@given(
    st.text(st.sampled_from('NaN"\\,[]: x'), max_size=30),
    st.lists(st.one_of(st.none(), st.text(st.sampled_from('NaN"\\ ,')))),
)
def test_nan_is_null_between_texts_only(noise: str, values: list[str | None]):
    """What Python's encoder writes is read back, NaN as null, texts untouched; noise is refused or read, nothing else."""
    written = json.dumps({"data": [math.nan if value is None else value for value in values]})

    assert parse_client_json(written.encode()) == {"data": values}
    with suppress(RequestMalformed):
        parse_client_json(noise.encode())
