"""Dates as day numbers: the rule shared by training, the doors and the site."""

import math
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.coercion import coerce_date, coerce_written_number, numeric_coercion
from models.contract import Card
from models.dates import EARLIEST, LATEST, date_text, day_number
from models.encoding import RowEncoder
from models.errors import CoercionError, InvalidRows
from models.explanation import shown_number
from tests.models.fitted import fit


@pytest.mark.parametrize(
    ("text", "written", "number"),
    [
        ("1970-01-01", None, 0),
        ("1970-01-02 06:00", None, 1.25),
        ("1969-12-31", None, -1),
        ("2024/5/1", None, 19844),
        (" 2024-05-01T12:00:00Z ", None, 19844.5),
        ("2024-05-01T01:00:00+02:00", None, 19843 + 23 / 24),
        ("2024-05-01 12:00:00.000+00", None, 19844.5),
        ("2024-05-01t12:00-0030", None, 19844 + 12.5 / 24),
        ("01.05.2024", None, 19844),
        ("1.5.2024 12:00", "month_first", 19844.5),
        ("1/5/2024", "day_first", 19844),
        ("5/1/2024", "month_first", 19844),
        ("05-01-2024", "month_first", 19844),
        ("2024-05-01T23:59:59", None, 19844 + 255 / 256),
        ("0001-01-01", None, EARLIEST),
        ("9999-12-31", None, LATEST),
    ],
)
def test_dates_are_read(text, written, number):
    """Year first, or as the column writes it; times as fractions, in UTC where there is an offset."""
    assert day_number(text, written) == number


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2024",
        "20240501",
        "2024-13-01",
        "2023-02-29",
        "1/5/2024",
        "01-05-2024",
        "1.5.24",
        "2024-05-01 25:00",
        "2024-05/01",
        "2024-05-01Tnoon",
        "today",
        "٢٠٢٤-05-01",
        "2024-05-01" + " " * 60 + "10:00",
        "2024-05-01 10:61",
    ],
)
def test_what_is_no_certain_date_is_refused(text):
    """Day and month are never guessed from a single cell."""
    with pytest.raises(ValueError):  # the caller words the error
        day_number(text)


@pytest.mark.parametrize("value", [True, "soon", 1.7e9, -1e6, math.inf, [], "31/12/2024"])
def test_a_refused_date_says_what_is_expected(value):
    """A clear line, whatever came; seconds since 1970 are far beyond the year 9999 and do not pass for days."""
    with pytest.raises(CoercionError, match=r"expected a date such as 2024-05-31"):
        coerce_date(value)


@pytest.mark.parametrize("value", [None, "", " n/a ", math.nan, "NaT"])
def test_missing_dates_are_missing(value):
    """The words of every other kind."""
    assert math.isnan(coerce_date(value))


@given(st.dates(), st.times())
def test_texts_lead_back_to_the_same_float32(day, time):
    """What is shown for a tensor's cell is read as that very cell."""
    number = np.float32(day_number(f"{day}T{time}"))

    shown = date_text(float(number))

    assert np.float32(day_number(shown)) == number


@given(st.integers(int(EARLIEST), int(LATEST)))
def test_whole_days_are_written_as_days(days):
    """No time of day where there is none."""
    assert date_text(float(days)) == (date(1970, 1, 1) + timedelta(days)).isoformat()


@given(st.dates(date(1900, 1, 1), date(2100, 1, 1)), st.times())
def test_a_time_never_passes_into_the_next_day(day, time):
    """The float32 of an evening belongs to its own day, so a weekday is that of the text."""
    assert math.floor(np.float32(day_number(f"{day} {time}"))) == day_number(str(day))


@pytest.mark.parametrize(
    ("text", "written", "number"),
    [
        ("1.234,5", "decimal_comma", 1234.5),
        ("0,25", "decimal_comma", 0.25),
        ("-1.000.000", "decimal_comma", -1e6),
        ("3.14", "decimal_comma", 3.14),
        ("7", "decimal_comma", 7),
        ("1e3", "decimal_comma", 1000),
        ("1,234.5", "thousands_comma", 1234.5),
        ("12,345,678", "thousands_comma", 12345678),
        ("0.5", "thousands_comma", 0.5),
    ],
)
def test_numbers_are_read_as_their_column_writes_them(text, written, number):
    """Only texts are affected: a JSON number is itself."""
    assert coerce_written_number(text, written) == number
    assert coerce_written_number(number, written) == number


@pytest.mark.parametrize(
    ("text", "written"), [("1,23,4", "decimal_comma"), ("1,5", "thousands_comma"), ("a", "decimal_comma")]
)
def test_numbers_that_fit_no_way_of_writing_are_refused(text, written):
    """No guessing at the door."""
    with pytest.raises(CoercionError, match="expected a number"):
        coerce_written_number(text, written)


def dated(**changes):
    card = fit("ridge", numbers=2, categories=0).card
    feature = card.features[0].model_copy(
        update={
            "kind": "date",
            "minimum": 19000.0,
            "maximum": 20000.0,
            "missing_share": 0.0,
            "required": True,
            **changes,
        }
    )
    return card.model_copy(update={"features": [feature, card.features[1]]})


def test_rows_and_columns_with_dates_are_read_alike():
    """By row, by column, as text and as number."""
    encoder = RowEncoder(dated(written="day_first"))
    texts = ["01/05/2024", "2024-05-01", "1.5.2024 12:00", 19844, 19844.5, None] * 2

    by_row = encoder.encode([{"n0": text, "n1": 1} for text in texts])
    by_column = encoder.encode_columns({"n0": texts, "n1": [1] * len(texts)})

    np.testing.assert_array_equal(by_row.numeric, by_column.numeric)
    np.testing.assert_array_equal(by_row.numeric[:6, 0], [19844, 19844, 19844.5, 19844, 19844.5, math.nan])
    assert [warning.detail for warning in by_row.warnings] == [
        "missing, and training never saw this feature missing"
    ] * 2


def test_a_bad_date_is_pointed_at():
    """As any other cell."""
    with pytest.raises(InvalidRows, match=r"#/rows/1/n0: expected a date such as 2024-05-31, got \"13/13/2024\""):
        RowEncoder(dated(written="day_first")).encode([{"n0": 19844, "n1": 1}, {"n0": "13/13/2024", "n1": 1}])


def test_a_date_is_shown_as_a_date():
    """In explanations and on curves."""
    assert shown_number(dated().features[0], np.float32(19844.5)) == "2024-05-01T12:00"


def test_every_kind_has_a_reader():
    """And a way of writing is only asked of the kinds that have one."""
    assert numeric_coercion("number", "decimal_comma")("1,5") == 1.5
    assert numeric_coercion("date", "month_first")("5/1/2024") == 19844
    assert numeric_coercion("integer")("15") == 15


def test_a_card_of_the_first_format_is_still_read():
    """Cards of earlier releases stand in databases and bundles; they know nothing of dates."""
    old = dated().model_dump(mode="json") | {"contract_version": 1}
    for feature in old["features"]:
        del feature["written"]
    old["features"][0]["kind"] = "number"

    card = Card.model_validate(old)

    assert card.features[0].written is None
    assert len(RowEncoder(card).encode([{"n0": 1.5, "n1": 2}]).numeric) == 1
