"""Rows by feature name → the two packed tensors that a model file reads.

A row whose cells are all of the expected type takes a short way (one C call packs its numbers, one dictionary look-up per
text); any other row is read cell by cell through the coercion table, which also says what is odd about it. One row alone,
which is what most requests bring, is judged without numpy, whose every call costs as much as five cells. All ways give the
same tensors.
"""

import math
import struct
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from operator import ge, itemgetter, le
from typing import Any, NamedTuple
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from models.cells import Notes, NumericCell, TextCell, read_cells, suggestion
from models.coercion import canonical_row
from models.contract import Card
from models.errors import MAX_REPORTED, FieldError, InvalidRows

_EXACT_INTEGERS = 2**53
_FEW_ROWS = 4  # read faster as rows: a column costs about a microsecond, however short it is
_POINTER_SAFE = "!$&'()*+,;=:@~"

Pointer = Callable[[int, str], str]
Column = Sequence[object] | NDArray[Any]


class Encoded(NamedTuple):
    """Rows as tensors, and what is odd about them (at most 100 warnings)."""

    numeric: NDArray[np.float32]  # [N, F]
    text: NDArray[np.object_]  # [N, C]
    warnings: tuple[FieldError, ...]

    def canonical(self, row: int) -> bytes:
        """Give the bytes that stand for one row in cache keys."""
        return canonical_row(self.numeric[row].tolist(), self.text[row].tolist())


def row_pointer(row: int, name: str) -> str:
    """Point at one cell of `{"rows": [...]}`."""
    return f"#/rows/{row}/{_escaped(name)}" if name else f"#/rows/{row}"


def column_pointer(row: int, name: str) -> str:
    """Point at one cell of `{"columns": {...}}`."""
    return f"#/columns/{_escaped(name)}/{row}"


class RowEncoder:
    """The reader of rows for one card: built once, without state afterwards, so any thread may use it."""

    def __init__(self, card: Card) -> None:
        numeric = sorted((f for f in card.features if f.kind != "category"), key=lambda feature: feature.position)
        text = sorted((f for f in card.features if f.kind == "category"), key=lambda feature: feature.position)
        self._names = [feature.name for feature in card.features]
        self._required = [feature.name for feature in card.features if feature.required]
        self._readable = frozenset({*self._names, card.target, *card.ignored_columns})
        self._numeric_count, self._text_count, self._width = len(numeric), len(text), len(numeric) + len(text)
        self._numeric_cells = [NumericCell(feature) for feature in numeric]
        self._text_cells = [TextCell(feature) for feature in text]
        self._numbers_of = _picker([feature.name for feature in numeric])
        self._texts_of = _picker([feature.name for feature in text])
        self._known = [cell.plain for cell in self._text_cells]
        self._no_words: NDArray[np.object_] = np.empty((1, 0), dtype=object)
        self._pack = struct.Struct(f"{len(numeric)}d").pack
        self._pack_narrow = struct.Struct(f"{len(numeric)}f").pack
        self._lows = [cell.low for cell in self._numeric_cells]
        self._highs = [cell.high for cell in self._numeric_cells]
        self._lowest, self._highest = np.array(self._lows), np.array(self._highs)
        fractional = np.array([cell.feature.kind in {"number", "date"} for cell in self._numeric_cells], dtype=bool)
        self._fractional = None if fractional.all() else fractional
        self._wholes = np.flatnonzero(~fractional).tolist()
        self._optional = np.array([cell.feature.missing_share > 0 for cell in self._numeric_cells], dtype=bool)

    def encode(self, rows: Sequence[Mapping[str, object]], pointer: Pointer = row_pointer) -> Encoded:
        """Read rows. Raises InvalidRows with up to 100 places and reasons."""
        if len(rows) == 1:
            return self._encode_ordinary(rows[0]) or self._encode_odd(rows[0], pointer)
        pack, numbers_of, texts_of = self._pack, self._numbers_of, self._texts_of
        known, width, readable = self._known, self._width, self._readable
        packed: list[bytes] = []
        texts: list[list[str]] = []
        odd: list[int] = []
        for index, row in enumerate(rows):
            try:
                numbers = pack(*numbers_of(row))
                words = [plain[value] for plain, value in zip(known, texts_of(row), strict=True)]
                if len(row) != width and not row.keys() <= readable:
                    odd.append(index)
            except (KeyError, TypeError, struct.error, OverflowError):
                numbers, words = b"\0" * (8 * self._numeric_count), [""] * self._text_count
                odd.append(index)
            packed.append(numbers)
            texts.append(words)
        wide = np.frombuffer(b"".join(packed)).reshape(len(packed), self._numeric_count)
        odd_rows = self._with_odd_numbers(wide, odd)
        if not odd_rows:
            return Encoded(wide.astype(np.float32), self._as_text(texts), ())
        return self._with_careful_rows(rows.__getitem__, wide.copy(), self._as_text(texts), odd_rows, pointer)

    def _encode_ordinary(self, row: Mapping[str, object]) -> Encoded | None:
        """Read a row whose cells are all of the expected type and in the training range; None if they are not."""
        try:
            numbers = self._numbers_of(row)
            words = [plain[value] for plain, value in zip(self._known, self._texts_of(row), strict=True)]
            if len(row) != self._width and not row.keys() <= self._readable:
                return None
            # None and texts cannot be compared with numbers, NaN is never inside.
            if not all(map(le, self._lows, numbers)) or not all(map(ge, self._highs, numbers)):
                return None
            if any(numbers[position] % 1 for position in self._wholes):
                return None
            packed = self._pack_narrow(*numbers)
        except (KeyError, TypeError, struct.error, OverflowError):
            return None
        return self._one(packed, words, ())

    def _encode_odd(self, row: object, pointer: Pointer) -> Encoded:
        """Read a row cell by cell. Raises InvalidRows."""
        errors: list[FieldError] = []
        warnings: list[FieldError] = []
        numbers, words = self._careful(0, row, errors, warnings, pointer)
        if errors:
            raise InvalidRows(errors)
        return self._one(self._pack_narrow(*numbers), words, tuple(warnings[:MAX_REPORTED]))

    def _one(self, packed: bytes, words: list[str], warnings: tuple[FieldError, ...]) -> Encoded:
        numeric: NDArray[np.float32] = np.ndarray((1, self._numeric_count), np.float32, packed)
        return Encoded(numeric, np.array([words], dtype=object) if words else self._no_words, warnings)

    def encode_columns(self, columns: Mapping[str, Column]) -> Encoded:
        """Read columns of equal length, lists or flat arrays of numbers, without making rows of ordinary cells.

        Raises:
            InvalidRows: a fault of a whole column is reported once.
        """
        count = self._check_columns(columns)

        def row_at(index: int) -> Mapping[str, object]:
            return {
                name: values[index].item() if isinstance(values, np.ndarray) else values[index]
                for name, values in columns.items()
            }

        if count <= _FEW_ROWS:
            return self.encode([row_at(index) for index in range(count)], column_pointer)
        odd: set[int] = set()
        wide = np.full((count, self._numeric_count), np.nan)
        text: NDArray[np.object_] = np.full((count, self._text_count), "", dtype=object)
        for numeric in self._numeric_cells:
            if (values := columns.get(numeric.feature.name)) is not None:
                wide[:, numeric.feature.position] = _numbers(values)
        for category in self._text_cells:
            if (values := columns.get(category.feature.name)) is not None:
                text[:, category.feature.position] = _texts(values, category.plain, odd)
        odd_rows = self._with_odd_numbers(wide, sorted(odd))
        if not odd_rows:
            return Encoded(wide.astype(np.float32), text, ())

        return self._with_careful_rows(row_at, wide, text, odd_rows, column_pointer)

    def _check_columns(self, columns: Mapping[str, Column]) -> int:
        """Count the rows that well-formed columns have."""
        errors = [*self._unknown(columns, lambda name: f"#/columns/{_escaped(name)}")]
        errors += [
            FieldError(f"#/columns/{_escaped(name)}", "this column is required")
            for name in self._required
            if name not in columns
        ]
        lists = {name: values for name, values in columns.items() if isinstance(values, (list, tuple, np.ndarray))}
        errors += [
            FieldError(f"#/columns/{_escaped(name)}", "expected a list") for name in columns.keys() - lists.keys()
        ]
        lengths = {len(values) for values in lists.values()}
        if len(lengths) > 1:
            errors.append(
                FieldError("#/columns", f"the columns have different lengths, {min(lengths)} to {max(lengths)}")
            )
        if errors:
            raise InvalidRows(errors)
        return max(lengths, default=0)

    def _with_odd_numbers(self, wide: NDArray[np.float64], odd: list[int]) -> list[int]:
        """Add the rows that hold a number outside the training range, a fraction where whole is due, NaN or infinity."""
        inside = (wide >= self._lowest) & (wide <= self._highest)
        if self._fractional is not None:
            inside &= self._fractional | (wide == np.rint(wide))
        if b"\0" not in inside.tobytes():
            return odd
        inside |= self._optional & np.isnan(wide)
        return sorted({*odd, *np.flatnonzero(~inside.all(axis=1)).tolist()})

    def _with_careful_rows(
        self,
        row_at: Callable[[int], object],
        wide: NDArray[np.float64],
        text: NDArray[np.object_],
        odd: list[int],
        pointer: Pointer,
    ) -> Encoded:
        errors: list[FieldError] = []
        warnings: list[FieldError] = []
        for index in odd:
            wide[index], text[index] = self._careful(index, row_at(index), errors, warnings, pointer)
            if len(errors) >= MAX_REPORTED:
                break
        if errors:
            raise InvalidRows(errors)
        return Encoded(wide.astype(np.float32), text, tuple(warnings[:MAX_REPORTED]))

    def _careful(
        self, index: int, row: object, errors: list[FieldError], warnings: list[FieldError], pointer: Pointer
    ) -> tuple[list[float], list[str]]:
        """Read one row cell by cell, collecting what is wrong and what is odd."""
        if not isinstance(row, Mapping):
            errors.append(FieldError(pointer(index, ""), "expected an object of features"))
            return [0.0] * self._numeric_count, [""] * self._text_count
        if not row.keys() <= self._readable:
            errors += self._unknown(row, lambda name: pointer(index, name), told=len(errors))
        noted = Notes(errors, warnings, lambda name: pointer(index, name))
        return read_cells(self._numeric_cells, row, 0.0, noted), read_cells(self._text_cells, row, "", noted)

    def _unknown(self, given: Mapping[str, object], pointer: Callable[[str], str], told: int = 0) -> list[FieldError]:
        unknown = islice((str(name) for name in given if name not in self._readable), MAX_REPORTED)
        return [
            FieldError(pointer(name), f"unknown feature{suggestion(name, self._names, told=number)}")
            for number, name in enumerate(unknown, start=told)
        ]

    def _as_text(self, texts: list[list[str]]) -> NDArray[np.object_]:
        array: NDArray[np.object_] = np.empty((len(texts), self._text_count), dtype=object)
        if array.size:
            array[:] = texts
        return array


def _numbers(values: Column) -> NDArray[Any]:
    """Pack a column of numbers, if possible in one C call; null is NaN, and what is no plain number is infinity.

    Infinity is outside every training range, so those rows are read again cell by cell.
    """
    if isinstance(values, np.ndarray):
        return values
    try:
        return np.frombuffer(struct.pack(f"{len(values)}d", *values))
    except (TypeError, struct.error, OverflowError):
        return np.array([_plain_number(value) for value in values])


def _plain_number(value: object) -> float:
    if value is None:
        return math.nan
    if type(value) is float or (type(value) is int and -_EXACT_INTEGERS <= value <= _EXACT_INTEGERS):
        return value
    return math.inf


def _texts(values: Column, plain: Mapping[object, str], odd: set[int]) -> list[str]:
    """Look a column of texts up; rows whose cell needs a second look are noted as odd."""
    texts = []
    for index, value in enumerate(values):
        try:
            texts.append(plain[value])
        except (KeyError, TypeError):
            odd.add(index)
            texts.append("")
    return texts


def _picker(names: list[str]) -> Callable[[Any], tuple[Any, ...]]:
    """Make a function that takes the named cells out of a row, in this order, at C speed."""
    if not names:
        return lambda _row: ()
    if len(names) == 1:
        name = names[0]
        return lambda row: (row[name],)
    return itemgetter(*names)


def _escaped(name: str) -> str:
    """Write a name as one step of a JSON pointer in a URI fragment (RFC 6901, section 6)."""
    return quote(name.replace("~", "~0").replace("/", "~1"), safe=_POINTER_SAFE)
