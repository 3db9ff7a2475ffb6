"""Times as the database writes them."""

from datetime import datetime
from typing import Annotated

from pydantic import BeforeValidator


def _read(value: object) -> object:
    """Postgres writes an offset as `+00`, which pydantic refuses and Python reads."""
    return datetime.fromisoformat(value) if isinstance(value, str) else value


Time = Annotated[datetime, BeforeValidator(_read)]
