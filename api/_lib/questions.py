"""What was asked for, as it came: bytes, and what they claim to be."""

from typing import NamedTuple

from api._lib.bodies import Batch, read_batch, read_query

QUERY = "?"
"""The form of a row that stands in a query string."""


class Question(NamedTuple):
    """The bytes of a question, their form (a content type, or `QUERY`), and whether the answer is to be explained."""

    content: bytes
    form: str
    is_explained: bool = False

    @property
    def kind(self) -> str:
        """What besides the bytes decides the answer."""
        return f"!{self.form}" if self.is_explained else self.form

    def read(self) -> Batch:
        """Read the bytes into rows or columns.

        Raises:
            ApiError: they are not what they claim to be.
        """
        return read_query(self.content) if self.form == QUERY else read_batch(self.content, self.form)
