"""Models and versions: what is served. Who moved what is in `promotions`."""

import asyncio
from collections.abc import Iterable, Sequence
from itertools import batched
from typing import Any

from api._lib.errors import ModelNotFound
from api._lib.upstream import DEADLINE_SECONDS, SERVICE, Rights, call

Row = dict[str, Any]

LOOK_UP_DEADLINE_SECONDS = 1.5
"""On the path of a prediction: what is known already is better than waiting longer."""

_FACE = (
    "id,slug,title,description,task,target,visibility,keep_inputs,archived_at,created_at,updated_at,"
    "aliases(name,updated_at,versions(id,number))"
)
_ALIASES = "id,slug,visibility,keep_inputs,aliases(name,versions(id,number,digest))"
_SCORES = (
    "id,number,digest,size_bytes,created_at,"
    "metrics:card->evaluation->metrics,baseline:card->evaluation->baseline,classes:card->classes,rows:card->dataset->rows"
)
IDS_PER_CALL = 100
"""Ids travel in the address, whose length is bounded."""


async def list_models(rights: Rights, *, archived: bool = False) -> list[Row]:
    """List what these rights may see, newest first, each with its aliases: those in use, or those in the archive."""
    when = "not.is.null" if archived else "is.null"
    return await _models({"select": _FACE, "order": "created_at.desc", "archived_at": when, **_visible(rights)}, rights)


async def find_model(slug: str, rights: Rights) -> Row:
    """Find one model with its aliases."""
    found = await _models({"select": _FACE, "slug": f"eq.{slug}", **_visible(rights)}, rights)
    if not found:
        raise ModelNotFound(slug)
    return found[0]


async def find_aliases(slug: str, rights: Rights) -> Row | None:
    """Find what a prediction needs: id, visibility, and the version behind each alias."""
    params = {"select": _ALIASES, "slug": f"eq.{slug}", **_visible(rights)}
    found = await _models(params, rights, deadline=LOOK_UP_DEADLINE_SECONDS)
    return found[0] if found else None


async def find_many_aliases(slugs: Sequence[str], rights: Rights) -> dict[str, Row]:
    """Find the same for several models, by slug; one that these rights may not see is missing."""
    params = {"select": _ALIASES, "slug": f"in.({','.join(slugs)})", **_visible(rights)}
    found = await _models(params, rights, deadline=LOOK_UP_DEADLINE_SECONDS)
    return {row["slug"]: row for row in found}


async def find_version(model_id: str, rights: Rights, **wanted: int | str) -> Row | None:
    """Find one version, by number or digest, of a model that the caller was told of; one whose file is gone is none."""
    params = {"select": "id,number,digest", "model_id": f"eq.{model_id}", "order": "number.desc"}
    params |= {column: f"eq.{value}" for column, value in wanted.items()}
    found, remarks = await asyncio.gather(
        _versions(params, rights, deadline=LOOK_UP_DEADLINE_SECONDS), list_remarks(model_id, rights)
    )
    gone = {remark["version_id"] for remark in remarks if remark["deleted_at"]}
    return next((row for row in found if row["id"] not in gone), None)


async def list_remarks(model_id: str, rights: Rights) -> list[Row]:
    """List what was noted about the versions of a model that the caller was told of, and which lost their file."""
    params = {"select": "version_id,note,deleted_at", "model_id": f"eq.{model_id}"}
    response = await call("GET", "/rest/v1/version_remarks", rights=told(rights), params=params)
    return list(response.json())


async def find_card(version_id: str, rights: Rights) -> Row | None:
    """Find the card of a version that the caller was told of."""
    found = await _versions({"select": "card", "id": f"eq.{version_id}"}, rights)
    return dict(found[0]["card"]) if found else None


async def find_scores(version_ids: Sequence[str], rights: Rights) -> list[Row]:
    """Find the scores of versions that the caller was told of."""
    found = []
    for ids in batched(version_ids, IDS_PER_CALL):
        found += await _versions({"select": _SCORES, "id": f"in.({','.join(ids)})"}, rights)
    return found


async def list_versions(model_id: str, rights: Rights) -> list[Row]:
    """List the versions of a model that the caller was told of, newest first."""
    found, remarks = await asyncio.gather(
        _versions({"select": f"{_SCORES},run_id", "model_id": f"eq.{model_id}", "order": "number.desc"}, rights),
        list_remarks(model_id, rights),
    )
    said = {remark["version_id"]: remark for remark in remarks}
    nothing = {"note": "", "deleted_at": None}
    return [{**nothing, **row, **said.get(row["id"], {})} for row in found]


async def describe_version(slug: str, number: int, note: str, rights: Rights) -> None:
    """Write a note on a version. The database judges who may."""
    sent = {"model_slug": slug, "version_number": number, "note": note, **rights.actor("actor")}
    await call("POST", "/rest/v1/rpc/describe_version", rights=rights, json=sent)


async def delete_version(slug: str, number: int, rights: Rights) -> None:
    """Delete the file of a version that nothing points at. The database judges who may, and what points at it."""
    sent = {"model_slug": slug, "version_number": number, **rights.actor("actor")}
    await call("POST", "/rest/v1/rpc/delete_version", rights=rights, json=sent)


async def has_part(model_id: str, rights: Rights) -> bool:
    """Tell whether an API key's owner has a part in a model; for everybody else row security decides what they read."""
    if not rights.is_narrow:
        return True
    return bool(await _models({"select": "id", "id": f"eq.{model_id}", **rights.own_models()}, rights))


async def update_model(slug: str, changes: Row, rights: Rights) -> bool:
    """Change title, description or visibility. False: there is no such model, or it is not theirs to change."""
    is_owners_alone = not changes.keys().isdisjoint({"visibility", "keep_inputs", "archived_at"})
    own = rights.own("owner_id") if is_owners_alone else rights.own_models(is_changing=True)
    params = {"slug": f"eq.{slug}", "select": "id", **own}
    headers = {"prefer": "return=representation"}
    response = await call("PATCH", "/rest/v1/models", rights=rights, params=params, json=changes, headers=headers)
    return bool(response.json())


async def _models(params: Row, rights: Rights, *, deadline: float = DEADLINE_SECONDS) -> list[Row]:
    response = await call("GET", "/rest/v1/models", rights=rights, params=params, deadline=deadline)
    return list(response.json())


async def _versions(params: Row, rights: Rights, *, deadline: float = DEADLINE_SECONDS) -> list[Row]:
    response = await call("GET", "/rest/v1/versions", rights=told(rights), params=params, deadline=deadline)
    return list(response.json())


async def find_numbers(version_ids: Iterable[str | None], rights: Rights) -> dict[str | None, int]:
    """Find the numbers of versions that the caller was told of, by id."""
    ids = sorted({version_id for version_id in version_ids if version_id})
    numbers: dict[str | None, int] = {}
    for some in batched(ids, IDS_PER_CALL):
        versions = await _versions({"select": "id,number", "id": f"in.({','.join(some)})"}, rights)
        numbers |= {version["id"]: version["number"] for version in versions}
    return numbers


def _visible(rights: Rights) -> Row:
    """Narrow a read to what an API key's owner may see; for everybody else row security does it."""
    return rights.own_models("visibility.eq.public")


def told(rights: Rights) -> Rights:
    """Ask with the secret key for an API key about what a narrowed read has shown it before."""
    return SERVICE if rights.is_service else rights
