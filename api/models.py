"""What is served: models, their versions, the aliases that point at them, cards and files."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import FileResponse
from pydantic import BaseModel, ConfigDict, Field

from api._lib import artifacts, cards, catalogue, conditional, registry
from api._lib.app import create_app
from api._lib.auth import AnyCaller, Somebody, Trainer
from api._lib.catalogue import Model, ModelList, VersionList
from api._lib.errors import NotAllowed, RequestInvalid
from api._lib.openapi import ANYONE, SOMEBODY
from api._lib.problems import problems
from api._lib.store import models as store
from api._lib.times import Time
from models.contract import Card

router = APIRouter(tags=["models"])

_ALIAS = r"^[a-z][a-z0-9-]{0,31}$"
_MOVING = "max-age=0, must-revalidate"
_FOR_GOOD = "max-age=31536000, immutable"

Slug = Annotated[str, Path(description="Slug of the model", examples=["penguins"])]
AliasName = Annotated[str, Path(description="Name of the alias", examples=["champion"], pattern=_ALIAS)]
Reference = Annotated[
    str,
    Query(
        description="Alias or number of the version",
        examples=["champion", "3"],
        pattern=r"^([a-z][a-z0-9-]{0,31}|[0-9]{1,9})$",
    ),
]


class _Sent(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ModelChanges(_Sent):
    """What may change about a model. Absent fields stay as they are."""

    title: str | None = Field(default=None, min_length=1, max_length=120, examples=["Palmer penguins"])
    description: str | None = Field(default=None, max_length=2000)
    visibility: Literal["private", "public"] | None = Field(
        default=None, description="public: anybody may read about the model and predict with it"
    )
    keep_inputs: bool | None = Field(
        default=None,
        description="false: the rows that people send are not kept with their predictions any more; those kept stay",
    )


class PromotionOrder(_Sent):
    """Where an alias shall point, and why."""

    version: int = Field(ge=1, le=999_999_999, description="Number of the version", examples=[2])
    reason: str = Field(min_length=1, max_length=500, examples=["Better on last month's rows"])


class RollbackOrder(_Sent):
    """Which alias shall go back, and why."""

    alias: str = Field(default=registry.CHAMPION, pattern=_ALIAS)
    reason: str = Field(min_length=1, max_length=500, examples=["Complaints since the promotion"])


class Promotion(BaseModel):
    """One move of an alias: who, when and why. Never changed, never deleted."""

    id: str
    model: str = Field(examples=["penguins"])
    alias: str = Field(examples=["champion"])
    from_version: int | None = Field(description="Number it pointed at before; null the first time", examples=[1])
    to_version: int = Field(description="Number it has pointed at since", examples=[2])
    reason: str
    evidence: dict[str, Any] = Field(description="What was known when it was decided")
    rollback_of: str | None = Field(description="The promotion that this one undid")
    promoted_by: str | None = Field(description="Id of the user; null for the house")
    promoted_at: Time


class PromotionList(BaseModel):
    """Promotions of one model, newest first, at most 200."""

    promotions: list[Promotion]


@router.get("/api/models", responses=problems(401, 503), response_model=ModelList, openapi_extra=ANYONE)
async def list_models(request: Request, caller: AnyCaller) -> Response:
    """List the models that you may see: public ones, and your own if you say who you are."""
    content = await catalogue.list_models(caller)
    shared = "public, max-age=0, s-maxage=1, stale-while-revalidate=30, stale-if-error=86400"
    cache_control = shared if caller.kind == "anonymous" else "private, max-age=0"
    return conditional.answer_json(request, content, cache_control=cache_control)


@router.get("/api/models/{slug}", responses=problems(401, 404, 422, 503), openapi_extra=ANYONE)
async def get_model(slug: Slug, caller: AnyCaller) -> Model:
    """Read about one model."""
    return await catalogue.find_model(slug, caller)


@router.patch("/api/models/{slug}", responses=problems(400, 401, 403, 404, 422, 503), openapi_extra=SOMEBODY)
async def update_model(slug: Slug, changes: ModelChanges, caller: Trainer) -> Model:
    """Change a model's title, description or visibility, or whether inputs are kept. Its owner and admins may."""
    wanted = {key: value for key, value in changes.model_dump().items() if value is not None}
    if not wanted:
        raise RequestInvalid("Name at least one of title, description, visibility and keep_inputs")
    if not await store.update_model(slug, wanted, caller.rights):
        await store.find_model(slug, caller.rights)  # not there at all, or only not theirs?
        raise NotAllowed(f"Only the owner of {slug!r} or an admin may change it")
    _forget(slug)
    return await catalogue.find_model(slug, caller)


@router.get("/api/models/{slug}/versions", responses=problems(401, 404, 422, 503), openapi_extra=ANYONE)
async def list_versions(slug: Slug, caller: AnyCaller) -> VersionList:
    """List the versions of a model, newest first."""
    return await catalogue.list_versions(slug, caller)


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
    "/api/models/{slug}/openapi.json",
    responses={304: {"description": "Not Modified"}, **problems(401, 403, 404, 422, 503)},
    response_model=dict,
    openapi_extra=ANYONE,
)
async def get_model_openapi(
    request: Request, slug: Slug, caller: AnyCaller, version: Reference = registry.CHAMPION
) -> Response:
    """Describe what this model answers as OpenAPI 3.1: its own rows, answers and examples, at every door."""
    from api._lib import descriptions

    found = await registry.resolve(f"{slug}@{version}", caller)
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


@router.get("/api/models/{slug}/promotions", responses=problems(401, 403, 404, 422, 503), openapi_extra=SOMEBODY)
async def list_promotions(slug: Slug, caller: Somebody) -> PromotionList:
    """List who moved which alias, when and why, newest first. Its owner and admins see them."""
    model_id = await catalogue.find_model_id(slug, caller)
    found = await store.list_promotions(model_id, caller.rights)
    return PromotionList(promotions=[Promotion(model=slug, **row) for row in found])


@router.put(
    "/api/models/{slug}/aliases/{name}", responses=problems(400, 401, 403, 404, 409, 422, 503), openapi_extra=SOMEBODY
)
async def promote(slug: Slug, name: AliasName, order: PromotionOrder, caller: Trainer) -> Promotion:
    """Point an alias at a version. Every instance follows within two seconds; nothing is deployed."""
    made = await store.promote(slug, name, order.version, order.reason, caller.rights)
    _forget(slug)
    return Promotion(model=slug, **await store.find_promotion(made, caller.rights))


@router.post(
    "/api/models/{slug}/rollback", responses=problems(400, 401, 403, 404, 409, 422, 503), openapi_extra=SOMEBODY
)
async def roll_back(slug: Slug, order: RollbackOrder, caller: Trainer) -> Promotion:
    """Undo the newest promotion of an alias that still stands. Doing it twice goes two steps back."""
    made = await store.roll_back(slug, order.alias, order.reason, caller.rights)
    _forget(slug)
    return Promotion(model=slug, **await store.find_promotion(made, caller.rights))


def _forget(slug: str) -> None:
    registry.forget(slug)
    catalogue.forget()


def _lifetime(found: registry.Found) -> str:
    """A numbered version never changes; what an alias means may, any moment."""
    return f"{'public' if found.is_public else 'private'}, {_MOVING if found.alias else _FOR_GOOD}"


app = create_app(router)
