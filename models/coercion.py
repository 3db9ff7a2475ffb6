"""The one table by which every door reads a cell: JSON, CSV, query strings, webhooks and training alike.

| kind | accepted | refused |
|---|---|---|
| number | int, float, bool, numeric text ("12", " 12.0 ", "1e3", "007") | other text, infinity, beyond float32 |
| integer | as number, if whole (12.0 is 12) | 12.5 |
| boolean | true, false, 1, 0, "true", "false", "yes", "no", "1", "0" in any case | everything else |
| date | "2024-05-31", "2024/5/31", with a time and an offset if need be; a number as days since 1970-01-01 | other text, years beyond 1 to 9999 |
| category | text without its outer blanks ("007" stays), 12 and 12.0 as "12", true as "true" | lists, objects, infinity |

None, NaN and the words in `MISSING_WORDS` mean missing for every kind: NaN in the numeric tensor, "" in the text tensor.
Where the training data wrote numbers or dates in another way, the card says so (`Written`) and texts are read that way.
Standard library only, so that anything may import it. A refused cell raises `CoercionError` with the reason.
"""

import math
import re
import struct
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Literal

from models.dates import EARLIEST, LATEST, day_number
from models.errors import CoercionError

Written = Literal["decimal_comma", "thousands_comma", "day_first", "month_first"]
"""Ways to write numbers and dates that can be told from a whole column only."""

MISSING_WORDS = frozenset({"", "na", "n/a", "#na", "#n/a", "<na>", "nan", "-nan", "nat", "null", "none", "?"})
"""Texts that mean "no value", compared without outer blanks and in lower case, in training and in serving."""

FLOAT32_MAX = 3.4028234663852886e38
"""The largest number that the packed tensor can hold."""

LONGEST_MISSING_WORD = max(map(len, MISSING_WORDS))
_SHOWN_CHARACTERS = 40
_WHOLE_AS_TEXT_LIMIT = 1e15  # beyond it a float no longer names one whole number
_GROUPED = {
    "decimal_comma": (re.compile(r"[+-]?(?:\d+|\d{1,3}(?:\.\d{3})+)(?:,\d+)?", re.ASCII), ".", ","),
    "thousands_comma": (re.compile(r"[+-]?(?:\d+|\d{1,3}(?:,\d{3})+)(?:\.\d+)?", re.ASCII), ",", "."),
}  # the pattern, the mark between thousands, the mark before decimals
NUMBERS_WRITTEN = frozenset(_GROUPED)
"""The ways of writing that numbers have; the others are those of dates."""

_BOOLEAN_WORDS = {"true": 1.0, "yes": 1.0, "false": 0.0, "no": 0.0}


def is_missing_text(text: str) -> bool:
    """Tell whether a text means "no value"."""
    stripped = text.strip()
    return len(stripped) <= LONGEST_MISSING_WORD and stripped.lower() in MISSING_WORDS


def coerce_number(value: object) -> float:
    """Read a number; NaN is missing."""
    return _number(value, "a number")


def coerce_integer(value: object) -> float:
    """Read a whole number as a float; NaN is missing."""
    number = _number(value, "a whole number")
    if number.is_integer() or math.isnan(number):
        return number
    raise CoercionError(f"expected a whole number, got {_shown(value)}")


def coerce_boolean(value: object) -> float:
    """Read a truth value as 1.0 or 0.0; NaN is missing."""
    if isinstance(value, str):
        word = _BOOLEAN_WORDS.get(value.strip().lower())
        if word is not None:
            return word
    number = _number(value, "true or false")
    if number in {0.0, 1.0} or math.isnan(number):
        return number
    raise CoercionError(f"expected true or false, got {_shown(value)}")


def coerce_written_number(value: object, written: str) -> float:
    """Read a number as its column writes it: 1.234,5 with `decimal_comma`, 1,234.5 with `thousands_comma`."""
    if isinstance(value, str):
        pattern, between, decimal = _GROUPED[written]
        text = value.strip()
        if pattern.fullmatch(text):
            value = text.replace(between, "").replace(decimal, ".")
    return coerce_number(value)


def coerce_date(value: object, written: str | None = None) -> float:
    """Read a date as days since 1970-01-01; NaN is missing."""
    if isinstance(value, str):
        if is_missing_text(value):
            return math.nan
        try:
            return day_number(value, written)
        except ValueError:
            raise CoercionError(f"expected a date such as 2024-05-31, got {_shown(value)}") from None
    number = math.nan if isinstance(value, bool) else _number(value, "a date such as 2024-05-31")
    if isinstance(value, bool) or not (math.isnan(number) or EARLIEST <= number < LATEST + 1):
        raise CoercionError(f"expected a date such as 2024-05-31 or the days since 1970-01-01, got {_shown(value)}")
    return number


def coerce_category(value: object) -> str:
    """Read a category as text; "" is missing."""
    if isinstance(value, str):
        return _category_from_text(value)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if hasattr(type(value), "__index__"):
        return str(int(value))  # type: ignore[call-overload]  # any integer type, numpy's too
    if hasattr(type(value), "__float__"):
        return _category_from_number(float(value), value)  # type: ignore[arg-type]
    raise CoercionError(f"expected text, got {_shown(value)}")


NUMERIC_COERCIONS: Mapping[str, Callable[[object], float]] = {
    "number": coerce_number,
    "integer": coerce_integer,
    "boolean": coerce_boolean,
    "date": coerce_date,
}
"""The kinds that travel in the numeric tensor; `coerce_category` reads the rest."""


def numeric_coercion(kind: str, written: str | None = None) -> Callable[[object], float]:
    """Choose the reader of a column of the numeric tensor by its kind and by how its texts are written."""
    if kind == "date":
        return partial(coerce_date, written=written) if written else coerce_date
    if written and kind == "number":
        return partial(coerce_written_number, written=written)
    return NUMERIC_COERCIONS[kind]


def canonical_row(numbers: Sequence[float], texts: Sequence[str]) -> bytes:
    """Give the bytes that stand for one coerced row: equal exactly when the model sees equal input.

    Numbers are taken at float32 precision, as the model sees them. Missing numbers share one NaN, minus zero is zero, and
    each text is preceded by its length, so no two rows can run into each other.
    """
    numeric = struct.pack(f"<{len(numbers)}f", *[math.nan if number != number else number + 0.0 for number in numbers])  # noqa: PLR0124  # NaN is the one number unlike itself
    encoded = [text.encode() for text in texts]
    return b"".join([numeric, *[struct.pack("<I", len(text)) + text for text in encoded]])


def _number(value: object, wanted: str) -> float:
    if value is None:
        return math.nan
    try:
        if isinstance(value, str):
            number = number_from_text(value)
        elif hasattr(type(value), "__float__"):
            number = float(value)  # type: ignore[arg-type]  # bool, int, Decimal and numpy's numbers
        else:
            raise CoercionError(f"expected {wanted}, got {_shown(value)}")
    except OverflowError:
        number = math.inf
    except (TypeError, ValueError):
        raise CoercionError(f"expected {wanted}, got {_shown(value)}") from None
    if abs(number) > FLOAT32_MAX:
        raise CoercionError(f"expected {wanted} below 3.4e38 in size, got {_shown(value)}")
    return number


def number_from_text(text: str) -> float:
    """Read a text as a number, however large. Raises ValueError: without a sentence, for whoever tries very many texts."""
    try:
        number = float(text)
    except ValueError:
        if is_missing_text(text):
            return math.nan
        raise
    if "_" in text:  # Python's float reads 1_000; no other door does
        raise ValueError
    return number


def _category_from_text(text: str) -> str:
    if is_missing_text(text):
        return ""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise CoercionError("expected text, got half of a surrogate pair") from None
    return text.strip()


def _category_from_number(number: float, value: object) -> str:
    if math.isnan(number):
        return ""
    if math.isinf(number):
        raise CoercionError("expected text or a finite number, got infinity")
    if number.is_integer() and abs(number) < _WHOLE_AS_TEXT_LIMIT:
        return str(int(number))
    return repr(number) if isinstance(value, float) else str(value)


def _shown(value: object) -> str:
    """Show a refused cell in few characters."""
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, (list, tuple)):
        return "a list"
    if isinstance(value, bool):
        return "true" if value else "false"
    try:
        text = f'"{value}"' if isinstance(value, str) else str(value)
    except ValueError:  # an int of more digits than Python prints
        return "a number of thousands of digits"
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[: _SHOWN_CHARACTERS - 1]}…"
