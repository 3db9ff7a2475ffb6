"""Plain numbers are read fast, and as the coercion table reads them."""

import math

import pytest

from models.coercion import coerce_number
from models.errors import CoercionError
from models.training.facts import cell_text, facts_of, plain_numbers

ODD = [
    "1_000",
    "1,5",
    "2024-05-31",
    "--1",
    "1e",
    "e1",
    "-",
    ".",
    "inf",
    "nan",
    "1e39",
    "0x1",
    "²",
    "\N{ARABIC-INDIC DIGIT ONE}",
    "01.5",
    "1 000",
    "1\n2",
]
BLANK = ["", " 1", "2 ", "\t3", "4\n", "\n5"]
ZEROS = ["007", "-01", "00"]
PLAIN = ["0", "-0", "1", "-12", "3.25", "1e-05", "2e3", "0.1", "-0.5", "1e38"]


def told(cells):
    """Say what the coercion table says of each cell."""
    read = {}
    for cell in cells:
        text = cell_text(cell)
        try:
            number = coerce_number(text)
        except CoercionError:
            continue
        if not math.isnan(number):
            read[text] = number
    return read


@pytest.mark.parametrize("others", [[], ODD, BLANK, ["n/a"], ["1e39"], [*ODD, *BLANK]])
def test_facts_are_those_of_the_coercion_table(others):
    """Whatever stands beside the plain numbers, and sends the column another way."""
    cells = [*PLAIN, *others]
    numbers = told(cells)

    facts = facts_of("x", dict.fromkeys(cells, 2))

    assert facts.numeric == 2 * sum(1 for cell in cells if cell_text(cell) in numbers)
    assert facts.numbers == len(set(numbers.values()))
    assert (facts.minimum, facts.maximum) == (min(numbers.values()), max(numbers.values()))
    assert facts.missing == 2 * sum(1 for cell in cells if not cell_text(cell))
    assert facts.odd == next((text for text in map(cell_text, cells) if text and text not in numbers), None)


@pytest.mark.parametrize("zero", ZEROS)
def test_a_leading_zero_is_seen(zero):
    """It makes a column of codes out of one of numbers."""
    assert facts_of("x", {**dict.fromkeys(PLAIN, 1), zero: 1}).leading_zero == zero


@pytest.mark.parametrize("cell", [*ODD, *BLANK, *ZEROS])
def test_one_cell_that_is_not_certain_sends_all_to_the_coercion_table(cell):
    """Alone or among plain numbers."""
    assert plain_numbers([cell]) == {}
    assert plain_numbers([*PLAIN, cell]) == {}


def test_plain_numbers_are_read():
    """All that a data frame writes."""
    assert plain_numbers(PLAIN) == told(PLAIN)
