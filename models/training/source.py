"""A file as a stream of text cells: its bytes are looked at once, then read in chunks, however large it is.

Nothing is converted, so leading zeros, ids and odd words reach whoever judges them intact. Whatever cannot be read for
certain is refused with one line that says what to change.
"""

import csv
import gzip
import hashlib
import io
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import cast

from models.errors import DatasetRejected
from models.training.scan import DELIMITERS, WINDOWS, Scan, scan, too_large

MAX_MEGABYTES = 2_000
"""The largest file, unpacked."""

MAX_COLUMNS = 1000
CHUNK_ROWS = 20_000

_PARQUET = b"PAR1"
_GZIP = b"\x1f\x8b"

type Chunk = Sequence[Sequence[str]]
"""Some rows as columns of cells."""


@dataclass(frozen=True)
class Source:
    """A table that can be read any number of times: `chunks()` starts from its first row."""

    name: str
    format: str
    sha256: str
    size: int
    names: list[str]
    chunks: Callable[[], Iterator[Chunk]]
    encoding: str = "utf-8"

    @property
    def warnings(self) -> tuple[str, ...]:
        """Say what was odd about the file."""
        return ("The file is not UTF-8; it was read as Windows-1252.",) if self.encoding == WINDOWS else ()


def open_source(file: Path | bytes, name: str, *, has_target: bool = True) -> Source:
    """Look at a file, or at the bytes of one, and tell how it is to be read.

    A table that is only to be scored has no target and may consist of one column.

    Raises:
        DatasetRejected: with one line that says what to change.
    """
    try:
        size = len(file) if isinstance(file, bytes) else file.stat().st_size
        if size > MAX_MEGABYTES * 1_000_000:
            raise too_large(name, f"{size / 1e6:.0f} MB", MAX_MEGABYTES)
        with _opened(file) as stream:
            if stream.read(len(_PARQUET)) == _PARQUET:
                return _parquet(file, name)
        with _opened(file) as stream:
            found = scan(stream, name, MAX_MEGABYTES)
        return _delimited(file, name, found, has_target=has_target)
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise DatasetRejected(f"{name} is a damaged gzip file: pack it again or send the plain CSV") from None
    except OSError as error:
        raise DatasetRejected(f"{name} cannot be read: {error.strerror}") from error


def check_names(header: Sequence[str], name: str) -> list[str]:
    """Give a table's column names without outer blanks. Raises DatasetRejected."""
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


@contextmanager
def _opened(file: Path | bytes) -> Iterator[io.BufferedIOBase]:
    """Open a file or bytes, unpacked if they are a gzip file."""
    with ExitStack() as stack:
        stream: io.BufferedIOBase = (
            io.BytesIO(file) if isinstance(file, bytes) else stack.enter_context(file.open("rb"))
        )
        is_packed = stream.read(2) == _GZIP
        stream.seek(0)
        yield stack.enter_context(gzip.GzipFile(fileobj=stream)) if is_packed else stream


def _digest(file: Path | bytes) -> str:
    if isinstance(file, bytes):
        return hashlib.sha256(file).hexdigest()
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _parquet(file: Path | bytes, name: str) -> Source:
    from models.training.parquet import open_parquet  # pyarrow is needed for nothing else here

    digest = _digest(file)
    with _opened(file) as stream:
        if isinstance(stream, gzip.GzipFile):
            content = stream.read(MAX_MEGABYTES * 1_000_000 + 1)
            if len(content) > MAX_MEGABYTES * 1_000_000:
                raise too_large(name, f"over {MAX_MEGABYTES} MB", MAX_MEGABYTES)
            file = content
    size, names, chunks = open_parquet(file, name, CHUNK_ROWS)
    return Source(Path(name).name, "parquet", digest, size, check_names(names, name), chunks)


def _delimited(file: Path | bytes, name: str, found: Scan, *, has_target: bool) -> Source:
    if found.delimiter is None and has_target:
        raise DatasetRejected(
            f"{name} has one column: it needs a target and at least one feature, separated by commas, semicolons, tabs or bars"
        )
    records = _Records(file, name, found)
    kind = "tsv" if found.delimiter == "\t" else "csv"
    return Source(Path(name).name, kind, _digest(file), found.size, records.names, records.chunks, found.encoding)


class _Records:
    """The records of a delimited text; a first column without a name that only counts the rows is left out."""

    def __init__(self, file: Path | bytes, name: str, found: Scan) -> None:
        self._file, self._name = file, name
        self._encoding, self._delimiter = found.encoding, found.delimiter or ","
        with self._reader() as reader:
            header = check_names(self._header(reader), name)
            self._width = len(header)
            self._first = self._start_of_count(reader) if header[0] == "" else None
        self.names = header if self._first is None else header[1:]

    def chunks(self) -> Iterator[Chunk]:
        """Give the rows in order. Raises DatasetRejected."""
        row = 0
        with self._reader() as reader:
            self._header(reader)
            for records in self._checked(reader):
                columns = list(zip(*records, strict=True))
                if self._first is not None:
                    expected = map(str, range(self._first + row, self._first + row + len(records)))
                    if any(cell != number for cell, number in zip(columns.pop(0), expected, strict=True)):
                        raise self._unnamed()
                row += len(records)
                yield columns
        if not row:
            raise DatasetRejected(f"{self._name} has column names but no rows: add rows")

    @contextmanager
    def _reader(self) -> Iterator[Iterator[list[str]]]:
        with (
            _opened(self._file) as stream,
            io.TextIOWrapper(cast("io.BufferedReader", stream), encoding=self._encoding, newline="") as lines,
        ):
            yield csv.reader(lines, delimiter=self._delimiter, strict=True)

    def _header(self, reader: Iterator[list[str]]) -> list[str]:
        try:
            return next(record for record in reader if record)
        except csv.Error as error:
            raise self._broken(reader, error) from None

    def _checked(self, reader: Iterator[list[str]]) -> Iterator[list[list[str]]]:
        line = _line(reader) + 1
        while True:
            try:
                chunk = list(islice(reader, CHUNK_ROWS))
            except csv.Error as error:
                raise self._broken(reader, error) from None
            if not chunk:
                return
            if records := [record for record in chunk if record]:
                if set(map(len, records)) != {self._width}:
                    raise DatasetRejected(self._ragged(chunk, line))
                yield records
            line = _line(reader) + 1

    def _start_of_count(self, reader: Iterator[list[str]]) -> int | None:
        try:
            record = next((record for record in reader if record), None)
        except csv.Error as error:
            raise self._broken(reader, error) from None
        if record is not None and record[0] not in {"0", "1"}:
            raise self._unnamed()
        return int(record[0]) if record else 0

    def _unnamed(self) -> DatasetRejected:
        return DatasetRejected(f"{self._name} has no name for column 1: give every column a name in the first line")

    def _broken(self, reader: Iterator[list[str]], error: csv.Error) -> DatasetRejected:
        return DatasetRejected(
            f"{self._name} has broken quoting at line {_line(reader)} ({error}): double the quotes inside quoted cells"
        )

    def _ragged(self, chunk: list[list[str]], line: int) -> str:
        for record in chunk:
            if record and len(record) != self._width:
                break
            line += 1 + sum(cell.count("\n") for cell in record)
        start = self._delimiter.join(record)[:60].replace("\n", " ")
        return (
            f"{self._name} has {len(record)} cells on line {line} but {self._width} column names (“{start}…”): "
            f"quote cells that hold a {DELIMITERS[self._delimiter]}, and give every row all its cells"
        )


def _line(reader: Iterator[list[str]]) -> int:
    number: int = reader.line_num  # type: ignore[attr-defined]  # csv.reader's own count of lines
    return number


def _is_fraction(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return "." in cell
