"""The worker's way to Postgres while it is at a run or a batch: one connection of its own."""

from typing import Any

import psycopg
from psycopg.rows import dict_row

from api._lib.settings import settings


def connect(purpose: str) -> psycopg.Connection[dict[str, Any]]:
    """Open a connection; what it is for can be read in the database's list of sessions."""
    return psycopg.connect(
        settings().database_url,
        autocommit=True,
        row_factory=dict_row,
        connect_timeout=5,
        application_name=f"rowcast {purpose}",
        # A dead connection is noticed within seconds, so that a run is not held by a host that is gone.
        keepalives_idle=5,
        keepalives_interval=2,
        keepalives_count=3,
    )
