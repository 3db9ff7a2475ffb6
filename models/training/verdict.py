"""What is said of a column, and the small questions that lead there."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from models.coercion import FLOAT32_MAX, Written, coerce_category, is_missing_text, number_from_text, numeric_coercion
from models.dates import day_number
from models.errors import CoercionError
from models.training.facts import Facts

ColumnType = Literal["number", "integer", "boolean", "category", "date", "text", "id", "constant"]

_TRIED = 5_000  # distinct texts that are tried


class Note(NamedTuple):
    """Something about a column that a careful reader would say."""

    code: str
    detail: str


@dataclass(frozen=True)
class Verdict:
    """What a column is. `reason` says why it is left out; None for a column to learn from."""

    type: ColumnType
    evidence: str
    written: Written | None = None
    reason: str | None = None
    notes: list[Note] = field(default_factory=list)


def without_content(facts: Facts) -> Verdict | None:
    """Give the verdict on a column that says nothing; None if it says something."""
    if not facts.rows:
        return constant("it has no values")
    if facts.distinct == 1 or (facts.numeric == facts.rows and facts.numbers == 1):
        return constant(f"its only value is {shorten(next(iter(facts.counts)))!r}")
    return None


def constant(reason: str) -> Verdict:
    """Leave a column out because it never changes."""
    return Verdict("constant", reason, reason=reason, notes=[Note("constant", reason)])


def odd_cells(count: int, example: str | None, what: str) -> list[Note]:
    """Note that some cells are not what the others are."""
    if not count:
        return []
    such = f" such as {shorten(example)!r}" if example else ""
    return [Note("odd_cells", f"holds {what} but for {count} cells{such}, which count as missing")]


def readable_share(facts: Facts, kind: str, written: str | None, least: float = 0.0) -> float:
    """Tell which share of the cells can be read as a kind, from at most some thousand distinct ones.

    The trial ends with 0.0 as soon as the share cannot be as large as `least`.
    """
    is_read = reader_of(kind, written)
    tried = facts.ranked[:_TRIED]
    total = sum(count for _, count in tried)
    unread = 0
    for text, count in tried:
        if not is_read(text):
            unread += count
            if total - unread < least * total:
                return 0.0
    return (total - unread) / max(total, 1)


def reader_of(kind: str, written: str | None) -> Callable[[str], bool]:
    """Choose who tells whether a cell is of a kind; where most cells are none, a sentence about each would take long."""
    if kind == "number" and written is None:
        return _reads_as_number
    if kind == "date":
        return lambda text: reads_as_date(text, written) or is_missing_text(text)
    read = numeric_coercion(kind, written) if kind != "category" else coerce_category
    return lambda text: reads(read, text)


def reads(read: Callable[[object], object], text: str) -> bool:
    """Tell whether a coercion accepts a cell."""
    try:
        read(text)
    except CoercionError:
        return False
    return True


def _reads_as_number(text: str) -> bool:
    try:
        return not abs(number_from_text(text)) > FLOAT32_MAX
    except ValueError:
        return False


def reads_as_date(text: str, written: str | None) -> bool:
    """Tell whether a cell is a date."""
    try:
        day_number(text, written)
    except ValueError:
        return False
    return True


def shorten(text: str) -> str:
    """Give as much of a cell as a message can show."""
    return text if len(text) <= 40 else f"{text[:39]}…"  # noqa: PLR2004  # as much as a warning can show
