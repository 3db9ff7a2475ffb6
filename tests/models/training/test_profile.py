"""What each column is taken for, and why some are left out."""

import math

import numpy as np
import pytest

from models.errors import DatasetRejected
from models.training.profile import MAX_CATEGORIES, profile_columns


def profile(**columns):
    return profile_columns({name: [str(cell) for cell in cells] for name, cells in columns.items()})


def only(cells):
    profiled = profile(x=cells, other=[index % 7 for index in range(len(cells))])
    return next((column for column in profiled.columns if column.name == "x"), profiled.left_out.get("x"))


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        ([1, 2, 3, 2, 1], "integer"),
        (["-1", " 2", "+3", "NA", "2"], "integer"),
        ([1.5, 2, 3, "", 2], "number"),
        (["1.0", "2.0", "3.0", "2.0", "1.0"], "number"),
        (["1e3", "2.5E-1", ".5", "7", "8"], "number"),
        (["true", "FALSE", "true", "", "false"], "boolean"),
        (["yes", "no", "Yes", "no", "yes"], "boolean"),
        ([0, 1, 1, 0, 1], "integer"),
        (["a", "b", "a", "b", "c"], "category"),
        (["007", "012", "007", "100", "012"], "category"),
        (["1", "2", "a", "1", "2"], "category"),
        (["1.2.3", "1.2", "1.2.3", "1.2", "1.2"], "category"),
        (["inf", "1", "2", "1", "2"], "category"),
        (["2026-05-01", "2026-05-02 10:00", "", "2026/05/03", "1.2.2026"], "date"),
        (["31/12/2026", "1/2/2026", "2/2/2026"], "date"),
        (["3,14", "2,5", "1.000,25", "7", ""], "number"),
        (["1,234.5", "2,000", "999", "1,234,567"], "number"),
    ],
    ids=str,
)
def test_kind(cells, kind):
    """The kind is told from all cells; missing ones say nothing."""
    assert only(cells).kind == kind


def test_leading_zeros_are_kept():
    """007 is a code, not seven."""
    assert only(["007", "012", "007"] * 5).content.tolist()[:2] == ["007", "012"]


def test_numbers_keep_their_missing_cells():
    """Every missing word is NaN."""
    column = only(["1.5", "NA", " ? ", "null", "2"])

    assert [math.isnan(cell) for cell in column.content] == [False, True, True, True, False]
    assert column.missing == 3


def test_categories_lose_their_outer_blanks():
    """A blank in front or behind makes no other value, as when a row is predicted."""
    assert only([" a", "a", "b ", "b", "NA"]).content.tolist() == ["a", "a", "b", "b", ""]


def test_a_few_odd_words_in_a_column_of_numbers_count_as_missing():
    """Two bad cells in a hundred do not turn a measurement into a category, and are named."""
    column = only([*range(100, 198), "broken", "sensor off"])

    assert column.kind == "integer"
    assert column.missing == 2
    assert "2 cells such as 'broken'" in column.warning


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        (["", "NA", "?"] * 5, "no values"),
        (["a", "a", ""] * 5, "its only value is 'a'"),
        (["1", "1.0", "1"] * 5, "its only value is '1'"),
        ([index + 10 for index in range(30)], "it counts the rows"),
        ([f"user {index}" for index in range(30)], "ids or free text"),
        ([f"{1 + index % 12}/{1 + index % 9}/2026" for index in range(30)], "whether the day or the month"),
        ([f"{index + 1},{index + 100}" for index in range(30)], "decimals or for thousands"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_columns_that_teach_nothing_are_left_out(cells, reason):
    """Empty, constant, counting, free-text and ambiguous columns are left out with the reason."""
    assert reason in only(cells)


@pytest.mark.parametrize("name", ["id", "user_id", "PassengerId", "row id", "uuid", "Unnamed: 0"])
def test_ids_are_left_out_by_name_and_content(name):
    """A number of its own in every row, named like an id."""
    profiled = profile_columns({name: [str(7 * index**2) for index in range(30)], "x": ["a", "b", "c"] * 10})

    assert "an id" in profiled.left_out[name]
    assert name in profiled.warnings[0]


@pytest.mark.parametrize("name", ["price", "paid", "grid"])
def test_measurements_that_differ_in_every_row_are_kept(name):
    """Not every unique number is an id."""
    profiled = profile_columns({name: [str(7 * index**2) for index in range(30)]})

    assert profiled.columns[0].name == name


def test_many_valued_categories_are_kept_while_the_common_values_cover_most_rows():
    """A long tail is no reason to lose a column."""
    common = [f"shop {index % 150}" for index in range(5000)]

    assert only([*common, *(f"rare {index}" for index in range(400))]).distinct > MAX_CATEGORIES


def test_dropped_columns_are_left_out_without_a_warning():
    """What the analyst asked for needs no telling."""
    profiled = profile_columns({"a": ["1", "2"] * 5, "b": ["x", "y"] * 5}, drop=["a"])

    assert list(profiled.left_out) == ["a"]
    assert profiled.warnings == []


def test_a_table_without_a_useful_column_is_refused():
    """The reasons are named."""
    with pytest.raises(DatasetRejected, match=r"no column is left to learn from .*a: its only value is"):
        profile_columns({"a": ["1"] * 9, "b": [""] * 9})


def test_the_summary_is_json_able():
    """Facts for people: kept and left out columns."""
    summary = profile(x=[1, 2, 3] * 5, y=[""] * 15).summary()

    assert summary[0] == {
        "name": "x",
        "kind": "integer",
        "evidence": "whole numbers throughout",
        "missing": 0,
        "distinct": 3,
    }
    assert summary[1]["kind"] is None


def test_half_a_surrogate_pair_counts_as_missing():
    """What cannot be stored in a model is not learned from."""
    assert only(["a", "b", "\ud800", "a", "b"]).content.tolist()[2] == ""


def test_content_has_one_cell_per_row():
    """Order and length are those of the table."""
    cells = np.random.default_rng(0).integers(0, 50, 200)

    assert only(cells.tolist()).content.tolist() == cells.tolist()


def test_how_dates_and_numbers_are_written_is_told_from_the_column():
    """One cell that can be read in one way only decides for all."""
    day_first = only(["31/12/2026", "1/2/2026", "2/2/2026"])
    month_first = only(["12/31/2026", "1/2/2026", "2/2/2026"])
    decimal = only(["1,234", "2,5", "7"])
    thousands = only(["1,234", "2,000.5", "7"])

    assert (day_first.written, month_first.written) == ("day_first", "month_first")
    assert month_first.content[1] - day_first.content[1] == -30
    assert decimal.content.tolist() == [1.234, 2.5, 7]
    assert thousands.content.tolist() == [1234, 2000.5, 7]
    assert "1,234 as 1.234" in decimal.warning


@pytest.mark.parametrize(
    ("correction", "cells", "first"),
    [
        ("category", [1, 2, 3] * 5, "1"),
        ("number", [1, 2, 3] * 5, 1.0),
        ("integer", ["1", "2", "x"] * 5, 1.0),
        ("boolean", [1, 0, 1] * 5, 1.0),
        ("date", ["2026-05-01", "2026-05-02"] * 5, 20574.0),
        ("date:month_first", ["1/2/2026", "2/2/2026"] * 5, 20455.0),
        ("number:thousands_comma", ["1,234", "2,345"] * 5, 1234.0),
    ],
)
def test_a_person_may_say_what_a_column_is(correction, cells, first):
    """The correction wins over what the file alone says."""
    texts = {"x": [str(cell) for cell in cells], "other": ["a", "b"] * (len(cells) // 2) + ["a"] * (len(cells) % 2)}

    column = profile_columns(texts, types={"x": correction}).columns[0]

    assert column.kind == correction.partition(":")[0]
    assert column.content[0] == first


@pytest.mark.parametrize("correction", ["text", "id"])
def test_a_person_may_say_that_a_column_is_of_no_use(correction):
    """Marked as an id or as free text, it is left out."""
    profiled = profile_columns({"x": ["1", "2"] * 9, "z": ["1", "2"] * 9}, types={"x": correction})

    assert "you marked it" in profiled.left_out["x"]


@pytest.mark.parametrize(
    ("correction", "reason"),
    [("number", "100% of its cells are none, such as 'a'"), ("float", "must be one of number")],
)
def test_a_correction_that_cannot_be_is_refused(correction, reason):
    """With a cell that shows why."""
    with pytest.raises(DatasetRejected, match=reason):
        profile_columns({"x": ["a", "b"] * 9}, types={"x": correction})
