"""People: their roles, with whom a model is shared, and the audit log. The database keeps them; nobody else decides."""

from typing import Any, Literal, cast

from api._lib.upstream import SERVICE, Rights, call

Row = dict[str, Any]
Role = Literal["anonymous", "viewer", "analyst", "admin"]

_ENTRY = "id,at,actor_id,actor_email,action,subject_type,subject_id,data"
_PEOPLE_PER_CALL = 1000
"""The data API answers with no more rows at a time."""


async def find_role(rights: Rights) -> Role:
    """Ask the database for the caller's role."""
    if not rights.token:
        return "anonymous"
    response = await call("POST", "/rest/v1/rpc/current_user_role", rights=rights, json={}, is_repeatable=True)
    return cast("Role", response.json())


async def list_people(rights: Rights) -> list[Row]:
    """List everybody who can sign in, the earliest first. For admins."""
    found: list[Row] = []
    while len(found) % _PEOPLE_PER_CALL == 0:
        window = {"limit": str(_PEOPLE_PER_CALL), "offset": str(len(found))}
        part = await call("POST", "/rest/v1/rpc/list_users", rights=rights, params=window, json={}, is_repeatable=True)
        if not (rows := part.json()):
            break
        found += rows
    return found


async def set_role(person_id: str, role: str, rights: Rights) -> Row:
    """Give somebody a role. For admins."""
    sent = {"person_id": person_id, "new_role": role}
    return dict((await call("POST", "/rest/v1/rpc/set_person_role", rights=rights, json=sent)).json()[0])


async def list_members(slug: str, rights: Rights) -> list[Row]:
    """List the owner of a model and with whom it is shared."""
    sent = {"model_slug": slug, **rights.actor("actor")}
    return list((await call("POST", "/rest/v1/rpc/list_members", rights=rights, json=sent, is_repeatable=True)).json())


async def set_member(slug: str, email: str, role: str, rights: Rights) -> Row:
    """Share a model with somebody, or change what they may do."""
    sent = {"model_slug": slug, "user_email": email, "member_role": role, **rights.actor("actor")}
    return dict((await call("POST", "/rest/v1/rpc/set_member", rights=rights, json=sent)).json()[0])


async def remove_member(slug: str, user_id: str, rights: Rights) -> bool:
    """End a membership. False: there was none."""
    sent = {"model_slug": slug, "member_id": user_id, **rights.actor("actor")}
    return bool((await call("POST", "/rest/v1/rpc/remove_member", rights=rights, json=sent)).json())


async def list_entries(filters: dict[str, str], rights: Rights, *, before: str, limit: int) -> list[Row]:
    """List entries of the audit log, newest first. Row security shows them to admins only."""
    params = {"select": _ENTRY, "order": "id.desc", "limit": str(limit), **filters}
    if before:
        params["id"] = f"lt.{before}"
    return list((await call("GET", "/rest/v1/audit_log", rights=rights, params=params)).json())


async def warn_of_limit(owner_id: str, quota: str, allowance: int) -> None:
    """Tell the owner of a key, or a person, that a quota is nearly used up; at most once an hour."""
    sent = {"owner_id": owner_id, "quota": quota, "allowance": allowance}
    await call("POST", "/rest/v1/rpc/warn_of_limit", rights=SERVICE, json=sent)
