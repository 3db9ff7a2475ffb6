"""Roles of people. The database keeps them; nobody else decides."""

from typing import Literal, cast

from api._lib.upstream import Rights, call

Role = Literal["anonymous", "viewer", "analyst", "admin"]


async def find_role(rights: Rights) -> Role:
    """Ask the database for the caller's role."""
    if not rights.token:
        return "anonymous"
    response = await call("POST", "/rest/v1/rpc/current_user_role", rights=rights, json={}, is_repeatable=True)
    return cast("Role", response.json())
