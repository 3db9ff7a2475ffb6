"""The rows of a delimited text, in order, whichever of two readers fits it.

Arrow reads a large text several times as fast; Python's reader reads what is small, in another encoding or doubtful in
its quotes, and words every refusal.
"""

import csv
import gzip
import io
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, cast

from models.errors import DatasetRejected
from models.training.header import check_names
from models.training.scan import DELIMITERS, Scan

if TYPE_CHECKING:
    import pyarrow as pa  # type: ignore[import-untyped]  # it ships no types

CHUNK_ROWS = 20_000

_GZIP = b"\x1f\x8b"
_LARGE = 4_000_000  # bytes: below it Arrow's import costs more than it saves

type Chunk = Sequence[Sequence[str]]
"""Some rows as columns of cells."""


@contextmanager
def opened(file: Path | bytes) -> Iterator[io.BufferedIOBase]:
    """Open a file or bytes, unpacked if they are a gzip file."""
    with ExitStack() as stack:
        stream: io.BufferedIOBase = (
            io.BytesIO(file) if isinstance(file, bytes) else stack.enter_context(file.open("rb"))
        )
        is_packed = stream.read(2) == _GZIP
        stream.seek(0)
        yield stack.enter_context(gzip.GzipFile(fileobj=stream)) if is_packed else stream


class Records:
    """The records of a delimited text; a first column without a name that only counts the rows is left out."""

    def __init__(self, file: Path | bytes, name: str, found: Scan) -> None:
        self._file, self._name = file, name
        self._encoding, self._delimiter = found.encoding, found.delimiter or ","
        self._is_large = found.size >= _LARGE and found.encoding == "utf-8-sig"
        with self._reader() as reader:
            header = check_names(self._header(reader), name)
            self._width = len(header)
            self._first = self._start_of_count(reader) if header[0] == "" else None
        self.names = header if self._first is None else header[1:]

    def chunks(self) -> Iterator[Chunk]:
        """Give the rows in order, as lists of texts. Raises DatasetRejected."""
        if self._is_large:
            yield from ([column.to_pylist() for column in columns] for columns in self.arrays())
        else:
            yield from self._slowly()

    def arrays(self) -> Iterator[list["pa.Array"]]:
        """Give the rows in order, as Arrow's columns. Raises DatasetRejected."""
        from models.training.arrow import pa

        row = 0
        if self._is_large:
            from models.training.plain_csv import NotPlain, plain_columns

            try:
                with opened(self._file) as stream:
                    for columns in plain_columns(stream, self._delimiter, self._width, CHUNK_ROWS):
                        kept = columns if self._first is None else self._uncounted(columns, columns[0].to_pylist(), row)
                        row += len(columns[0])
                        yield kept
                if row:
                    return
            except NotPlain:
                pass
        for chunk in self._slowly(row):
            yield [pa.array(cells, pa.large_string()) for cells in chunk]

    def _slowly(self, row: int = 0) -> Iterator[Chunk]:
        """Give the rows from one on, as Python's reader reads them."""
        skipped = row
        with self._reader() as reader:
            self._header(reader)
            for records in self._checked(reader):
                if skipped < len(records):
                    columns = list(zip(*records[skipped:], strict=True))
                    yield columns if self._first is None else self._uncounted(columns, columns[0], row)
                    row += len(columns[0])
                skipped = max(skipped - len(records), 0)
        if not row:
            raise DatasetRejected(f"{self._name} has column names but no rows: add rows")

    def _uncounted[T](self, columns: Sequence[T], count: Sequence[str], row: int) -> list[T]:
        """Leave out the first column, which has to count the rows."""
        first = (self._first or 0) + row
        if any(cell != str(number) for number, cell in enumerate(count, first)):
            raise self._unnamed()
        return list(columns[1:])

    @contextmanager
    def _reader(self) -> Iterator[Iterator[list[str]]]:
        with (
            opened(self._file) as stream,
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
