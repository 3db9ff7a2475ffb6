"""What can be told about a table before it is sent. Reads a little of it, decides nothing: profile and training judge the rest."""

import csv
import io
import re
import zlib
from dataclasses import dataclass
from pathlib import PurePath

import pandas as pd
import pyarrow as pa
from pyarrow import parquet

PREVIEW_ROWS = 200
MAX_BYTES = 50 * 1024 * 1024
ENDINGS = ("csv", "tsv", "txt", "parquet", "gz")
_SAMPLE_BYTES = 256 * 1024
_GZIP = b"\x1f\x8b"
_WITH_HEADER = 31
"""What zlib calls a gzip stream of any window."""


class NotATable(Exception):
    """The file cannot be used; the message says what to change."""


@dataclass(frozen=True)
class Preview:
    """The first rows of a file, everything as text."""

    columns: list[str]
    rows: pd.DataFrame


def preview(content: bytes) -> Preview:
    """Read the head of a CSV, TSV or Parquet file, plain or packed with gzip. What it is, is told by its bytes.

    Raises:
        NotATable: it is empty, too large, no table, or has fewer than two columns.
    """
    if not content.strip():
        raise NotATable("The file is empty. Choose a table with a header line and at least a few rows.")
    if len(content) > MAX_BYTES:
        raise NotATable(f"The file has {len(content) / 2**20:.0f} MB; at most {MAX_BYTES // 2**20} MB can be uploaded.")
    if content.startswith(b"PAR1"):
        return _checked(*_parquet_head(content))
    head = _unpacked(content) if content.startswith(_GZIP) else content[:_SAMPLE_BYTES]
    if head.startswith(b"PAR1"):
        # Its names stand at its end: packed, they are read by the profile.
        raise NotATable("A Parquet file is packed already. Upload it without gzip.")
    return _checked(*_text_head(head, is_whole=len(head) < _SAMPLE_BYTES))


def _unpacked(content: bytes) -> bytes:
    """Unpack no more than is looked at: a small file may hold a large one."""
    try:
        return zlib.decompressobj(_WITH_HEADER).decompress(content, _SAMPLE_BYTES)
    except zlib.error as error:
        raise NotATable("The gzip file is damaged. Pack it again.") from error


def _parquet_head(content: bytes) -> tuple[list[str], pd.DataFrame]:
    try:
        file = parquet.ParquetFile(io.BytesIO(content))
        batch = next(file.iter_batches(batch_size=PREVIEW_ROWS), None)
        names = list(file.schema_arrow.names)
    except (pa.ArrowException, OSError) as error:
        raise NotATable("The Parquet file is damaged or of a kind that is not read.") from error
    rows = batch.to_pandas().astype("string") if batch is not None else pd.DataFrame(columns=names)
    return names, rows


def _text_head(head: bytes, *, is_whole: bool) -> tuple[list[str], pd.DataFrame]:
    if b"\0" in head:
        raise NotATable("This is not a text file. Save the table as CSV (UTF-8) and upload that.")
    try:
        text = head.decode("utf-8-sig", errors="strict" if is_whole else "ignore")
    except UnicodeDecodeError as error:
        raise NotATable(f"Byte {error.start} is not UTF-8. Save the file as CSV with UTF-8 encoding.") from error
    try:
        lines = list(csv.reader(io.StringIO(text), _dialect(text)))[: PREVIEW_ROWS + 1]
    except csv.Error as error:
        raise NotATable(f"This is not a table: {error}.") from error
    if not lines:
        raise NotATable("The file is empty. Choose a table with a header line and at least a few rows.")
    header, rows = lines[0], [line for line in lines[1:] if len(line) == len(lines[0])]
    return header, pd.DataFrame(rows, columns=range(len(header)))


def _checked(names: list[str], rows: pd.DataFrame) -> Preview:
    if len(names) < 2:  # noqa: PLR2004
        raise NotATable("Only one column was found. Separate columns by commas, semicolons or tabs.")
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise NotATable(f"Two columns are called {repeated[0]!r}. Give each its own name.")
    rows.columns = pd.Index(names)
    return Preview(names, rows)


def _dialect(text: str) -> type[csv.Dialect]:
    try:
        return csv.Sniffer().sniff(text.partition("\n")[0], delimiters=",;\t|")
    except csv.Error:
        return csv.excel


def slug_of(name: str) -> str:
    """Make a model's slug of a file name or a title: lower-case letters, digits and inner dashes."""
    return re.sub(r"[^a-z0-9]+", "-", name.casefold()).strip("-")[:63].rstrip("-")


def is_slug(text: str) -> bool:
    """Tell whether a text can name a model in an address."""
    return re.fullmatch(r"[a-z0-9][a-z0-9-]{0,61}[a-z0-9]", text, re.ASCII) is not None


def name_of(filename: str) -> str:
    """Name what is in a file for people: its name without endings."""
    stem = re.sub(r"(\.(csv|tsv|txt|parquet|gz))+$", "", PurePath(filename).name, flags=re.IGNORECASE)
    return stem.replace("_", " ").replace("-", " ").strip().capitalize()[:120] or "Table"
