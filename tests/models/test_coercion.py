"""The one table by which every door reads a cell."""

import math
import struct
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.coercion import (
    FLOAT32_MAX,
    MISSING_WORDS,
    NUMERIC_COERCIONS,
    canonical_row,
    coerce_boolean,
    coerce_category,
    coerce_integer,
    coerce_number,
    is_missing_text,
)
from models.errors import CoercionError

JSON_VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.none(), max_size=2),
)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (12, 12.0),
        (-0.5, -0.5),
        (True, 1.0),
        (False, 0.0),
        ("12", 12.0),
        (" 12.0 ", 12.0),
        ("1e3", 1000.0),
        ("007", 7.0),
        ("+3", 3.0),
        (".5", 0.5),
        ("-0", 0.0),
        (10**20, 1e20),
        (Decimal("1.25"), 1.25),
        (np.float32(0.5), 0.5),
        (np.int64(7), 7.0),
        (FLOAT32_MAX, FLOAT32_MAX),
    ],
    ids=repr,
)
def test_number_is_read_from(value, number):
    """Numbers come as JSON numbers, booleans, and text from CSV files and query strings."""
    assert coerce_number(value) == number


@pytest.mark.parametrize("kind", ["number", "integer", "boolean"])
@pytest.mark.parametrize(
    "value", [None, float("nan"), "", "  ", "NaN", "nan", "NA", "n/a", "None", "null", "?", "<NA>", "#N/A"], ids=repr
)
def test_missing_is_nan(kind, value):
    """Null, NaN and every missing word are the same for all kinds of numbers."""
    assert math.isnan(NUMERIC_COERCIONS[kind](value))


@pytest.mark.parametrize("value", ["abc", "1,5", "1_000", "0x10", "12 kg", [1], {"a": 1}, b"12", object()], ids=repr)
@pytest.mark.parametrize("kind", ["number", "integer", "boolean"], ids=repr)
def test_numbers_refuse_what_is_no_number(kind, value):
    """What is no number is refused with a reason, never with a crash."""
    with pytest.raises(CoercionError, match=r"^expected"):
        NUMERIC_COERCIONS[kind](value)


@pytest.mark.parametrize("value", [math.inf, -math.inf, "inf", "-Infinity", "1e999", 1e39, "-1e39", 10**400], ids=repr)
def test_number_refuses_what_float32_cannot_hold(value):
    """The model computes in float32: infinity and what would become it are refused."""
    with pytest.raises(CoercionError, match=r"3\.4e38"):
        coerce_number(value)


def test_number_refuses_an_integer_too_long_to_print():
    """Python refuses to print integers of many thousand digits; the message copes."""
    with pytest.raises(CoercionError, match="digits"):
        coerce_number(10**5000)


@pytest.mark.parametrize("value", [12, 12.0, "12", "12.0", " 1.2e1 ", Decimal(12)], ids=repr)
def test_integer_takes_whole_numbers_in_any_form(value):
    """JSON writes 12.0, CSV writes "12": both are twelve."""
    assert coerce_integer(value) == 12.0


@pytest.mark.parametrize("value", [12.5, "12.5", "1e-3"], ids=repr)
def test_integer_refuses_fractions(value):
    """A fraction is refused rather than cut off."""
    with pytest.raises(CoercionError, match="whole number"):
        coerce_integer(value)


@pytest.mark.parametrize(
    ("value", "truth"), [*((one, 1.0) for one in (True, 1, 1.0, "1", "1.0", "true", "TRUE", " Yes ", "yes"))], ids=repr
)
def test_boolean_true(value, truth):
    """All the ways to say yes."""
    assert coerce_boolean(value) == truth


@pytest.mark.parametrize("value", [False, 0, 0.0, "0", "false", "False", "no", "NO"], ids=repr)
def test_boolean_false(value):
    """All the ways to say no."""
    assert coerce_boolean(value) == 0.0


@pytest.mark.parametrize("value", [2, -1, 0.5, "2", "maybe", "y", "on"], ids=repr)
def test_boolean_refuses_the_rest(value):
    """Two is not true, and on is not agreed upon."""
    with pytest.raises(CoercionError, match="true or false"):
        coerce_boolean(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("Adelie", "Adelie"),
        ("007", "007"),
        (" Biscoe ", "Biscoe"),
        ("12.0", "12.0"),
        (12, "12"),
        (12.0, "12"),
        (-3.0, "-3"),
        (12.5, "12.5"),
        (1e20, "1e+20"),
        (True, "true"),
        (False, "false"),
        (np.int64(4), "4"),
        (np.float32(0.5), "0.5"),
        (Decimal("1.10"), "1.10"),
        ("日本", "日本"),
        (None, ""),
        (float("nan"), ""),
        ("NA", ""),
        ("  ", ""),
    ],
    ids=repr,
)
def test_category_is_text(value, text):
    """Text stays as it is but for its outer blanks; whole numbers lose their point; missing is empty."""
    assert coerce_category(value) == text


@pytest.mark.parametrize("value", [math.inf, [1], ["a"], {"a": 1}, (1,), b"a", object(), "\ud800"], ids=repr)
def test_category_refuses_what_is_no_text(value):
    """Lists, objects, infinity and broken Unicode are refused with a reason."""
    with pytest.raises(CoercionError, match=r"^expected text"):
        coerce_category(value)


@pytest.mark.parametrize("word", sorted(MISSING_WORDS))
def test_missing_words_count_in_any_case_and_with_blanks(word):
    """One list, read the same everywhere."""
    assert is_missing_text(f" {word.upper()}\t")


def test_refusal_shows_little_of_a_long_text():
    """A refusal quotes the cell, but not a megabyte of it."""
    with pytest.raises(CoercionError) as refused:
        coerce_number("x" * 1_000_000)

    assert len(refused.value.detail) < 100


@given(JSON_VALUES)
def test_numbers_are_finite_missing_or_refused(value):
    """Whatever JSON holds, a number is a finite float32, NaN, or refused; never another exception."""
    for coerce in NUMERIC_COERCIONS.values():
        try:
            number = coerce(value)
        except CoercionError:
            continue
        assert math.isnan(number) or abs(number) <= FLOAT32_MAX


@given(JSON_VALUES)
def test_categories_are_stable(value):
    """What was read once is read the same again, so a stored row can be sent again."""
    try:
        text = coerce_category(value)
    except CoercionError:
        return
    assert coerce_category(text) == text
    text.encode()


@given(st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_number_and_its_text_are_the_same(number):
    """CSV and JSON doors read the same number."""
    assert coerce_number(repr(number)) == coerce_number(number) == number


@given(st.integers(-(2**53), 2**53))
def test_whole_numbers_agree_between_kinds(number):
    """12, 12.0 and "12" are one integer, one number and one category."""
    assert (
        coerce_integer(number) == coerce_integer(float(number)) == coerce_integer(str(number)) == coerce_number(number)
    )
    if abs(number) < 10**15:
        assert coerce_category(number) == coerce_category(float(number)) == str(number)


def _as_float32(numbers):
    return [struct.unpack("<f", struct.pack("<f", number))[0] for number in numbers]


NUMBERS = st.lists(st.floats(width=32), min_size=2, max_size=2)
TEXTS = st.lists(st.text(), min_size=2, max_size=2)


@given(NUMBERS, TEXTS, NUMBERS, TEXTS)
def test_canonical_rows_are_equal_exactly_when_the_model_sees_the_same(numbers, texts, others, other_texts):
    """A cache key may neither mix up two inputs nor tell equal ones apart."""
    same = texts == other_texts and all(
        (math.isnan(one) and math.isnan(other)) or one == other for one, other in zip(numbers, others, strict=True)
    )

    assert (canonical_row(numbers, texts) == canonical_row(others, other_texts)) == same


def test_canonical_row_does_not_run_texts_together():
    """("ab", "c") and ("a", "bc") are different rows."""
    assert canonical_row([], ["ab", "c"]) != canonical_row([], ["a", "bc"])


def test_canonical_row_takes_minus_zero_and_every_nan_as_one():
    """-0.0 equals 0.0, and one missing cell is like another."""
    other_nan = struct.unpack("<d", struct.pack("<Q", 0x7FF8000000000001))[0]

    assert canonical_row([-0.0, math.nan], []) == canonical_row([0.0, other_nan], [])
