"""API keys: kept as hashes, never as themselves."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from api._lib.upstream import SERVICE, call

_PATH = "/rest/v1/api_keys"
_FACE = "id,name,prefix,scopes,model_id,expires_at,revoked_at,last_used_at,created_at"
_LOOK_UP_DEADLINE_SECONDS = 1.5


@dataclass(frozen=True, slots=True)
class FoundKey:
    """What a good key lets its bearer do."""

    id: str
    owner_id: str
    scopes: tuple[str, ...]
    model_id: str | None
    expires_at: datetime | None


async def find_by_hash(digest: str) -> FoundKey | None:
    """Find a key that was not revoked, by the SHA-256 of its text."""
    params = {"select": "id,owner_id,scopes,model_id,expires_at", "hash": f"eq.{digest}", "revoked_at": "is.null"}
    response = await call("GET", _PATH, rights=SERVICE, params=params, deadline=_LOOK_UP_DEADLINE_SECONDS)
    found: list[dict[str, Any]] = response.json()
    if not found:
        return None
    row = found[0]
    expires_at = datetime.fromisoformat(row["expires_at"]) if row["expires_at"] else None
    return FoundKey(row["id"], row["owner_id"], tuple(row["scopes"]), row["model_id"], expires_at)
