"""What can be told about an uploaded CSV before it is sent. Reads a little of it, decides nothing: training judges the rest."""

import csv
import io
import re
from dataclasses import dataclass

import pandas as pd

PREVIEW_ROWS = 200
MAX_BYTES = 50 * 1024 * 1024
_SAMPLE_BYTES = 256 * 1024


class NotATable(Exception):
    """The file cannot be used; the message says what to change."""


@dataclass(frozen=True)
class Preview:
    """The first rows of a file, everything as text."""

    columns: list[str]
    rows: pd.DataFrame


def preview(content: bytes) -> Preview:
    """Read the head of a CSV.

    Raises:
        NotATable: it is empty, too large, not text, or has fewer than two columns.
    """
    if not content.strip():
        raise NotATable("The file is empty. Choose a CSV with a header line and at least a few rows.")
    if len(content) > MAX_BYTES:
        raise NotATable(f"The file has {len(content) / 2**20:.0f} MB; at most {MAX_BYTES // 2**20} MB can be uploaded.")
    if b"\0" in content[:_SAMPLE_BYTES]:
        raise NotATable("This is not a text file. Save the table as CSV (UTF-8) and upload that.")
    try:
        text = content[:_SAMPLE_BYTES].decode(
            "utf-8-sig", errors="strict" if len(content) <= _SAMPLE_BYTES else "ignore"
        )
    except UnicodeDecodeError as error:
        raise NotATable(f"Byte {error.start} is not UTF-8. Save the file as CSV with UTF-8 encoding.") from error
    lines = list(csv.reader(io.StringIO(text), _dialect(text)))[: PREVIEW_ROWS + 1]
    header, rows = lines[0], [line for line in lines[1:] if len(line) == len(lines[0])]
    if len(header) < 2:  # noqa: PLR2004
        raise NotATable("Only one column was found. Separate columns by commas, semicolons or tabs.")
    if repeated := sorted({name for name in header if header.count(name) > 1}):
        raise NotATable(f"Two columns are called {repeated[0]!r}. Give each its own name.")
    return Preview(header, pd.DataFrame(rows, columns=header))


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
