"""What is live, what was, and what would be: aliases, promotions, comparisons and replays of one model."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query

from api._lib import cards, catalogue, registry
from api._lib.auth import AnyCaller, Somebody, Trainer
from api._lib.comparison import Comparison, compare
from api._lib.errors import NotFound, RequestInvalid, Unavailable
from api._lib.idempotency import IdempotentRoute, identity
from api._lib.model_schemas import (
    AliasName,
    History,
    LiveAlias,
    Promotion,
    PromotionList,
    PromotionOrder,
    Reference,
    Replay,
    ReplayList,
    ReplayOrder,
    RollbackOrder,
    Slug,
)
from api._lib.openapi import ANYONE, SOMEBODY
from api._lib.problems import problems
from api._lib.store import promotions as store
from api._lib.store.replays import REPLAYS, list_replays
from api._lib.times import Moment
from api._lib.uuids import Uuid
from models.contract import Card

router = APIRouter(tags=["models"], route_class=IdempotentRoute)

Limit = Annotated[int, Query(ge=1, le=200, description="How many at most")]
Before = Annotated[Uuid | None, Query(description="Only what is older than the one of this id")]
ReplayId = Annotated[Uuid, Path(description="Id of the replay")]

_READ = problems(401, 403, 404, 422, 503)
_WRITE = problems(400, 401, 403, 404, 409, 422, 503)


@router.get("/api/models/{slug}/promotions", responses=_READ, openapi_extra=SOMEBODY)
async def list_promotions(slug: Slug, caller: Somebody, limit: Limit = 200, before: Before = None) -> PromotionList:
    """List who moved which alias, when and why, newest first. Whoever has a part in the model sees them."""
    model_id = await catalogue.find_model_id(slug, caller)
    found = await store.list_promotions(model_id, caller.rights, limit=limit, before=before)
    return PromotionList(promotions=[Promotion(model=slug, **row) for row in found])


@router.get("/api/models/{slug}/history", responses=_READ, openapi_extra=SOMEBODY)
async def get_history(
    slug: Slug,
    caller: Somebody,
    at: Annotated[
        Moment | None,
        Query(description="The moment, with its offset; now if absent", examples=["2026-11-17T12:00Z"]),
    ] = None,
) -> History:
    """Tell what was live at some moment: each alias, its version, and the promotion that had brought it there."""
    now = datetime.now(UTC)
    if at and at > now:
        raise RequestInvalid("That moment has not come yet", errors=[("#/query/at", "is in the future")])
    model_id = await catalogue.find_model_id(slug, caller)
    found = await store.list_live(model_id, at or now, caller.rights)
    return History(model=slug, at=at or now, aliases=[LiveAlias(**row) for row in found])


@router.put("/api/models/{slug}/aliases/{name}", responses=_WRITE, openapi_extra=SOMEBODY)
async def promote(slug: Slug, name: AliasName, order: PromotionOrder, caller: Trainer) -> Promotion:
    """Point an alias at a version. Every instance follows within two seconds; nothing is deployed.

    Scores of both versions, parity and the newest replay of one against the other are written down with it. With
    `from_version` it is refused if somebody else has moved the alias since you looked.
    """
    seen = order.from_version
    made = await store.promote(slug, name, order.version, order.reason, caller.rights, replay=order.replay, seen=seen)
    forget(slug)
    return Promotion(model=slug, **await store.find_promotion(made, caller.rights))


@router.delete("/api/models/{slug}/aliases/{name}", responses=_WRITE, openapi_extra=SOMEBODY)
async def remove_alias(
    slug: Slug,
    name: AliasName,
    caller: Trainer,
    reason: Annotated[str, Query(min_length=1, max_length=500, description="Why", examples=["The trial is over"])],
) -> Promotion:
    """Give an alias up; a rollback brings it back. A model keeps its champion."""
    made = await store.remove_alias(slug, name, reason, caller.rights)
    forget(slug)
    return Promotion(model=slug, **await store.find_promotion(made, caller.rights))


@router.post("/api/models/{slug}/rollback", responses=_WRITE, openapi_extra=SOMEBODY)
async def roll_back(slug: Slug, order: RollbackOrder, caller: Trainer) -> Promotion:
    """Undo the newest promotion of an alias that still stands. Doing it twice goes two steps back."""
    made = await store.roll_back(slug, order.alias, order.reason, caller.rights, seen=order.from_version)
    forget(slug)
    return Promotion(model=slug, **await store.find_promotion(made, caller.rights))


@router.get("/api/models/{slug}/compare", responses=_READ, openapi_extra=ANYONE)
async def compare_versions(slug: Slug, caller: AnyCaller, b: Reference, a: Reference = registry.CHAMPION) -> Comparison:
    """Put two versions side by side: scores with intervals, data, features, size, certificate."""
    return compare(await _read_card(slug, a, caller), await _read_card(slug, b, caller))


@router.post("/api/models/{slug}/replays", status_code=201, responses=_WRITE, openapi_extra=SOMEBODY)
async def create_replay(slug: Slug, order: ReplayOrder, caller: Trainer) -> Replay:
    """Send the newest logged rows, or a dataset of yours, through two versions and see what changes.

    A worker does it within seconds; ask for the replay until it has succeeded. Who may promote may replay.
    """
    version = await registry.resolve(f"{slug}@{order.version}", caller)
    against = await registry.resolve(f"{slug}@{order.against}", caller)
    if not (version.version.id and against.version.id):
        raise Unavailable("The database does not answer at the moment")
    if version.version.id == against.version.id:
        place = ("#/against", f"{order.against!r} is version {order.version} itself")
        raise RequestInvalid("A version cannot be replayed against itself", errors=[place])
    row = {"version_id": version.version.id, "against_id": against.version.id, "row_limit": order.rows}
    row |= {"dataset_id": order.dataset_id, **identity()}
    return Replay(model=slug, **await REPLAYS.create(row, caller.rights))


@router.get("/api/models/{slug}/replays", responses=_READ, openapi_extra=SOMEBODY)
async def get_replays(slug: Slug, caller: Trainer, limit: Limit = 50, before: Before = None) -> ReplayList:
    """List the replays of a model, newest first. They show rows that people sent: a key needs the scope `train`."""
    model_id = await catalogue.find_model_id(slug, caller)
    found = await list_replays(model_id, caller.rights, limit=limit, before=before)
    return ReplayList(replays=[Replay(model=slug, **row) for row in found])


@router.get("/api/models/{slug}/replays/{replay_id}", responses=_READ, openapi_extra=SOMEBODY)
async def get_replay(slug: Slug, replay_id: ReplayId, caller: Trainer) -> Replay:
    """Read what a replay has shown."""
    model_id = await catalogue.find_model_id(slug, caller)
    found = await REPLAYS.find(replay_id, caller.rights)
    if found["model_id"] != model_id:
        raise NotFound(f"Model {slug!r} has no replay {replay_id}")
    return Replay(model=slug, **found)


def forget(slug: str) -> None:
    """Ask again: something about the model was just changed through this process."""
    registry.forget(slug)
    catalogue.forget()


async def _read_card(slug: str, reference: str, caller: AnyCaller) -> tuple[registry.Found, Card]:
    found = await registry.resolve(f"{slug}@{reference}", caller)
    return found, Card.model_validate_json(await cards.read(found.version, caller.rights))
