"""Whether Supabase's parts answer."""

from datetime import datetime

from api._lib.store.files import MODELS
from api._lib.upstream import PUBLIC, SERVICE, call

_DEADLINE_SECONDS = 2.0


async def ask_database() -> None:
    """Read something through the database's door, as anybody could."""
    params = {"select": "id", "limit": "1"}
    await call("GET", "/rest/v1/models", rights=PUBLIC, params=params, deadline=_DEADLINE_SECONDS)


async def ask_storage() -> None:
    """Look at the bucket of model files."""
    await call("GET", f"/storage/v1/bucket/{MODELS}", rights=SERVICE, deadline=_DEADLINE_SECONDS)


async def find_oldest_waiting() -> datetime | None:
    """Return when the run that has waited longest was asked for; None if none waits."""
    params = {"select": "created_at", "status": "eq.queued", "order": "created_at", "limit": "1"}
    response = await call("GET", "/rest/v1/runs", rights=SERVICE, params=params, deadline=_DEADLINE_SECONDS)
    found = response.json()
    return datetime.fromisoformat(found[0]["created_at"]) if found else None
