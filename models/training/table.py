"""Reads a delimited text file as text: nothing is converted, so leading zeros, ids and odd words reach the profile intact.

Whatever cannot be read for certain is refused with one line that says what to change.
"""

import csv
import gzip
import hashlib
import io
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from models.errors import DatasetRejected

MAX_MEGABYTES = 150
"""The largest table, unpacked. A training machine of 2 GB holds it; more rows seldom move a tabular model."""

MAX_COLUMNS = 1000
DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}

_CHUNK_ROWS = 20_000
_MAX_SHARED = 10_000
_SNIFFED_BYTES = 64_000
_SNIFFED_RECORDS = 50
_FOREIGN = {
    b"PK\x03\x04": "an Excel workbook or zip archive: save the sheet as CSV (UTF-8)",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook: save the sheet as CSV (UTF-8)",
    b"PAR1": "a Parquet file: export it as CSV",
    b"%PDF": "a PDF: export the table as CSV",
    b"\x89PNG": "a picture: export the table as CSV",
    b"SQLite format 3": "an SQLite database: export the table as CSV",
}
_WINDOWS = "cp1252"
_MAX_WINDOWS_SHARE = 0.2  # of the bytes outside ASCII: above it the text is of another script


@dataclass(frozen=True)
class Table:
    """A table of text cells by column, without outer blanks in the names and with the cells as written."""

    name: str
    columns: dict[str, list[str]]
    sha256: str
    warnings: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """Count the rows."""
        return len(next(iter(self.columns.values())))


def read_table(path: Path, *, has_target: bool = True) -> Table:
    """Read a CSV file: comma, semicolon, tab or bar; UTF-8, UTF-16 or Windows-1252; plain or gzip.

    A table that is only to be scored has no target and may consist of one column.

    Raises:
        DatasetRejected: with one line that says what to change.
    """
    content = _content(path)
    return parse_table(content, path.name, has_target=has_target)


def parse_table(content: bytes, name: str, *, has_target: bool = True) -> Table:
    """Read the bytes of a CSV file. Raises DatasetRejected."""
    digest = hashlib.sha256(content).hexdigest()
    content = _unpacked(content, name)
    codec = _codec(content, name)
    delimiter = _sniffed_delimiter(content[:_SNIFFED_BYTES].decode(codec, errors="ignore"), len(content))
    if delimiter is None and has_target:
        raise DatasetRejected(
            f"{name} has one column: it needs a target and at least one feature, separated by commas, semicolons, tabs or bars"
        )
    delimiter = delimiter or ","
    with io.TextIOWrapper(io.BytesIO(content), encoding=codec, newline="") as lines:
        columns = _columns(csv.reader(lines, delimiter=delimiter, strict=True), delimiter, name)
    warnings = ("The file is not UTF-8; it was read as Windows-1252.",) if codec == _WINDOWS else ()
    return Table(Path(name).name, columns, digest, warnings)


def _content(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > MAX_MEGABYTES * 1_000_000:
            raise _too_large(path.name, f"{size / 1e6:.0f} MB")
        return path.read_bytes()
    except OSError as error:
        raise DatasetRejected(f"{path} cannot be read: {error.strerror}") from error


def _too_large(name: str, size: str) -> DatasetRejected:
    return DatasetRejected(
        f"{name} is {size}; the limit is {MAX_MEGABYTES} MB: keep a random sample of its rows or drop columns"
    )


def _unpacked(content: bytes, name: str) -> bytes:
    if content[:2] == b"\x1f\x8b":
        try:
            with gzip.GzipFile(fileobj=io.BytesIO(content)) as packed:
                content = packed.read(MAX_MEGABYTES * 1_000_000 + 1)
        except (OSError, EOFError, zlib.error):
            raise DatasetRejected(f"{name} is a damaged gzip file: pack it again or send the plain CSV") from None
    if len(content) > MAX_MEGABYTES * 1_000_000:
        raise _too_large(name, f"over {MAX_MEGABYTES} MB")
    for magic, what in _FOREIGN.items():
        if content.startswith(magic):
            raise DatasetRejected(f"{name} is {what}")
    return content


def _codec(content: bytes, name: str) -> str:
    """Find the codec that reads the whole file."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        codecs = ["utf-16"]
    elif b"\0" in content:
        line = content[: content.index(b"\0")].count(b"\n") + 1
        raise DatasetRejected(f"{name} holds a NUL byte on line {line}: save it as UTF-8 text without binary content")
    else:
        high = sum(map(content.count, (bytes([byte]) for byte in range(0x80, 0x100)))) if not content.isascii() else 0
        codecs = ["utf-8-sig", _WINDOWS] if high < _MAX_WINDOWS_SHARE * len(content) else ["utf-8-sig"]
    for codec in codecs:
        try:
            text = content.decode(codec)
        except UnicodeDecodeError:
            continue
        if "\0" in text:
            raise DatasetRejected(f"{name} holds a NUL character: save it as UTF-8 text without binary content")
        if not text or text.isspace():
            raise DatasetRejected(f"{name} is empty: it needs a line of column names and at least one row")
        return codec
    raise DatasetRejected(f"{name} is neither UTF-8, UTF-16 nor Windows-1252 text: save it as CSV in UTF-8")


def _sniffed_delimiter(sample: str, size: int) -> str | None:
    """Choose the delimiter that cuts the first records most evenly, then into most columns; None if none cuts them."""
    scores = {}
    for delimiter in DELIMITERS:
        reader = csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter)
        try:
            widths = [len(record) for record in islice(reader, _SNIFFED_RECORDS) if record]
        except csv.Error:
            continue
        if size > _SNIFFED_BYTES and len(widths) > 1:
            widths.pop()  # it may be cut in the middle
        width = widths[0] if widths else 0
        if width > 1:
            scores[delimiter] = (Counter(widths)[width] / len(widths), width)
    return max(scores, key=lambda delimiter: scores[delimiter], default=None)


def _columns(reader: Iterator[list[str]], delimiter: str, name: str) -> dict[str, list[str]]:
    try:
        header = next(record for record in reader if record)
        names = _names(header, name)
        lists: list[list[str]] = [[] for _ in names]
        shared: list[dict[str, str]] = [{} for _ in names]
        for records in _chunks(reader, len(names), delimiter, name):
            for column, known, cells in zip(lists, shared, zip(*records, strict=True), strict=True):
                if len(known) < _MAX_SHARED:  # equal cells share one string
                    column.extend([known.setdefault(cell, cell) for cell in cells])
                else:
                    column.extend(cells)
    except csv.Error as error:
        line = reader.line_num  # type: ignore[attr-defined]  # csv.reader's own count of lines
        raise DatasetRejected(
            f"{name} has broken quoting at line {line} ({error}): double the quotes inside quoted cells"
        ) from None
    if not lists[0]:
        raise DatasetRejected(f"{name} has column names but no rows: add rows")
    if names[0] == "":
        names, lists = _without_index(names, lists, name)
    return dict(zip(names, lists, strict=True))


def _chunks(reader: Iterator[list[str]], width: int, delimiter: str, name: str) -> Iterator[list[list[str]]]:
    line = reader.line_num + 1  # type: ignore[attr-defined]  # csv.reader's own count of lines
    while chunk := list(islice(reader, _CHUNK_ROWS)):
        if records := [record for record in chunk if record]:
            if set(map(len, records)) != {width}:
                raise DatasetRejected(_ragged(chunk, width, delimiter, name, line))
            yield records
        line = reader.line_num + 1  # type: ignore[attr-defined]  # csv.reader's own count of lines


def _ragged(chunk: list[list[str]], width: int, delimiter: str, name: str, line: int) -> str:
    for record in chunk:
        if record and len(record) != width:
            break
        line += 1 + sum(cell.count("\n") for cell in record)
    start = delimiter.join(record)[:60].replace("\n", " ")
    return (
        f"{name} has {len(record)} cells on line {line} but {width} column names (“{start}…”): "
        f"quote cells that hold a {DELIMITERS[delimiter]}, and give every row all its cells"
    )


def _names(header: list[str], name: str) -> list[str]:
    names = [cell.strip() for cell in header]
    if len(names) > MAX_COLUMNS:
        raise DatasetRejected(
            f"{name} has {len(names)} columns; the limit is {MAX_COLUMNS}: drop the ones that cannot matter"
        )
    repeated = [column for column, count in Counter(names).items() if count > 1]
    if repeated and repeated != [""]:
        raise DatasetRejected(f"{name} has more than one column named {repeated[0]!r}: give every column its own name")
    unnamed = [index + 1 for index, column in enumerate(names) if not column]
    if unnamed and unnamed != [1]:
        raise DatasetRejected(
            f"{name} has no name for column {unnamed[-1]}: give every column a name in the first line"
        )
    if sum(map(_is_fraction, names)) * 2 > len(names) or (len(names) > 1 and all(map(_is_fraction, names[:2]))):
        raise DatasetRejected(f"{name} starts with a row of numbers: put a line of column names first")
    return names


def _is_fraction(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return "." in cell


def _without_index(names: list[str], lists: list[list[str]], name: str) -> tuple[list[str], list[list[str]]]:
    """Leave out an unnamed first column that only counts the rows, as data frames write it."""
    first = int(lists[0][0]) if lists[0][0].isdecimal() else -1
    if first in {0, 1} and lists[0] == [str(index) for index in range(first, first + len(lists[0]))]:
        return names[1:], lists[1:]
    raise DatasetRejected(f"{name} has no name for column 1: give every column a name in the first line")
