"""What is known of one column before anybody says what it is."""

import math
import re
from collections import Counter
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

from models.coercion import FLOAT32_MAX, coerce_category, number_from_text
from models.errors import CoercionError

LEADING_ZERO = re.compile(r"[+-]?0\d+")

_PLAIN_MARKS = frozenset("0123456789.-e\n")
_ZEROS = re.compile(r"^-?0\d", re.MULTILINE)


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

    @cached_property
    def ranked(self) -> list[tuple[str, int]]:
        """The texts with their counts, the most frequent first."""
        return self.counts.most_common()

    @property
    def missing_share(self) -> float:
        """Share of the rows without a value."""
        return self.missing / max(self.rows + self.missing, 1)


def facts_of(name: str, cells: Mapping[str, int]) -> Facts:
    """Gather the facts of a column from all its cells and how often each stands there."""
    counts = Counter(cells)
    missing = counts.pop("", 0)
    numbers = plain_numbers(counts)
    zero = None
    if len(numbers) < len(counts):
        counts = Counter()
        for cell, count in cells.items():
            counts[cell if cell in numbers else cell_text(cell)] += count
        missing = counts.pop("", 0)
        zero = next((text for text in counts if LEADING_ZERO.fullmatch(text)), None)
        numbers = {} if zero else read_numbers(counts)
    rows = counts.total()
    values = set(numbers.values())
    return Facts(
        name=name,
        rows=rows,
        missing=missing,
        counts=counts,
        distinct=len(counts),
        numeric=rows if len(numbers) == len(counts) else sum(counts[text] for text in numbers),
        numbers=len(values),
        is_whole=all(map(float.is_integer, values)) and not any("." in text for text in numbers),
        minimum=min(values, default=math.nan),
        maximum=max(values, default=math.nan),
        leading_zero=zero,
        odd=next((text for text in counts if text not in numbers), None) if len(numbers) < len(counts) else None,
    )


def cell_text(cell: str) -> str:
    """Give a cell without outer blanks; "" where it says "no value"."""
    try:
        return coerce_category(cell)
    except CoercionError:  # half a surrogate pair cannot be stored in a model
        return ""


def plain_numbers(cells: Collection[str]) -> dict[str, float]:
    """Read the cells if all of them are nothing but numbers, many times as fast as the coercion table does, which agrees."""
    joined = "\n".join(cells)
    if _PLAIN_MARKS.issuperset(joined) and joined.count("\n") < len(cells) and not _ZEROS.search(joined):
        with suppress(ValueError):  # dates are made of the same marks
            numbers = dict(zip(cells, map(float, cells), strict=True))
            if max(map(abs, numbers.values()), default=0.0) <= FLOAT32_MAX:
                return numbers
    return {}


def read_numbers(texts: Mapping[str, int]) -> dict[str, float]:
    """Read the texts that are numbers."""
    numbers = {}
    for text in texts:
        try:
            number = number_from_text(text)
        except ValueError:
            continue
        if not abs(number) > FLOAT32_MAX:
            numbers[text] = number
    return numbers
