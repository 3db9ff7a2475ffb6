"""What people send to a model, read into rows or columns: JSON in its several forms, CSV, a query string.

Cells are read later, by the model's card. Here only the shape is judged, and every fault is the caller's to mend.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import orjson

from api._lib.errors import BodyTooLarge, MediaTypeUnsupported, RequestInvalid, RequestMalformed

JSON_TYPES = frozenset(
    # The last two are what curl and fetch send when nobody told them what it is.
    {"", "application/json", "application/octet-stream", "application/x-www-form-urlencoded", "text/plain"}
)
CSV_TYPES = frozenset({"text/csv", "application/csv"})

MAX_ROWS = 100_000
"""A row may be one byte on the wire and takes some 500 in memory."""

_HEAD_BYTES = 64
"""Where `rows` is looked for before the pattern is: behind more blanks than that it is found in the parsed body."""

_BLANKS = b" \t\r\n"
_ROWS_BEGIN = re.compile(rb'[ \t\r\n]*\{[ \t\r\n]*"rows"[ \t\r\n]*:[ \t\r\n]*(?=\[)')


class Sent(NamedTuple):
    """Where the rows of a JSON body stand in it, so that they can be kept as they were sent."""

    start: int = 0
    end: int | None = None
    is_single: bool = False

    def of(self, body: bytes) -> bytes:
        """Cut the list of rows out of the body."""
        return b"[%b]" % body if self.is_single else body[self.start : self.end]


_ALL = Sent(is_single=True)

_SHOWN_NAMES, _SHOWN_CHARACTERS = 10, 80

Rows = Sequence[Mapping[str, Any]]
Columns = Mapping[str, Sequence[Any]]


class Batch(NamedTuple):
    """Rows, or columns, as they were sent."""

    rows: Rows | None = None
    columns: Columns | None = None
    is_single: bool = False
    """The body is the row: places in it are named without `rows/0`."""
    sent: Sent | None = None
    """Where the rows stand as JSON."""

    def to_rows(self) -> Rows:
        """Turn columns into rows; rows are rows."""
        if self.columns is None:
            return self.rows or ()
        return [dict(zip(self.columns, values, strict=True)) for values in zip(*self.columns.values(), strict=True)]


def read_batch(body: bytes, content_type: str) -> Batch:
    """Read a body by its content type.

    Raises:
        ApiError: it is none of the forms; the detail says which there are.
    """
    media_type = _media_type(content_type)
    if media_type in CSV_TYPES:
        return Batch(rows=_read_csv(body))
    if media_type in JSON_TYPES or media_type.endswith("+json"):
        return _read_json(body)
    raise MediaTypeUnsupported(f"Send application/json or text/csv, not {media_type}")


@lru_cache(maxsize=64)
def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def read_query(query: bytes) -> Batch:
    """Read one row from a query string."""
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    row = dict(pairs)
    if not row:
        raise RequestInvalid("Name the features in the query, as in ?bill_length_mm=39.1&species=Adelie")
    if len(row) < len(pairs):
        twice = _repeated(name for name, _ in pairs)
        raise RequestInvalid("A feature is given twice", errors=[(f"#/{name}", "given twice") for name in twice])
    return Batch(rows=[row], is_single=True)


def parse_json(content: bytes | memoryview) -> Any:
    """Parse JSON, or refuse it with the place where it ends to be JSON."""
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError as error:
        what = f"{error.msg} at line {error.lineno}, column {error.colno}" if bytes(content).strip() else "it is empty"
        hint = "; null says that a value is missing, NaN is no JSON" if b"NaN" in bytes(content) else ""
        raise RequestMalformed(f"The body is not JSON: {what}{hint}") from None


def check_count(rows: int) -> None:
    """Refuse more rows than one request may hold."""
    if rows > MAX_ROWS:
        raise BodyTooLarge(f"{rows} rows are more than the {MAX_ROWS} that one request may hold; send them in parts")


def _read_json(body: bytes) -> Batch:
    if b'"rows"' in body[:_HEAD_BYTES] and (batch := _read_rows(body)):
        return batch
    sent = parse_json(body)
    if type(sent) is dict and "rows" not in sent and "columns" not in sent:
        return Batch(rows=[sent], is_single=True, sent=_ALL)
    match sent:
        case {"rows": list(rows)}:
            _refuse_others(sent, "rows")
            return Batch(rows=_some(rows, "#/rows"))
        case {"columns": dict(columns)}:
            _refuse_others(sent, "columns")
            if not columns:
                raise RequestInvalid("There are no columns", errors=[("#/columns", "empty")])
            check_count(max(len(values) if isinstance(values, list) else 0 for values in columns.values()))
            return Batch(columns=columns)
        case dict():
            return Batch(rows=[sent], is_single=True, sent=_ALL)
        case list():
            return Batch(rows=_some(sent, "#"), sent=Sent())
    raise RequestInvalid('Send one object of features, {"rows": [...]} or {"columns": {...}}')


def _read_rows(body: bytes) -> Batch | None:
    """Read `{"rows": [...]}` by its list alone, which then can be cut out; None where it is anything else, or faulty."""
    begin = _ROWS_BEGIN.match(body)
    text = body.rstrip(_BLANKS)
    if begin is None or not text.endswith(b"}"):
        return None
    sent = Sent(begin.end(), len(text[:-1].rstrip(_BLANKS)))
    try:
        rows = orjson.loads(memoryview(body)[sent.start : sent.end])
    except orjson.JSONDecodeError:
        return None
    return Batch(rows=_some(rows, "#/rows"), sent=sent)


def _some(rows: list[Any], pointer: str) -> Rows:
    if not rows:
        raise RequestInvalid("There are no rows", errors=[(pointer, "empty")])
    check_count(len(rows))
    return rows


def _refuse_others(sent: Mapping[str, Any], known: str) -> None:
    if len(sent) > 1:
        errors = [(f"#/{name}", f"not known beside '{known}'") for name in sent if name != known]
        raise RequestInvalid(f"Beside '{known}' nothing else is known", errors=errors)


def _read_csv(body: bytes) -> Rows:
    """Read a CSV with a header line. Cells stay text: the card says what they mean."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RequestMalformed(f"The CSV is not UTF-8: byte {error.start} cannot be read") from None
    if "\0" in text:
        raise RequestMalformed("The CSV holds NUL characters: is it a binary file?")
    try:
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        lines = [line for line in islice(reader, MAX_ROWS + 2) if line]
    except csv.Error as error:
        raise RequestMalformed(f"The CSV cannot be read: {error}") from None
    if len(lines) < 2:  # noqa: PLR2004  a header and a row
        raise RequestInvalid("The CSV needs a header line and at least one row")
    header, *rows = lines
    check_count(len(rows))
    if len(set(header)) < len(header):
        twice = [name[:_SHOWN_CHARACTERS] for name in _repeated(header)[:_SHOWN_NAMES]]
        raise RequestInvalid(f"The CSV names columns twice: {', '.join(twice)}")
    errors = [
        (f"#/rows/{index}", f"{len(row)} cells, the header has {len(header)}")
        for index, row in enumerate(rows)
        if len(row) != len(header)
    ]
    if errors:
        raise RequestInvalid(f"{len(errors)} lines do not have the header's cells", errors=errors)
    return [dict(zip(header, row, strict=True)) for row in rows]


def _repeated(names: Iterable[str]) -> list[str]:
    """Name what stands there more than once, in one pass: a header may have a million names."""
    return sorted(name for name, times in Counter(names).items() if times > 1)
