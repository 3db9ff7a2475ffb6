"""A file as a stream of text cells: its bytes are looked at once, then read in chunks, however large it is.

Nothing is converted, so leading zeros, ids and odd words reach whoever judges them intact. Whatever cannot be read for
certain is refused with one line that says what to change.
"""

import gzip
import hashlib
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from models.errors import DatasetRejected
from models.training.header import check_names
from models.training.records import CHUNK_ROWS, Chunk, Records, opened
from models.training.scan import WINDOWS, Scan, scan, too_large

if TYPE_CHECKING:
    import pyarrow as pa  # type: ignore[import-untyped]  # it ships no types

MAX_MEGABYTES = 2_000
"""The largest file, unpacked."""

_PARQUET = b"PAR1"


@dataclass(frozen=True)
class Source:
    """A table that can be read any number of times: `chunks()` and `arrays()` start from its first row.

    Both give the same cells, as lists of texts or as Arrow's columns of texts.
    """

    name: str
    format: str
    sha256: str
    size: int
    names: list[str]
    chunks: Callable[[], Iterator[Chunk]]
    arrays: Callable[[], Iterator[list["pa.Array"]]]
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
        with opened(file) as stream:
            if stream.read(len(_PARQUET)) == _PARQUET:
                return _parquet(file, name)
        with opened(file) as stream:
            found = scan(stream, name, MAX_MEGABYTES)
        return _delimited(file, name, found, has_target=has_target)
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise DatasetRejected(f"{name} is a damaged gzip file: pack it again or send the plain CSV") from None
    except OSError as error:
        raise DatasetRejected(f"{name} cannot be read: {error.strerror}") from error


def _digest(file: Path | bytes) -> str:
    if isinstance(file, bytes):
        return hashlib.sha256(file).hexdigest()
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _parquet(file: Path | bytes, name: str) -> Source:
    from models.training.parquet import open_parquet  # pyarrow is needed for nothing else here

    digest = _digest(file)
    with opened(file) as stream:
        if isinstance(stream, gzip.GzipFile):
            content = stream.read(MAX_MEGABYTES * 1_000_000 + 1)
            if len(content) > MAX_MEGABYTES * 1_000_000:
                raise too_large(name, f"over {MAX_MEGABYTES} MB", MAX_MEGABYTES)
            file = content
    size, names, arrays = open_parquet(file, name, CHUNK_ROWS)

    def chunks() -> Iterator[Chunk]:
        return ([column.to_pylist() for column in columns] for columns in arrays())

    return Source(Path(name).name, "parquet", digest, size, check_names(names, name), chunks, arrays)


def _delimited(file: Path | bytes, name: str, found: Scan, *, has_target: bool) -> Source:
    if found.delimiter is None and has_target:
        raise DatasetRejected(
            f"{name} has one column: it needs a target and at least one feature, separated by commas, semicolons, tabs or bars"
        )
    records = Records(file, name, found)
    kind = "tsv" if found.delimiter == "\t" else "csv"
    digest = _digest(file)
    return Source(
        Path(name).name, kind, digest, found.size, records.names, records.chunks, records.arrays, found.encoding
    )
