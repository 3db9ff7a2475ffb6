"""Promotions: who moved which alias, when, why and on which evidence."""

from datetime import datetime
from typing import Any

from api._lib.store.models import find_numbers, has_part, told
from api._lib.upstream import Rights, call

Row = dict[str, Any]

_FACE = "id,alias,from_version_id,to_version_id,reason,evidence,promoted_by,promoted_at,rollback_of"


async def list_promotions(model_id: str, rights: Rights, *, limit: int, before: str | None) -> list[Row]:
    """List the moves of a model's aliases, newest first. Row security shows them to who has a part in the model."""
    if not await has_part(model_id, rights):
        return []
    params = {"select": _FACE, "model_id": f"eq.{model_id}", "order": "promoted_at.desc,id.desc", "limit": str(limit)}
    if before:
        params["id"] = f"lt.{before}"
    return await _read(params, rights)


async def list_live(model_id: str, at: datetime, rights: Rights) -> list[Row]:
    """List what each alias pointed at, at some moment."""
    if not await has_part(model_id, rights):
        return []
    sent = {"model_id": model_id, "at": at.isoformat()}
    path = "/rest/v1/rpc/live_aliases"
    return list((await call("POST", path, rights=told(rights), json=sent, is_repeatable=True)).json())


async def find_promotion(promotion_id: str, rights: Rights) -> Row:
    """Find a promotion that the caller just made."""
    return (await _read({"select": _FACE, "id": f"eq.{promotion_id}"}, rights))[0]


async def promote(
    slug: str, alias: str, number: int, reason: str, rights: Rights, *, replay: str | None, seen: int | None
) -> str:
    """Point an alias at a version; returns the promotion's id. The database judges who may, and adds the evidence.

    `seen` is the number that the caller saw it point at (0: nothing); if it has moved since, that is a Conflict.
    """
    sent = {"model_slug": slug, "alias": alias, "version_number": number, "reason": reason, "from_version": seen}
    sent |= {"evidence": {"replay": replay}} if replay else {}
    return await _move("promote", sent, rights)


async def remove_alias(slug: str, alias: str, reason: str, rights: Rights) -> str:
    """Give an alias up; returns the promotion's id."""
    return await _move("remove_alias", {"model_slug": slug, "alias": alias, "reason": reason}, rights)


async def roll_back(slug: str, alias: str, reason: str, rights: Rights, *, seen: int | None) -> str:
    """Undo the newest promotion that stands; returns the id of the one that undid it. `seen` as in `promote`."""
    sent = {"model_slug": slug, "alias": alias, "reason": reason, "from_version": seen}
    return await _move("rollback_alias", sent, rights)


async def _move(function: str, sent: Row, rights: Rights) -> str:
    response = await call("POST", f"/rest/v1/rpc/{function}", rights=rights, json={**sent, **rights.actor("actor")})
    return str(response.json()["id"])


async def _read(params: Row, rights: Rights) -> list[Row]:
    """Read promotions, with the numbers of their versions in place of the ids."""
    found: list[Row] = (await call("GET", "/rest/v1/promotions", rights=told(rights), params=params)).json()
    numbers = await find_numbers((row[side] for row in found for side in ("from_version_id", "to_version_id")), rights)
    return [
        row
        | {
            "from_version": numbers.get(row.pop("from_version_id")),
            "to_version": numbers.get(row.pop("to_version_id")),
        }
        for row in found
    ]
