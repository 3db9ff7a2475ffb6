"""The quick way through a CSV file: blocks of whole records for Arrow, as long as nothing about them is doubtful.

Arrow forgives what Python's strict reader refuses: text behind a closing quote, say. So a block is looked at first, and
whoever asked is told (`NotPlain`) to go on in the slow way where the two could read it differently.
"""

import csv
import io
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from models.training.arrow import pa, pa_csv, pc

_BLOCK = 4 << 20
_LONGEST = 16 << 20  # of a block that ends within a record
_MARK = b"\xef\xbb\xbf"
_QUOTE = ord('"')


class NotPlain(Exception):
    """Something in the text might be read in another way by Python's reader."""


def plain_columns(stream: io.BufferedIOBase, delimiter: str, width: int, rows: int) -> Iterator[list[pa.Array]]:
    """Give the columns of so many rows at a time of a UTF-8 text, without its first record.

    Raises:
        NotPlain: the rows after those that were given need another reader.
    """
    waiting: list[pa.Table] = []
    count = 0
    for block in _blocks(stream, delimiter):
        waiting.append(_parsed(block, delimiter, width))
        count += waiting[-1].num_rows
        if count >= rows:
            whole = pa.concat_tables(waiting)
            for start in range(0, count - rows + 1, rows):
                yield _arrays(whole.slice(start, rows))
            waiting, count = [whole.slice(count - count % rows)], count % rows
    if count:
        yield _arrays(pa.concat_tables(waiting))


def _arrays(table: pa.Table) -> list[pa.Array]:
    return [pa.concat_arrays(column.chunks) for column in table.columns]


def _parsed(block: bytes, delimiter: str, width: int) -> pa.Table:
    names = [str(index) for index in range(width)]
    try:
        table = pa_csv.read_csv(
            pa.BufferReader(block),
            read_options=pa_csv.ReadOptions(use_threads=False, block_size=len(block) + 1, column_names=names),
            parse_options=pa_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            convert_options=pa_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.large_string())),
        )
    except pa.ArrowInvalid:
        raise NotPlain from None
    if any((pc.max(pc.binary_length(column)).as_py() or 0) > csv.field_size_limit() for column in table.columns):
        raise NotPlain
    return table


def _blocks(stream: io.BufferedIOBase, delimiter: str) -> Iterator[bytes]:
    """Cut a text behind records. Raises NotPlain."""
    rest, is_last = _behind_header(stream, delimiter), False
    while not is_last:
        read = stream.read(_BLOCK)
        is_last = not read
        text = rest + read
        if is_last and text and not text.endswith(b"\n"):
            text += b"\n"
        quotes = np.flatnonzero(np.frombuffer(text, dtype=np.uint8) == _QUOTE)
        end = _end_of_records(text, quotes)
        block, rest = text[:end], text[end:]
        if len(rest) > _LONGEST or (is_last and rest):
            raise NotPlain
        if block:
            _check(block, quotes[: np.searchsorted(quotes, end)], delimiter)
            yield block


def _behind_header(stream: io.BufferedIOBase, delimiter: str) -> bytes:
    """Give what was read behind the first record. Raises NotPlain."""
    text = stream.read(_BLOCK).removeprefix(_MARK).lstrip(b"\r\n")
    end = text.find(b"\n") + 1
    while end and text.count(b'"', 0, end) % 2:
        end = text.find(b"\n", end) + 1
    if not end:
        raise NotPlain
    header = text[:end]
    _check(header, np.flatnonzero(np.frombuffer(header, dtype=np.uint8) == _QUOTE), delimiter)
    return text[end:]


def _end_of_records(text: bytes, quotes: NDArray[np.intp]) -> int:
    """Tell where the last whole record ends; 0 where none does."""
    end = text.rfind(b"\n") + 1
    while end and (before := int(np.searchsorted(quotes, end))) % 2:
        end = text.rfind(b"\n", 0, int(quotes[before - 1])) + 1
    return end


def _check(block: bytes, quotes: NDArray[np.intp], delimiter: str) -> None:
    """See that quotes stand around cells only, and that one kind of line end is meant. Raises NotPlain."""
    if block.startswith(_MARK) or block.count(b"\r") != block.count(b"\r\n"):
        raise NotPlain
    if not len(quotes):
        return
    around = np.frombuffer(b"\n" + block, dtype=np.uint8)  # a byte further, so that there is one before the first
    neighbours = np.frombuffer(f'{delimiter}\n\r"'.encode(), dtype=np.uint8)  # a doubled quote closes and opens again
    opens, closes = quotes[0::2], quotes[1::2]
    if not (np.isin(around[opens], neighbours).all() and np.isin(around[closes + 2], neighbours).all()):
        raise NotPlain
