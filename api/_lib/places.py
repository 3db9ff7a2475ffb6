"""Saying where in a request something is wrong."""

from collections.abc import Callable, Sequence
from typing import NoReturn

from api._lib.errors import RequestMalformed, RowsInvalid
from models.errors import FieldError

Relocate = Callable[[FieldError], FieldError]
"""Turns a place as the model's card names it into the place in what the caller sent."""


def refuse(place: str, detail: str) -> NoReturn:
    """Refuse a request for one place in it."""
    raise RequestMalformed(f"{place}: {detail}", errors=[(place, detail)])


def refuse_rows(errors: Sequence[FieldError], relocate: Relocate) -> NoReturn:
    """Refuse rows that do not fit the model, each place named as the caller knows it."""
    places = [relocate(error) for error in errors]
    first = f"{places[0].pointer}: {places[0].detail}"
    raise RowsInvalid(first if len(places) == 1 else f"{len(places)} values do not fit the model", errors=places)
