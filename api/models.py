"""What is served: models, their versions, the aliases that point at them, cards and files."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import FileResponse

from api._lib import artifacts, cards, catalogue, conditional, model_imports, model_moves, registry
from api._lib.app import create_app
from api._lib.auth import AnyCaller, Trainer
from api._lib.catalogue import ListedVersion, Model, ModelList, VersionList
from api._lib.errors import NotAllowed, RequestInvalid
from api._lib.late import LateRoute
from api._lib.model_schemas import ModelChanges, Reference, Slug, VersionChanges, VersionNumber
from api._lib.openapi import ANYONE, SOMEBODY
from api._lib.problems import problems
from api._lib.store import models as store
from models.contract import Card

router = APIRouter(tags=["models"], route_class=LateRoute)

_MOVING = "max-age=0, must-revalidate"
_FOR_GOOD = "max-age=31536000, immutable"


@router.get("/api/models", responses=problems(401, 422, 503), response_model=ModelList, openapi_extra=ANYONE)
async def list_models(
    request: Request,
    caller: AnyCaller,
    archived: Annotated[bool, Query(description="Those in the archive instead of those in use")] = False,  # noqa: FBT002
) -> Response:
    """List the models that you may see: public ones, and your own if you say who you are."""
    content = await catalogue.list_models(caller, archived=archived)
    shared = "public, max-age=0, s-maxage=1, stale-while-revalidate=30, stale-if-error=86400"
    cache_control = shared if caller.kind == "anonymous" else "private, max-age=0"
    return conditional.answer_json(request, content, cache_control=cache_control)


@router.get("/api/models/{slug}", responses=problems(401, 404, 422, 503), openapi_extra=ANYONE)
async def get_model(slug: Slug, caller: AnyCaller) -> Model:
    """Read about one model."""
    return await catalogue.find_model(slug, caller)


@router.patch("/api/models/{slug}", responses=problems(400, 401, 403, 404, 422, 503), openapi_extra=SOMEBODY)
async def update_model(slug: Slug, changes: ModelChanges, caller: Trainer) -> Model:
    """Change a model's title, description or visibility, whether inputs are kept, or whether it is in use.

    Its owner and admins may; editors may change title and description.
    """
    wanted = {key: value for key, value in changes.model_dump().items() if value is not None}
    if not wanted:
        raise RequestInvalid("Name at least one of title, description, visibility, keep_inputs and archived")
    if "archived" in wanted:
        wanted["archived_at"] = datetime.now(UTC).isoformat() if wanted.pop("archived") else None
    if not await store.update_model(slug, wanted, caller.rights):
        await store.find_model(slug, caller.rights)  # not there at all, or only not theirs?
        raise NotAllowed(f"Only the owner of {slug!r} or an admin may change it")
    model_moves.forget(slug)
    return await catalogue.find_model(slug, caller)


@router.get("/api/models/{slug}/versions", responses=problems(401, 404, 422, 503), openapi_extra=ANYONE)
async def list_versions(slug: Slug, caller: AnyCaller) -> VersionList:
    """List the versions of a model, newest first."""
    return await catalogue.list_versions(slug, caller)


@router.get("/api/models/{slug}/versions/{number}", responses=problems(401, 404, 422, 503), openapi_extra=ANYONE)
async def get_version(slug: Slug, number: VersionNumber, caller: AnyCaller) -> ListedVersion:
    """Read about one version; its card tells the rest."""
    return await catalogue.find_version(slug, number, caller)


@router.patch(
    "/api/models/{slug}/versions/{number}", responses=problems(400, 401, 403, 404, 422, 503), openapi_extra=SOMEBODY
)
async def update_version(slug: Slug, number: VersionNumber, changes: VersionChanges, caller: Trainer) -> ListedVersion:
    """Write a note on a version; an empty one takes it away. The version itself never changes."""
    await store.describe_version(slug, number, changes.note, caller.rights)
    return await catalogue.find_version(slug, number, caller)


@router.delete(
    "/api/models/{slug}/versions/{number}",
    status_code=204,
    responses=problems(401, 403, 404, 409, 422, 503),
    openapi_extra=SOMEBODY,
)
async def delete_version(slug: Slug, number: VersionNumber, caller: Trainer) -> None:
    """Delete the file of a version that no alias points at and no rollback leads to. Its line in the history stays."""
    await store.delete_version(slug, number, caller.rights)
    model_moves.forget(slug)


@router.get(
    "/api/models/{slug}/card", responses=problems(401, 403, 404, 422, 503), response_model=Card, openapi_extra=ANYONE
)
async def get_card(request: Request, slug: Slug, caller: AnyCaller, version: Reference = registry.CHAMPION) -> Response:
    """Get the card of a version: features, scores, parity certificate. Everything needed to check a row and judge the model."""
    found = await registry.resolve(f"{slug}@{version}", caller)
    content = await cards.read(found.version, caller.rights)
    etag = f'"{found.version.id or found.version.digest}"'
    return conditional.answer_json(request, content, cache_control=_lifetime(found), etag=etag)


@router.get(
    "/api/models/{slug}/readme",
    responses={
        200: {"description": "README.md", "content": {"text/markdown": {"schema": {"type": "string"}}}},
        **problems(401, 403, 404, 422, 503),
    },
    response_class=Response,
    openapi_extra=ANYONE,
)
async def get_readme(slug: Slug, caller: AnyCaller, version: Reference = registry.CHAMPION) -> Response:
    """Get the card of a version as a README.md, with the front matter that Hugging Face reads."""
    found = await registry.resolve(f"{slug}@{version}", caller)
    from models.card_readme import card_readme

    text = card_readme(Card.model_validate_json(await cards.read(found.version, caller.rights)))
    headers = {"cache-control": _lifetime(found), "vary": "authorization, x-api-key"}
    return Response(text, media_type="text/markdown", headers=headers)


@router.get(
    "/api/models/{slug}/openapi.json",
    responses={304: {"description": "Not Modified"}, **problems(401, 403, 404, 422, 503)},
    response_model=dict,
    openapi_extra=ANYONE,
)
async def get_model_openapi(
    request: Request, slug: Slug, caller: AnyCaller, version: Reference = registry.CHAMPION
) -> Response:
    """Describe what this model answers as OpenAPI 3.1: its own rows, answers and examples, at every door."""
    found = await registry.resolve(f"{slug}@{version}", caller)
    from api._lib import descriptions

    content = await descriptions.describe_version(found, caller)
    # A number stands for one card, but the API around it gets new releases.
    cache_control = f"{'public' if found.is_public else 'private'}, {_MOVING}"
    return conditional.answer_json(request, content, cache_control=cache_control)


@router.get(
    "/api/models/{slug}/artifact",
    responses={
        200: {"description": "model.onnx", "content": {"application/octet-stream": {}}},
        **problems(401, 403, 404, 422, 503),
    },
    response_class=Response,
    openapi_extra=ANYONE,
)
async def get_artifact(
    request: Request, slug: Slug, caller: AnyCaller, version: Reference = registry.CHAMPION
) -> Response:
    """Get the ONNX file of a version, as it is served. Its ETag is its SHA-256, the one that stands in the card."""
    found = await registry.resolve(f"{slug}@{version}", caller)
    etag = f'"{found.version.digest}"'
    headers = {"etag": etag, "cache-control": _lifetime(found), "vary": "authorization, x-api-key"}
    if conditional.is_known(request, etag):
        return Response(status_code=304, headers=headers)
    artifact = await artifacts.find(found.version.digest)
    name = f"{slug}-{found.version.number or found.version.digest[:12]}.onnx"
    return FileResponse(artifact.model, media_type="application/octet-stream", filename=name, headers=headers)


for _further in (model_moves.router, model_imports.router):
    router.routes.extend(_further.routes)  # as create_app does: their paths are whole


def _lifetime(found: registry.Found) -> str:
    """A numbered version never changes; what an alias means may, any moment."""
    return f"{'public' if found.is_public else 'private'}, {_MOVING if found.alias else _FOR_GOOD}"


app = create_app(router)
