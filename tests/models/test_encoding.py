"""Rows and columns as tensors: one meaning whichever way they take, and a pointer to whatever is wrong."""

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.coercion import NUMERIC_COERCIONS, coerce_category
from models.encoding import RowEncoder
from models.errors import CoercionError, FieldError, InvalidRows
from tests.models.samples import good_row, opened


@pytest.fixture
def encoder() -> RowEncoder:
    return opened().encoder


def errors_of(encoder, rows) -> list[FieldError]:
    with pytest.raises(InvalidRows) as refused:
        encoder.encode(rows)
    return refused.value.errors


def test_a_plain_row_becomes_two_tensors(encoder):
    """Numbers in one float32 tensor, texts in one string tensor, in the card's positions; nothing to say about it."""
    encoded = encoder.encode([good_row()])

    assert encoded.numeric.dtype == np.float32
    assert encoded.numeric.tolist() == [np.array([40.5, 20_000.5, 0.5, 1_705_000_000, 4, 1], dtype=np.float32).tolist()]
    assert encoded.text.tolist()[0][:2] == ["Oslo", "pro"]
    assert encoded.warnings == ()


@pytest.mark.parametrize(
    "change",
    [
        {"age": "40.5", "income": " 20000.5 ", "visits": "4", "member": "YES", "timestamp": 1705000000.0},
        {"member": 1, "city": " Oslo ", "visits": 4.0},
        {"y": "low"},
    ],
    ids=["texts", "other types", "with the target"],
)
def test_forms_of_one_row_are_one_row(encoder, change):
    """CSV texts, other JSON types and a target sent along give the same tensors and the same cache key."""
    plain, changed = encoder.encode([good_row()]), encoder.encode([good_row() | change])

    assert plain.numeric.tolist() == changed.numeric.tolist()
    assert plain.text.tolist() == changed.text.tolist()
    assert plain.canonical(0) == changed.canonical(0)
    assert changed.warnings == ()


def test_columns_are_read_like_rows(encoder):
    """`{"columns": …}` and `{"rows": …}` with the same cells are the same."""
    rows = [good_row(), good_row() | {"age": None, "city": "Nowhere"}, good_row() | {"member": "no"}]
    columns = {name: [row[name] for row in rows] for name in rows[0]}

    by_rows, by_columns = encoder.encode(rows), encoder.encode_columns(columns)

    assert by_rows.numeric.tobytes() == by_columns.numeric.tobytes()
    assert by_rows.text.tolist() == by_columns.text.tolist()
    assert [warning.pointer for warning in by_rows.warnings] == ["#/rows/1/city"]
    assert [warning.pointer for warning in by_columns.warnings] == ["#/columns/city/1"]


def test_missing_is_nan_and_empty(encoder):
    """Null, and where training had gaps an absent key, are missing."""
    row = good_row() | {"age": None, "income": "NA"}
    del row["city"]

    encoded = encoder.encode([row])

    assert np.isnan(encoded.numeric[0, :2]).all()
    assert encoded.text[0, 0] == ""
    assert [warning.pointer for warning in encoded.warnings] == ["#/rows/0/income"]
    assert "never saw this feature missing" in encoded.warnings[0].detail


def test_a_required_feature_may_be_null_but_not_absent(encoder):
    """Absent is a mistake, null is a statement."""
    row = good_row()
    del row["plan"]

    (error,) = errors_of(encoder, [good_row(), row])

    assert error.pointer == "#/rows/1/plan"
    assert "required" in error.detail
    assert encoder.encode([good_row() | {"plan": None}]).text[0, 1] == ""


def test_every_fault_of_every_row_is_pointed_at(encoder):
    """Not only the first one."""
    errors = errors_of(
        encoder,
        [
            good_row() | {"age": "old", "visits": 2.5},
            good_row(),
            good_row() | {"member": "maybe", "city": ["Oslo"], "ages": 3},
        ],
    )

    assert {error.pointer for error in errors} == {
        "#/rows/0/age",
        "#/rows/0/visits",
        "#/rows/2/member",
        "#/rows/2/city",
        "#/rows/2/ages",
    }
    assert (
        next(error for error in errors if error.pointer.endswith("ages")).detail
        == "unknown feature; did you mean 'age'?"
    )


@pytest.mark.parametrize("row", [None, [], "text", 5, [1, 2]], ids=repr)
def test_a_row_that_is_no_object_is_refused(encoder, row):
    """The pointer names the row."""
    assert errors_of(encoder, [good_row(), row]) == [FieldError("#/rows/1", "expected an object of features")]


def test_an_empty_row_names_what_is_required(encoder):
    """Each required feature is named; the others are missing."""
    pointers = {error.pointer for error in errors_of(encoder, [{}])}

    assert pointers == {f"#/rows/0/{feature.name}" for feature in opened().card.features if feature.required}


def test_no_more_than_a_hundred_errors_are_listed(encoder):
    """A file with a wrong column answers in bounded size."""
    assert len(errors_of(encoder, [good_row() | {"age": "x"}] * 5000)) == 100


def test_no_more_than_a_hundred_warnings_are_listed(encoder):
    """Neither do warnings grow with the batch."""
    encoded = encoder.encode([good_row() | {"city": "Nowhere"}] * 500)

    assert len(encoded.warnings) == 100
    assert len(encoded.text) == 500


def test_odd_values_are_told_and_taken(encoder):
    """Outside the training range and unseen: answered, with a warning at the cell."""
    encoded = encoder.encode([good_row() | {"age": 400, "city": "oslo"}])

    told = {warning.pointer: warning.detail for warning in encoded.warnings}
    assert "outside the training range" in told["#/rows/0/age"]
    assert told["#/rows/0/city"] == "training never saw this value; did you mean 'Oslo'?"
    assert encoded.numeric[0, 0] == 400


def test_pointers_are_escaped():
    """A name may hold slashes, tildes, blanks and letters beyond ASCII (RFC 6901, section 6)."""
    from models.encoding import row_pointer

    assert row_pointer(3, "a/b ~c é") == "#/rows/3/a~1b%20~0c%20%C3%A9"


@pytest.mark.parametrize(
    ("columns", "pointer", "detail"),
    [
        ({"age": [1, 2]}, "#/columns/income", "required"),
        ({"agee": [1]}, "#/columns/agee", "did you mean 'age'"),
        ({"age": 5}, "#/columns/age", "expected a list"),
        ({"age": "12"}, "#/columns/age", "expected a list"),
        ({"age": [1, 2], "load": [1]}, "#/columns", "different lengths"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_faults_of_whole_columns_are_told_once(encoder, columns, pointer, detail):
    """Not once per row."""
    with pytest.raises(InvalidRows) as refused:
        encoder.encode_columns(columns)

    (found,) = [error for error in refused.value.errors if error.pointer == pointer]
    assert detail in found.detail


def test_faults_of_cells_in_columns_are_pointed_at(encoder):
    """Column first, then the position within it."""
    columns = {name: [value, value] for name, value in good_row().items()} | {"age": [1, "x"]}

    with pytest.raises(InvalidRows, match="#/columns/age/1"):
        encoder.encode_columns(columns)


def test_no_rows_are_no_tensors(encoder):
    """Zero rows and zero-length columns are fine."""
    assert encoder.encode([]).numeric.shape == (0, 6)
    assert encoder.encode_columns({name: [] for name in good_row()}).text.shape == (0, 4)


CELLS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 2_000_000_000),
    st.floats(),
    st.sampled_from(["Oslo", " Oslo", "oslo", "4", "12.5", "yes", "NA", "", "x", "1e3", "inf"]),
    st.text(max_size=3),
    st.lists(st.none(), max_size=1),
)


@given(st.lists(st.dictionaries(st.sampled_from([*good_row(), "y", "other"]), CELLS), max_size=4))
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_the_short_way_and_the_careful_way_agree(changes):
    """Whatever is sent: the tensors are those of the coercion table, cell by cell, or the row is refused by it."""
    rows = [good_row() | change for change in changes]
    numeric = [f for f in opened().card.features if f.kind != "category"]
    text = [f for f in opened().card.features if f.kind == "category"]
    try:
        expected = [
            (
                [NUMERIC_COERCIONS[f.kind](row[f.name]) for f in numeric],
                [coerce_category(row[f.name]) for f in text],
            )
            for row in rows
        ]
    except CoercionError:
        expected = None
    if any("other" in row for row in rows):
        expected = None

    try:
        encoded = opened().encoder.encode(rows)
    except InvalidRows:
        assert expected is None
        return

    assert expected is not None
    numbers = np.array([row[0] for row in expected]).reshape(len(rows), len(numeric)).astype(np.float32)
    assert np.array_equal(encoded.numeric, numbers, equal_nan=True)
    assert encoded.text.tolist() == [row[1] for row in expected]


def test_extreme_numbers_come_through_exactly(encoder):
    """The largest and the smallest float32 are themselves; beyond is refused."""
    largest = float(np.finfo(np.float32).max)

    assert encoder.encode([good_row() | {"age": largest}]).numeric[0, 0] == np.float32(largest)
    assert encoder.encode([good_row() | {"age": 1e-45}]).numeric[0, 0] == np.float32(1e-45)
    assert errors_of(encoder, [good_row() | {"age": math.inf}])[0].pointer == "#/rows/0/age"
    assert errors_of(encoder, [good_row() | {"age": 10**400}])[0].pointer == "#/rows/0/age"
