"""What is known of one column before anybody says what it is."""

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from models.coercion import coerce_category, coerce_number
from models.errors import CoercionError

LEADING_ZERO = re.compile(r"[+-]?0\d+")


@dataclass(frozen=True)
class Facts:
    """A column's cells by their distinct texts, without outer blanks; words for "no value" are counted as missing.

    `counts` holds all of them, or those of a sample of the rows; the other figures are of all rows. `numeric` counts the
    cells that are numbers, and `numbers` how many different ones those are.
    """

    name: str
    rows: int  # with a value
    missing: int
    counts: Counter[str]
    distinct: int
    numeric: int
    numbers: int
    is_whole: bool
    minimum: float
    maximum: float
    leading_zero: str | None
    odd: str | None  # a cell that is no number

    @property
    def missing_share(self) -> float:
        """Share of the rows without a value."""
        return self.missing / max(self.rows + self.missing, 1)


def facts_of(name: str, cells: Mapping[str, int]) -> Facts:
    """Gather the facts of a column from all its cells and how often each stands there."""
    counts: Counter[str] = Counter()
    for cell, count in cells.items():
        counts[cell_text(cell)] += count
    missing = counts.pop("", 0)
    rows = counts.total()
    zero = next((text for text in counts if LEADING_ZERO.fullmatch(text)), None)
    numbers = {} if zero else read_numbers(counts)
    values = set(numbers.values())
    return Facts(
        name=name,
        rows=rows,
        missing=missing,
        counts=counts,
        distinct=len(counts),
        numeric=sum(counts[text] for text in numbers),
        numbers=len(values),
        is_whole=all(map(float.is_integer, values)) and not any("." in text for text in numbers),
        minimum=min(values, default=math.nan),
        maximum=max(values, default=math.nan),
        leading_zero=zero,
        odd=next((text for text in counts if text not in numbers), None),
    )


def cell_text(cell: str) -> str:
    """Give a cell without outer blanks; "" where it says "no value"."""
    try:
        return coerce_category(cell)
    except CoercionError:  # half a surrogate pair cannot be stored in a model
        return ""


def read_numbers(texts: Mapping[str, int]) -> dict[str, float]:
    """Read the texts that are numbers."""
    numbers = {}
    for text in texts:
        try:
            numbers[text] = coerce_number(text)
        except CoercionError:
            continue
    return numbers
