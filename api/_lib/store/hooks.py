"""Hooks and what came in by them.

People's hooks are read and changed with their own rights. What a receiving function does, it does with the secret key: whoever
sends a webhook has no token.
"""

from collections.abc import Sequence
from typing import Any

import orjson

from api._lib.errors import NotFound
from api._lib.upstream import SERVICE, Rights, call

Row = dict[str, Any]

RECEIVE_DEADLINE_SECONDS = 5.0

_HOOKS, _DELIVERIES = "/rest/v1/hooks", "/rest/v1/hook_deliveries"
_FACE = (
    "id,owner_id,name,kind,mode,alias,mapping,target_table,column_prefix,enabled,refused_count,refused_at,refused_reason,"
    "ignored_count,created_at,updated_at,model:models(slug)"
)
_DELIVERY = (
    "id,delivery_id,event,state,attempt,prediction_id,version,row_count,written_count,answer,duplicate_count,total_ms,"
    "received_at,answered_at"
)


async def create_hook(row: Row, rights: Rights) -> Row:
    """Open a hook. The database checks who may."""
    headers = {"prefer": "return=representation"}
    sent = {**row, **rights.actor("owner_id")}
    response = await call("POST", _HOOKS, rights=rights, params={"select": "id"}, json=sent, headers=headers)
    return await find_hook(response.json()[0]["id"], rights)


async def list_hooks(rights: Rights) -> list[Row]:
    """List hooks, newest first."""
    params = {"select": _FACE, "order": "created_at.desc", **rights.own("owner_id")}
    return [_flat(row) for row in (await call("GET", _HOOKS, rights=rights, params=params)).json()]


async def find_hook(hook_id: str, rights: Rights) -> Row:
    """Find one hook."""
    params = {"select": _FACE, "id": f"eq.{hook_id}", **rights.own("owner_id")}
    found = (await call("GET", _HOOKS, rights=rights, params=params)).json()
    return _flat(_the(found, hook_id))


async def change_hook(hook_id: str, changes: Row, rights: Rights) -> Row:
    """Change a hook."""
    params = {"id": f"eq.{hook_id}", "select": "id", **rights.own("owner_id")}
    headers = {"prefer": "return=representation"}
    changed = (await call("PATCH", _HOOKS, rights=rights, params=params, json=changes, headers=headers)).json()
    _the(changed, hook_id)
    return await find_hook(hook_id, rights)


async def delete_hook(hook_id: str, rights: Rights) -> None:
    """Close a hook for good, with its deliveries and secrets."""
    params = {"id": f"eq.{hook_id}", "select": "id", **rights.own("owner_id")}
    headers = {"prefer": "return=representation"}
    _the((await call("DELETE", _HOOKS, rights=rights, params=params, headers=headers)).json(), hook_id)


async def list_deliveries(hook_id: str, rights: Rights, *, limit: int, before: str | None) -> list[Row]:
    """List what came in by a hook that the caller was told of, newest first."""
    params = {"select": _DELIVERY, "hook_id": f"eq.{hook_id}", "order": "id.desc", "limit": str(limit)}
    if before:
        params["id"] = f"lt.{before}"
    # Whose hook it is was found out before; an API key's own rights name no owner here.
    access = SERVICE if rights.is_service else rights
    return list((await call("GET", _DELIVERIES, rights=access, params=params)).json())


async def set_secret(hook_id: str, secret: str, *, overlap_seconds: int = 0) -> None:
    """Give a hook its secret, for whoever was found to be allowed to; the one before goes on for a while."""
    sent = {"hook_id": hook_id, "secret": secret, "overlap_seconds": overlap_seconds}
    await call("POST", "/rest/v1/rpc/set_hook_secret", rights=SERVICE, json=sent)


async def find_open(hook_id: str) -> Row | None:
    """Find a hook as who receives by it needs it: with its secrets and the table it may write to."""
    found = await _receive("find_hook", {"hook_id": hook_id}, is_repeatable=True)
    return dict(found) if found else None


async def claim(**asked: Any) -> Row:
    """Claim a delivery; claiming again under the same prediction id changes nothing."""
    return dict(await _receive("claim_hook_delivery", {"claim": asked}, is_repeatable=True))


async def complete(done: Row, prediction: bytes) -> Row:
    """End a claim with its answer and all that it causes."""
    sent = {"completion": {**done, "prediction": orjson.Fragment(prediction)}}
    return dict(await _receive("complete_hook_delivery", sent))


async def release(delivery: str, attempt: int) -> None:
    """Give a claim back as if it had never been."""
    await _receive("release_hook_delivery", {"delivery": delivery, "attempt": attempt}, is_repeatable=True)


async def count(counts: Sequence[Row]) -> None:
    """Count requests that were refused or ignored."""
    await _receive("count_hook_requests", {"counts": {"hooks": list(counts)}})


async def _receive(function: str, sent: Row, *, is_repeatable: bool = False) -> Any:
    path = f"/rest/v1/rpc/{function}"
    deadline = RECEIVE_DEADLINE_SECONDS
    response = await call("POST", path, rights=SERVICE, json=sent, deadline=deadline, is_repeatable=is_repeatable)
    return orjson.loads(response.content) if response.content else None


def _the(found: list[Row], hook_id: str) -> Row:
    if not found:
        raise NotFound(f"There is no hook {hook_id} that you may see")
    return found[0]


def _flat(row: Row) -> Row:
    return {**row, "model": row["model"]["slug"] if row["model"] else None}
