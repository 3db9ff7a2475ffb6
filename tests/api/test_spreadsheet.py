"""A CSV that somebody opens in a spreadsheet program runs nothing, whoever wrote its cells."""

import csv
from pathlib import Path

import pytest

from api._commands import answer
from api._lib import result_table
from api._lib.spreadsheet import harmless

FORMULAS = [
    "=1+1",
    "+cmd|' /C calc'!A0",
    "-2+3+cmd",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "\uff1d1+1",
    "\uff20x",
    '=HYPERLINK("x")',
]
PLAIN = ["Adelie", "", "-3.5", "+4", "-1e-5", ".5", "3-4", "a=b", "'quoted", -2.5, 4, None, True]


@pytest.mark.parametrize("cell", FORMULAS)
def test_formulas_become_text(cell: str):
    """A spreadsheet program takes what begins with an apostrophe as text."""
    assert harmless(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", PLAIN)
def test_everything_else_stays_as_it_is(cell: object):
    """Numbers, negative ones too, are what people compute with."""
    assert harmless(cell) == cell


def test_every_file_of_predictions_is_written_that_way(tmp_path: Path):
    """Column names, the cells that came with the rows, and labels, which whoever trained the model chose."""
    rows = [{"=name": "=cell", "mass": -3.5}]
    made = {"predictions": [{"label": "=label", "probabilities": {"=label": 1.0}}]}

    answer.write(tmp_path / "out.csv", rows, made)
    batch = result_table.write_lines([["=name", "mass"], ["=cell", -3.5]])

    written = [cell for line in csv.reader((tmp_path / "out.csv").read_text().splitlines()) for cell in line]
    assert {"'=name", "'=cell", "'=label", "-3.5"} <= set(written)
    assert not [cell for cell in written if cell.startswith("=")]
    assert batch == b"'=name,mass\n'=cell,-3.5\n"
