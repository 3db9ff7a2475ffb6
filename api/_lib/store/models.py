"""Models, versions, aliases and promotions."""

from typing import Any

from api._lib.errors import ModelNotFound
from api._lib.upstream import SERVICE, Rights, call

Row = dict[str, Any]

LOOK_UP_DEADLINE_SECONDS = 1.5
"""On the path of a prediction: what is known already is better than waiting longer."""

_FACE = "id,slug,title,description,task,target,visibility,created_at,updated_at"
_SCORES = (
    "number,digest,size_bytes,created_at,metrics:card->evaluation->metrics,"
    "baseline:card->evaluation->baseline,rows:card->dataset->rows"
)


async def list_models(rights: Rights) -> list[Row]:
    """List what these rights may see, newest first, each with its aliases and the scores of their versions."""
    select = f"{_FACE},aliases(name,versions({_SCORES}))"
    params = {"select": select, "order": "created_at.desc", **_visible(rights)}
    return await _rows(params, rights=rights)


async def find_model(slug: str, rights: Rights) -> Row:
    """Find one model with its aliases and the scores of their versions."""
    select = f"{_FACE},aliases(name,versions({_SCORES}))"
    found = await _rows({"select": select, "slug": f"eq.{slug}", **_visible(rights)}, rights=rights)
    return _one(found, slug)


async def find_aliases(slug: str, rights: Rights) -> Row | None:
    """Find what a prediction needs: id, visibility, and the version behind each alias."""
    select = "id,slug,visibility,aliases(name,versions(id,number,digest))"
    params = {"select": select, "slug": f"eq.{slug}", **_visible(rights)}
    found = await _rows(params, rights=rights, deadline=LOOK_UP_DEADLINE_SECONDS)
    return found[0] if found else None


async def find_version(model_id: str, number: int, rights: Rights) -> Row | None:
    """Find one immutable version of a model that the caller is known to see."""
    params = {"select": "id,number,digest", "model_id": f"eq.{model_id}", "number": f"eq.{number}"}
    # Whoever asks with the secret key has been told the model's id by a narrowed read.
    known = SERVICE if rights.is_service else rights
    response = await call("GET", "/rest/v1/versions", rights=known, params=params, deadline=LOOK_UP_DEADLINE_SECONDS)
    found = response.json()
    return found[0] if found else None


async def list_versions(slug: str, rights: Rights) -> list[Row]:
    """List the versions of one model, newest first."""
    select = f"slug,versions({_SCORES}),aliases(name,version_id)"
    params = {"select": select, "slug": f"eq.{slug}", "versions.order": "number.desc", **_visible(rights)}
    found = await _rows(params, rights=rights)
    return list(_one(found, slug)["versions"])


async def _rows(params: dict[str, str], *, rights: Rights, deadline: float = 8.0) -> list[Row]:
    response = await call("GET", "/rest/v1/models", rights=rights, params=params, deadline=deadline)
    return list(response.json())


def _one(found: list[Row], slug: str) -> Row:
    if not found:
        raise ModelNotFound(slug)
    return found[0]


def _visible(rights: Rights) -> dict[str, str]:
    """Narrow a read to what an API key's owner may see; for everybody else row security does it."""
    return {"or": f"(visibility.eq.public,owner_id.eq.{rights.acting_for})"} if rights.is_narrow else {}
