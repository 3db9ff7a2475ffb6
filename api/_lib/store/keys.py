"""API keys: kept as hashes, never as themselves."""

from datetime import datetime
from typing import Any, NamedTuple

from api._lib.store.people import Role
from api._lib.upstream import SERVICE, Rights, call

Row = dict[str, Any]

_PATH = "/rest/v1/api_keys"
_FACE = "id,name,prefix,scopes,model:models(slug),expires_at,revoked_at,last_used_at,created_at,rotated_from"
_LOOK_UP_DEADLINE_SECONDS = 1.5


class FoundKey(NamedTuple):
    """What a good key lets its bearer do."""

    id: str
    owner_id: str
    owner_role: Role
    scopes: frozenset[str]
    model_slug: str
    expires_at: datetime | None
    shared: tuple[str, ...]
    edited: tuple[str, ...]


async def find_good(digest: str) -> FoundKey | None:
    """Find a key that was not revoked, by the SHA-256 of its text."""
    response = await call(
        "POST",
        "/rest/v1/rpc/find_api_key",
        rights=SERVICE,
        json={"key_hash": digest},
        deadline=_LOOK_UP_DEADLINE_SECONDS,
        is_repeatable=True,
    )
    found: list[Row] = response.json()
    if not found or found[0]["revoked_at"]:
        return None
    row = found[0]
    expires_at = datetime.fromisoformat(row["expires_at"]) if row["expires_at"] else None
    return FoundKey(
        row["id"],
        row["owner_id"],
        row["owner_role"],
        frozenset(row["scopes"]),
        row["model_slug"] or "",
        expires_at,
        tuple(row["shared_models"]),
        tuple(row["edited_models"]),
    )


async def note_used(key_id: str) -> None:
    """Note that a key is in use; the database does so at most once a minute."""
    await call("POST", "/rest/v1/rpc/note_key_used", rights=SERVICE, json={"key_id": key_id})


async def list_keys(owner_id: str, rights: Rights) -> list[Row]:
    """List somebody's keys, newest first."""
    params = {"select": _FACE, "owner_id": f"eq.{owner_id}", "order": "created_at.desc"}
    return list((await call("GET", _PATH, rights=rights, params=params)).json())


async def create_key(row: Row, rights: Rights) -> Row:
    """Keep a new key's hash and what it may do."""
    headers = {"prefer": "return=representation"}
    response = await call("POST", _PATH, rights=rights, params={"select": _FACE}, json=row, headers=headers)
    return dict(response.json()[0])


async def rotate_key(key_id: str, prefix: str, digest: str, overlap_hours: int, rights: Rights) -> Row:
    """Replace a working key; the old one ends after the overlap."""
    sent = {"key_id": key_id, "new_prefix": prefix, "new_hash": digest, "overlap_hours": overlap_hours}
    made = (await call("POST", "/rest/v1/rpc/rotate_api_key", rights=rights, json=sent)).json()
    return dict((await call("GET", _PATH, rights=rights, params={"select": _FACE, "id": f"eq.{made}"})).json()[0])


async def revoke_key(key_id: str, owner_id: str, rights: Rights) -> bool:
    """Revoke a key for good. False: there is none of this id, or it was revoked before."""
    params = {"id": f"eq.{key_id}", "owner_id": f"eq.{owner_id}", "revoked_at": "is.null", "select": "id"}
    headers = {"prefer": "return=representation"}
    response = await call("PATCH", _PATH, rights=rights, params=params, json={"revoked_at": "now"}, headers=headers)
    return bool(response.json())
