"""Columns and rows are two ways to say the same: the same tensors, warnings and refusals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.encoding import RowEncoder
from models.errors import InvalidRows
from tests.models.fitted import ISLANDS, fit

NUMBERS = st.one_of(
    st.floats(-5, 5, width=32),
    st.integers(-4, 4),
    st.sampled_from([None, "1", " 2.0 ", "x", True, 2**60, 10**400, 1e39, [1]]),
)
WORDS = st.one_of(st.sampled_from([*ISLANDS, None, "", "Atlantis", 7, 7.0, True, [1], "nan", " Dream "]))
ROWS = st.lists(
    st.fixed_dictionaries({"n0": NUMBERS, "n2": NUMBERS}, optional={"n1": NUMBERS, "c0": WORDS, "beak": WORDS}),
    min_size=1,
    max_size=12,
)


def outcome(encode, given_):
    """What came of it, with places as (row, name)."""
    try:
        encoded = encode(given_)
    except InvalidRows as refused:
        return sorted(_cell(error) for error in refused.errors)
    return encoded.numeric.tobytes(), encoded.text.tolist(), sorted(_cell(warning) for warning in encoded.warnings)


def _cell(error):
    _, kind, first, *second = error.pointer.split("/")
    return (*((first, *second) if kind == "rows" else (*second, first)), error.detail)


@settings(max_examples=300, deadline=None)
@given(ROWS, st.randoms(use_true_random=False))
def test_columns_read_as_rows_do(rows, random):
    """Any mix of ordinary, missing, odd and wrong cells."""
    encoder = RowEncoder(fit("ridge").card)
    names = set.intersection(*(set(row) for row in rows)) - {"beak"}
    rows = [{name: row[name] for name in names} for row in rows]
    if "n1" not in names:
        rows = [row | {"n1": 1} for row in rows]
    columns = {name: [row[name] for row in rows] for name in random.sample(sorted(rows[0]), len(rows[0]))}

    assert outcome(encoder.encode_columns, columns) == outcome(encoder.encode, rows)


@pytest.mark.parametrize("dtype", ["<f4", "<f8", "<f2", "i1", "<u8", "?"])
def test_arrays_read_as_lists_do(dtype: str):
    """Numbers that came as bytes need not become Python objects."""
    encoder = RowEncoder(fit("forest").card)
    numbers = np.array([0, 1, 1, 0, 1, 0], dtype)
    if dtype.startswith("<f"):
        numbers[3] = np.nan
    columns = {"n0": numbers, "n1": numbers[::-1], "n2": np.ones(6, dtype), "c0": np.ones(6, dtype)}

    found = encoder.encode_columns(columns)

    wanted = encoder.encode_columns({name: values.tolist() for name, values in columns.items()})
    np.testing.assert_array_equal(found.numeric, wanted.numeric)
    assert found.text.tolist() == wanted.text.tolist()
    assert found.warnings == wanted.warnings


def test_absent_optional_columns_are_missing():
    """Nothing is odd about a column that training saw without values."""
    encoder = RowEncoder(fit("forest").card)

    encoded = encoder.encode_columns({"n1": [1, 2] * 4, "n2": [0.5, 0.25] * 4})

    assert np.isnan(encoded.numeric[:, 0]).all()
    assert encoded.text.tolist() == [[""]] * 8
    assert encoded.warnings == ()


@pytest.mark.parametrize("count", [1, 10])
def test_ends_of_the_range_are_inside_at_either_precision(count: int):
    """A caller who works in float32 and sends the largest training value hears nothing odd."""
    card = fit("forest").card
    feature = card.features[2]

    for number in (feature.minimum, feature.maximum):
        sent = np.full(count, number, np.float32)
        encoded = RowEncoder(card).encode_columns({"n1": [1] * count, "n2": sent})
        assert encoded.warnings == ()
