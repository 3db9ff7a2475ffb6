"""How refusals read."""

import pytest

from api._commands.errors import CliError, describe, moved, report


@pytest.mark.parametrize(
    ("pointer", "said"),
    [
        ("#/rows/3/age", "row 4, age: no number"),
        ("#/rows/0", "row 1: no number"),
        ("#/rows/3/a~1b%20c", "row 4, a/b c: no number"),
        ("#/target", "target: no number"),
        ("", "no number"),
    ],
)
def test_describe_says_where_a_pointer_points(pointer, said):
    assert describe(pointer, "no number") == said


def test_moved_counts_on_from_the_rows_before():
    """A batch's pointer names the row of the caller's whole file."""
    assert moved("#/rows/3/age", 1000) == "#/rows/1003/age"
    assert moved("#/target", 1000) == "#/target"


def test_report_shows_ten_fields_and_counts_the_rest(capsys):
    error = CliError("3 rows\ndo not fit", [f"row {number}: bad" for number in range(1, 14)], exit_code=3)

    code = report(error)

    printed = capsys.readouterr()
    assert code == 3
    assert printed.out == ""
    lines = printed.err.splitlines()
    assert lines[0] == "rowcast: 3 rows do not fit"
    assert lines[10] == "  row 10: bad"
    assert lines[11:] == ["  … and 3 more"]
