"""What was asked for, as it came: bytes, and what they claim to be."""

from typing import NamedTuple

from api._lib.bodies import CSV_TYPES, Batch, read_batch, read_query

QUERY = "?"
"""The form of a row that stands in a query string."""

_SHORT_BYTES, _LONG_BYTES = 4 * 1024, 256 * 1024
_PARTS, _PART_BYTES = 8, 512
_TABLE_CELLS, _LONG_LIST, _MANY_CELLS = 300, 300, 10_000
"""Cells of a CSV, objects, and cells of JSON that take about 2 ms to read and to answer. How long a body is says little: 100 rows of
30 numbers are longer than 2,000 of three, and take a tenth of the time.
"""


class Question(NamedTuple):
    """The bytes of a question, their form (a content type, or `QUERY`), and whether the answer is to be explained."""

    content: bytes
    form: str
    is_explained: bool = False

    @property
    def kind(self) -> str:
        """What besides the bytes decides the answer."""
        return f"!{self.form}" if self.is_explained else self.form

    @property
    def is_long(self) -> bool:
        """Whether reading and answering it would keep others waiting, judged by what its bytes look like."""
        size = len(self.content)
        if size <= _SHORT_BYTES:
            return False
        if size > _LONG_BYTES:
            return True
        if self.form.partition(";")[0].strip().lower() in CSV_TYPES:
            return self._estimate(b"\n", b",") > _TABLE_CELLS
        return self._estimate(b"{") > _LONG_LIST or self._estimate(b",") > _MANY_CELLS

    def _estimate(self, *signs: bytes) -> float:
        """Say how often signs stand in the whole, by parts of it: to count them all takes as long as running some models."""
        content, size = self.content, len(self.content)
        starts = range(0, size, max(_PART_BYTES, size // _PARTS))
        parts = b"".join([content[start : start + _PART_BYTES] for start in starts])
        return sum(map(parts.count, signs)) * size / len(parts)

    def read(self) -> Batch:
        """Read the bytes into rows or columns.

        Raises:
            ApiError: they are not what they claim to be.
        """
        return read_query(self.content) if self.form == QUERY else read_batch(self.content, self.form)
