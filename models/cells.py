"""One feature of a card as a reader of cells: what a value becomes, and what is odd about it."""

import struct
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import NamedTuple, Protocol

from models.coercion import FLOAT32_MAX, coerce_category, numeric_coercion
from models.contract import Feature
from models.errors import MAX_REPORTED, CoercionError, FieldError

_ABSENT = object()
_MAX_SUGGESTIONS = 10
_REMEMBERED_TEXTS = 1000
_REMEMBERED_CHARACTERS = 100

_PLAIN_TYPES = {
    "number": frozenset({float, int}),
    "date": frozenset({float, int}),
    "integer": frozenset({int}),
}
"""What needs no coercion, by kind, where it is in the training range: the cells beside an odd one, as a rule."""


class NumericCell:
    """One numeric feature: its coercion, and the training range that counts as ordinary."""

    def __init__(self, feature: Feature) -> None:
        self.feature = feature
        self.coerce = numeric_coercion(feature.kind, feature.written)
        low = -FLOAT32_MAX if feature.minimum is None else feature.minimum
        high = FLOAT32_MAX if feature.maximum is None else feature.maximum
        # A caller who works in float32 and sends an end of the range is not outside it.
        self.low, self.high = min(low, _as_float32(low)), max(high, _as_float32(high))
        self._plain = _PLAIN_TYPES.get(feature.kind, frozenset())

    def read(self, row: Mapping[str, object]) -> float:
        """Coerce the row's cell. Raises CoercionError."""
        value = row.get(self.feature.name)
        if type(value) in self._plain and self.low <= value <= self.high:  # type: ignore[operator]  # a number, then
            return float(value)  # type: ignore[arg-type]  # as above
        return self.coerce(_given(row.get(self.feature.name, _ABSENT), self.feature))

    def oddity(self, value: float, *, told: int) -> str | None:  # noqa: ARG002  # a number has no nearest name
        """Say what is odd about a value that was read, or give None."""
        if self.low <= value <= self.high:
            return None
        if value != value:  # noqa: PLR0124  # NaN: missing
            return _missing_oddity(self.feature)
        return f"{value:g} is outside the training range, {self.low:g} to {self.high:g}"


class _AnyText(dict[object, str]):
    """The values of a category whose values nobody has told: every text is one, and is read once."""

    def __missing__(self, value: object) -> str:
        """Read a text. Raises KeyError for whatever needs a second look."""
        if type(value) is not str:
            raise KeyError(value)
        try:
            text = coerce_category(value)
        except CoercionError:
            raise KeyError(value) from None
        if not text:
            raise KeyError(value)
        if len(self) < _REMEMBERED_TEXTS and len(value) <= _REMEMBERED_CHARACTERS:
            self[value] = text
        return text


class TextCell:
    """One category: the values that need no second look, and what is said about the others."""

    def __init__(self, feature: Feature) -> None:
        self.feature = feature
        self.values = frozenset(category.value for category in feature.categories)
        self.is_open = not feature.category_count and not self.values
        self.plain: dict[object, str] = _AnyText() if self.is_open else {value: value for value in self.values}
        if feature.missing_share > 0:
            self.plain |= {None: "", "": ""}

    def read(self, row: Mapping[str, object]) -> str:
        """Coerce the row's cell. Raises CoercionError."""
        return coerce_category(_given(row.get(self.feature.name, _ABSENT), self.feature))

    def oddity(self, value: str, *, told: int) -> str | None:
        """Say what is odd about a value that was read, or give None."""
        if value in self.values or (value and self.is_open):
            return None
        return _unseen_oddity(value, self.feature, told=told) if value else _missing_oddity(self.feature)


class _Cell[T](Protocol):
    feature: Feature

    def read(self, row: Mapping[str, object]) -> T: ...

    def oddity(self, value: T, *, told: int) -> str | None: ...


class Notes(NamedTuple):
    """Where the faults and oddities of one row are written down."""

    errors: list[FieldError]
    warnings: list[FieldError]
    pointer: Callable[[str], str]


def read_cells[T](cells: Sequence[_Cell[T]], row: Mapping[str, object], placeholder: T, notes: Notes) -> list[T]:
    """Read a row's cells; a refused one is noted and leaves the placeholder."""
    values = []
    for cell in cells:
        try:
            value = cell.read(row)
        except CoercionError as error:
            value = placeholder
            notes.errors.append(FieldError(notes.pointer(cell.feature.name), error.detail))
        else:
            # To describe an oddity takes longer than to read a cell: only as many as are told.
            told = len(notes.warnings)
            if told < MAX_REPORTED and (oddity := cell.oddity(value, told=told)):
                notes.warnings.append(FieldError(notes.pointer(cell.feature.name), oddity))
        values.append(value)
    return values


def _as_float32(number: float) -> float:
    rounded: float = struct.unpack("f", struct.pack("f", number))[0]
    return rounded


def _given(value: object, feature: Feature) -> object:
    if value is not _ABSENT:
        return value
    if feature.required:
        raise CoercionError("this feature is required (null says that its value is unknown)")
    return None


def _missing_oddity(feature: Feature) -> str | None:
    return None if feature.missing_share > 0 else "missing, and training never saw this feature missing"


def _unseen_oddity(text: str, feature: Feature, *, told: int) -> str:
    known = [category.value for category in feature.categories]
    if feature.category_count > len(known):
        return f"not among the {len(known)} most frequent values, which are all that the model knows"
    return f"training never saw this value{suggestion(text, known, told=told)}"


def suggestion(name: str, known: Sequence[str], *, told: int) -> str:
    """Name the nearest known name. A hard one takes up to 0.1 s to find, so only the first few faults get one."""
    if told >= _MAX_SUGGESTIONS:
        return ""
    close = get_close_matches(name[:80], known, n=1) or [other for other in known if other.lower() == name.lower()]
    return f"; did you mean {close[0]!r}?" if close else ""
