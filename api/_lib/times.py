"""Times: as the database writes them, and as callers send them."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BeforeValidator
from pydantic_core import PydanticCustomError


def _read(value: object) -> object:
    """Postgres writes an offset as `+00`, which pydantic refuses and Python reads."""
    return datetime.fromisoformat(value) if isinstance(value, str) else value


def _in_utc(moment: datetime) -> datetime:
    """Tell a moment in UTC: Postgres takes offsets below 16 hours only, the format of the text goes up to 24."""
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise PydanticCustomError("moment", "send a moment between the years 1 and 9999 of UTC") from None


Time = Annotated[datetime, BeforeValidator(_read)]
Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]
