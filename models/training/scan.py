"""The first reading of a text file: is it text, of which encoding, how large, and what cuts its records."""

import codecs
import csv
import io
from collections import Counter
from dataclasses import dataclass
from itertools import islice

from models.errors import DatasetRejected

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
WINDOWS = "cp1252"

_BLOCK = 1 << 20
_SNIFFED_BYTES = 64_000
_SNIFFED_RECORDS = 50
_FOREIGN = {
    b"PK\x03\x04": "an Excel workbook or zip archive: save the sheet as CSV (UTF-8)",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook: save the sheet as CSV (UTF-8)",
    b"%PDF": "a PDF: export the table as CSV",
    b"\x89PNG": "a picture: export the table as CSV",
    b"SQLite format 3": "an SQLite database: export the table as CSV",
}
_MAX_WINDOWS_SHARE = 0.2  # of the bytes outside ASCII: above it the text is of another script
_ASCII = bytes(range(0x80))


@dataclass(frozen=True)
class Scan:
    """What the whole file told. `delimiter` is None where nothing cuts its lines."""

    encoding: str
    delimiter: str | None
    size: int


def scan(stream: io.BufferedIOBase, name: str, max_megabytes: int) -> Scan:
    """Read a text to its end. Raises DatasetRejected."""
    start = stream.read(_BLOCK)
    for magic, what in _FOREIGN.items():
        if start.startswith(magic):
            raise DatasetRejected(f"{name} is {what}")
    scanner = _Scanner(start, name)
    block = start
    while block:
        scanner.read(block)
        if scanner.size > max_megabytes * 1_000_000:
            raise too_large(name, f"over {max_megabytes} MB", max_megabytes)
        block = stream.read(_BLOCK)
    encoding = scanner.encoding()
    sample = start[:_SNIFFED_BYTES].decode(encoding, errors="ignore")
    return Scan(encoding, _sniffed_delimiter(sample, scanner.size), scanner.size)


def too_large(name: str, size: str, max_megabytes: int) -> DatasetRejected:
    """Word the refusal of a file that is too large."""
    return DatasetRejected(
        f"{name} is {size}; the limit is {max_megabytes} MB: keep a random sample of its rows or drop columns"
    )


class _Scanner:
    """Judges a text block by block."""

    def __init__(self, start: bytes, name: str) -> None:
        self.size = 0
        self._name = name
        self._is_utf16 = start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        self._decoder = codecs.getincrementaldecoder("utf-16" if self._is_utf16 else "utf-8")()
        self._is_unicode, self._is_blank, self._may_be_windows = True, True, not self._is_utf16
        self._high, self._lines = 0, 1

    def read(self, block: bytes) -> None:
        self.size += len(block)
        if not self._is_utf16 and (nul := block.find(b"\0")) >= 0:
            line = self._lines + block[:nul].count(b"\n")
            raise DatasetRejected(
                f"{self._name} holds a NUL byte on line {line}: save it as UTF-8 text without binary content"
            )
        self._lines += block.count(b"\n")
        if not block.isascii():
            self._high += len(block.translate(None, _ASCII))
            self._may_be_windows = self._may_be_windows and _reads_as_windows(block)
        self._decode(block)

    def encoding(self) -> str:
        """Name the encoding that reads the whole text. Raises DatasetRejected."""
        self._decode(b"", final=True)
        if self._is_unicode:
            if self._is_blank:
                raise DatasetRejected(f"{self._name} is empty: it needs a line of column names and at least one row")
            return "utf-16" if self._is_utf16 else "utf-8-sig"
        if self._may_be_windows and self._high < _MAX_WINDOWS_SHARE * self.size:
            return WINDOWS
        raise DatasetRejected(f"{self._name} is neither UTF-8, UTF-16 nor Windows-1252 text: save it as CSV in UTF-8")

    def _decode(self, block: bytes, *, final: bool = False) -> None:
        if not self._is_unicode:
            return
        try:
            text = self._decoder.decode(block, final)
        except UnicodeDecodeError:
            self._is_unicode = False
            return
        if "\0" in text:
            raise DatasetRejected(f"{self._name} holds a NUL character: save it as UTF-8 text without binary content")
        self._is_blank = self._is_blank and not text.lstrip("\ufeff").strip()


def _reads_as_windows(block: bytes) -> bool:
    try:
        block.decode(WINDOWS)
    except UnicodeDecodeError:
        return False
    return True


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
