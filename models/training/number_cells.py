"""Whole columns of cells read as numbers at once: by Arrow where it reads as we do, else one by one by the rule of `coercion`."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.coercion import (
    FLOAT32_MAX,
    LONGEST_MISSING_WORD,
    MISSING_WORDS,
    Written,
    coerce_number,
    is_missing_text,
    numeric_coercion,
)
from models.errors import CoercionError
from models.training.arrow import pa, pc
from models.training.facts import cell_text

_BLANKS = "".join(character for character in map(chr, range(0x3001)) if character.isspace())
"""What Python strips: Arrow's own idea of a blank is another one."""

_SPELLINGS = pa.array(
    sorted({spelled for word in MISSING_WORDS for spelled in (word, word.upper(), word.title(), "NaN", "NaT")}),
    pa.large_string(),
)
_PLAIN_NUMBER = r"^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$"


def missing_texts(cells: pa.Array) -> NDArray[np.bool_]:
    """Tell which cells mean "no value"."""
    bare = pc.utf8_trim(cells, characters=_BLANKS)
    short = np.flatnonzero(pc.less_equal(pc.utf8_length(bare), LONGEST_MISSING_WORD).to_numpy(zero_copy_only=False))
    missing = np.zeros(len(cells), dtype=bool)
    if len(short):
        encoded = bare.take(pa.array(short)).dictionary_encode()
        is_missing = np.array([is_missing_text(text) for text in encoded.dictionary.to_pylist()], dtype=bool)
        missing[short] = is_missing[encoded.indices.to_numpy()]
    return missing


def numbers_of(cells: pa.Array) -> NDArray[np.float64]:
    """Read cells: NaN is missing, infinity is no number."""
    given = pc.if_else(pc.is_in(cells, value_set=_SPELLINGS), None, cells)
    numbers = _cast(given)
    if numbers is not None:
        return numbers
    is_plain = pc.match_substring_regex(given, _PLAIN_NUMBER)
    numbers = _cast(pc.if_else(is_plain, given, None))
    if numbers is None:  # of a size that Arrow does not read
        return np.array([_number(cell) for cell in cells.to_pylist()])
    others = np.flatnonzero(pc.invert(is_plain).fill_null(False).to_numpy(zero_copy_only=False))  # Arrow's name for it
    numbers[others] = [_number(cell) for cell in cells.take(pa.array(others)).to_pylist()]
    return numbers


def values_of(texts: Sequence[str], kind: str, written: Written | None) -> NDArray[np.float64]:
    """Read texts as a kind that models take as numbers; NaN is missing, or of another kind."""
    if kind in {"number", "integer"} and written is None:
        numbers = numbers_of(pa.array(texts, pa.large_string()))
        is_odd = np.isinf(numbers) if kind == "number" else numbers != np.floor(numbers)
        return np.where(is_odd | np.isinf(numbers), np.nan, numbers)
    read = numeric_coercion(kind, written)
    values: dict[str, float] = {}
    for text in texts:
        if text not in values:
            try:
                values[text] = read(text)
            except CoercionError:
                values[text] = math.nan
    return np.array([values[text] for text in texts])


def _cast(cells: pa.Array) -> NDArray[np.float64] | None:
    """Read numbers; None where there is more than plain ones. What is missing in Arrow's sense is NaN."""
    try:
        read = cells.cast(pa.float64())
    except pa.ArrowInvalid:
        return None
    numbers: NDArray[np.float64] = read.to_numpy(zero_copy_only=False)
    if int(np.isfinite(numbers).sum()) != len(cells) - cells.null_count:
        return None
    too_large = np.abs(numbers) > FLOAT32_MAX
    return np.where(too_large, np.inf, numbers) if too_large.any() else numbers


def _number(cell: str) -> float:
    text = cell_text(cell)
    if not text:
        return math.nan
    try:
        return coerce_number(text)
    except CoercionError:
        return math.inf
