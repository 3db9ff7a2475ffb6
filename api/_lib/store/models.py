"""Models, versions, aliases and promotions."""

from collections.abc import Sequence
from typing import Any

from api._lib.errors import ModelNotFound
from api._lib.upstream import DEADLINE_SECONDS, SERVICE, Rights, call

Row = dict[str, Any]

LOOK_UP_DEADLINE_SECONDS = 1.5
"""On the path of a prediction: what is known already is better than waiting longer."""

_FACE = (
    "id,slug,title,description,task,target,visibility,keep_inputs,created_at,updated_at,"
    "aliases(name,updated_at,versions(id,number))"
)
_SCORES = (
    "id,number,digest,size_bytes,created_at,"
    "metrics:card->evaluation->metrics,baseline:card->evaluation->baseline,classes:card->classes,rows:card->dataset->rows"
)
_PROMOTION = "id,alias,from_version_id,to_version_id,reason,evidence,promoted_by,promoted_at,rollback_of"
_IDS_PER_CALL = 100
"""Ids travel in the address, whose length is bounded."""


async def list_models(rights: Rights) -> list[Row]:
    """List what these rights may see, newest first, each with its aliases."""
    return await _models({"select": _FACE, "order": "created_at.desc", **_visible(rights)}, rights)


async def find_model(slug: str, rights: Rights) -> Row:
    """Find one model with its aliases."""
    found = await _models({"select": _FACE, "slug": f"eq.{slug}", **_visible(rights)}, rights)
    if not found:
        raise ModelNotFound(slug)
    return found[0]


async def find_aliases(slug: str, rights: Rights) -> Row | None:
    """Find what a prediction needs: id, visibility, and the version behind each alias."""
    select = "id,slug,visibility,keep_inputs,aliases(name,versions(id,number,digest))"
    params = {"select": select, "slug": f"eq.{slug}", **_visible(rights)}
    found = await _models(params, rights, deadline=LOOK_UP_DEADLINE_SECONDS)
    return found[0] if found else None


async def find_version(model_id: str, number: int, rights: Rights) -> Row | None:
    """Find one version of a model that the caller was told of."""
    params = {"select": "id,number,digest", "model_id": f"eq.{model_id}", "number": f"eq.{number}"}
    found = await _versions(params, rights, deadline=LOOK_UP_DEADLINE_SECONDS)
    return found[0] if found else None


async def find_card(version_id: str, rights: Rights) -> Row | None:
    """Find the card of a version that the caller was told of."""
    found = await _versions({"select": "card", "id": f"eq.{version_id}"}, rights)
    return dict(found[0]["card"]) if found else None


async def find_scores(version_ids: Sequence[str], rights: Rights) -> list[Row]:
    """Find the scores of versions that the caller was told of."""
    found = []
    for start in range(0, len(version_ids), _IDS_PER_CALL):
        ids = ",".join(version_ids[start : start + _IDS_PER_CALL])
        found += await _versions({"select": _SCORES, "id": f"in.({ids})"}, rights)
    return found


async def list_versions(model_id: str, rights: Rights) -> list[Row]:
    """List the versions of a model that the caller was told of, newest first."""
    return await _versions({"select": _SCORES, "model_id": f"eq.{model_id}", "order": "number.desc"}, rights)


async def list_promotions(model_id: str, rights: Rights) -> list[Row]:
    """List who moved which alias, when and why, newest first. Row security shows them to the owner and admins."""
    params = {"select": _PROMOTION, "model_id": f"eq.{model_id}", "order": "promoted_at.desc", "limit": "200"}
    if rights.is_narrow:
        owned = await _models({"select": "id", "id": f"eq.{model_id}", **rights.own_models()}, rights)
        if not owned:
            return []
    return await _promotions(params, rights)


async def find_promotion(promotion_id: str, rights: Rights) -> Row:
    """Find a promotion that the caller just made."""
    return (await _promotions({"select": _PROMOTION, "id": f"eq.{promotion_id}"}, rights))[0]


async def promote(slug: str, alias: str, number: int, reason: str, rights: Rights) -> str:
    """Point an alias at a version; returns the promotion's id. The database judges who may."""
    sent = {"model_slug": slug, "alias": alias, "version_number": number, "reason": reason, **rights.actor("actor")}
    response = await call("POST", "/rest/v1/rpc/promote", rights=rights, json=sent)
    return str(response.json()["id"])


async def roll_back(slug: str, alias: str, reason: str, rights: Rights) -> str:
    """Undo the newest promotion that stands; returns the id of the one that undid it."""
    sent = {"model_slug": slug, "alias": alias, "reason": reason, **rights.actor("actor")}
    response = await call("POST", "/rest/v1/rpc/rollback_alias", rights=rights, json=sent)
    return str(response.json()["id"])


async def update_model(slug: str, changes: Row, rights: Rights) -> bool:
    """Change title, description or visibility. False: there is no such model, or it is not theirs to change."""
    is_owners_alone = not changes.keys().isdisjoint({"visibility", "keep_inputs"})
    own = rights.own("owner_id") if is_owners_alone else rights.own_models(is_changing=True)
    params = {"slug": f"eq.{slug}", "select": "id", **own}
    headers = {"prefer": "return=representation"}
    response = await call("PATCH", "/rest/v1/models", rights=rights, params=params, json=changes, headers=headers)
    return bool(response.json())


async def _models(params: Row, rights: Rights, *, deadline: float = DEADLINE_SECONDS) -> list[Row]:
    response = await call("GET", "/rest/v1/models", rights=rights, params=params, deadline=deadline)
    return list(response.json())


async def _versions(params: Row, rights: Rights, *, deadline: float = DEADLINE_SECONDS) -> list[Row]:
    response = await call("GET", "/rest/v1/versions", rights=_told(rights), params=params, deadline=deadline)
    return list(response.json())


async def _promotions(params: Row, rights: Rights) -> list[Row]:
    """Read promotions, with the numbers of their versions in place of the ids."""
    found: list[Row] = (await call("GET", "/rest/v1/promotions", rights=_told(rights), params=params)).json()
    ids = {row[side] for row in found for side in ("from_version_id", "to_version_id") if row[side]}
    numbers: dict[str | None, int] = {}
    for start in range(0, len(ids), _IDS_PER_CALL):
        some = ",".join(sorted(ids)[start : start + _IDS_PER_CALL])
        versions = await _versions({"select": "id,number", "id": f"in.({some})"}, rights)
        numbers |= {version["id"]: version["number"] for version in versions}
    return [
        row | {"from_version": numbers.get(row.pop("from_version_id")), "to_version": numbers[row.pop("to_version_id")]}
        for row in found
    ]


def _visible(rights: Rights) -> Row:
    """Narrow a read to what an API key's owner may see; for everybody else row security does it."""
    return rights.own_models("visibility.eq.public")


def _told(rights: Rights) -> Rights:
    """Ask with the secret key for an API key about what a narrowed read has shown it before."""
    return SERVICE if rights.is_service else rights
