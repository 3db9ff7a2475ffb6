"""Hooks: doors that webhooks come in by. A row comes in, a prediction goes back."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response

from api._lib import hook_doors, hook_drafts, hook_migration, hook_receiving, hook_trials, registry, signing
from api._lib.app import create_app
from api._lib.auth import Trainer
from api._lib.errors import NotFound, RequestInvalid
from api._lib.hook_schemas import (
    DraftTrial,
    Hook,
    HookChange,
    HookDelivery,
    HookDeliveryList,
    HookList,
    HookOrder,
    Migration,
    MigrationOrder,
    NewHook,
    NewSecret,
    OneHook,
    Rotation,
    Trial,
    Tried,
)
from api._lib.hot import HotAnswer, HotRoute, read_body
from api._lib.idempotency import IdempotentRoute, identity
from api._lib.openapi import SOMEBODY
from api._lib.problems import problems
from api._lib.settings import settings
from api._lib.store import hooks as store
from api._lib.store import models
from api._lib.uuids import Uuid

router = APIRouter(tags=["hooks"], route_class=IdempotentRoute)

HookId = Annotated[Uuid, Path(description="Id of the hook")]
_REFUSALS = problems(400, 401, 403, 404, 409, 422, 503)

RECEIVE: dict[str, Any] = {
    "security": [{}, {"bearer": []}, {"apiKey": []}],
    "requestBody": {
        "required": True,
        "description": "Any JSON; the hook's mapping says how it becomes rows",
        "content": {"application/json": {"schema": {}, "example": {"type": "customer.created", "data": {"age": 39}}}},
    },
}


@router.post("/api/hooks", status_code=201, responses=_REFUSALS, openapi_extra=SOMEBODY)
async def create_hook(order: HookOrder, caller: Trainer) -> NewHook:
    """Open a hook that predicts in your name. The answer holds its secret, this one time."""
    await hook_trials.check_mapping(hook_drafts.draft(order, caller), "mapping")
    slug, _, alias = order.model.partition("@")
    secret = _read_secret(order.secret) if order.kind != "key" else None
    row = {
        **identity(),
        "model_id": (await models.find_model(slug, caller.rights))["id"],
        "alias": alias or registry.CHAMPION,
        "name": order.name,
        "kind": order.kind,
        "mode": order.mode,
        "mapping": order.mapping.model_dump(exclude_defaults=True),
        "target_table": order.table,
        "column_prefix": order.prefix,
    }
    made = await store.create_hook(row, caller.rights)
    if secret:
        await store.set_secret(made["id"], secret)
    return NewHook(**await _one(made), secret=secret)


@router.get("/api/hooks", responses=problems(401, 403, 503), openapi_extra=SOMEBODY)
async def list_hooks(caller: Trainer) -> HookList:
    """List your hooks, newest first."""
    return HookList(hooks=[Hook(**_face(row)) for row in await store.list_hooks(caller.rights)])


@router.get("/api/hooks/{hook_id}", responses=problems(401, 403, 404, 422, 503), openapi_extra=SOMEBODY)
async def get_hook(hook_id: HookId, caller: Trainer) -> OneHook:
    """Read a hook, and whether its table was opened for it."""
    return OneHook(**await _one(await store.find_hook(hook_id, caller.rights)))


@router.patch("/api/hooks/{hook_id}", responses=_REFUSALS, openapi_extra=SOMEBODY)
async def change_hook(hook_id: HookId, change: HookChange, caller: Trainer) -> OneHook:
    """Rename a hook, disable it, or change what it does. Every instance follows within two seconds."""
    known = await store.find_hook(hook_id, caller.rights)
    asked = change.model_dump(exclude_unset=True, exclude={"mapping"})
    if change.mapping is not None:
        asked["mapping"] = change.mapping.model_dump(exclude_defaults=True)
    names = {"table": "target_table", "prefix": "column_prefix"}
    changes = {names.get(name, name): value for name, value in asked.items() if value is not None or name == "table"}
    if changes.keys() - {"name", "enabled"}:
        await hook_trials.check_mapping(hook_drafts.changed(known, changes, caller), "mapping")
    changed = await store.change_hook(hook_id, changes, caller.rights) if changes else known
    hook_doors.forget(hook_id)
    return OneHook(**await _one(changed))


@router.delete("/api/hooks/{hook_id}", status_code=204, responses=_REFUSALS, openapi_extra=SOMEBODY)
async def delete_hook(hook_id: HookId, caller: Trainer) -> Response:
    """Close a hook for good; its deliveries go with it, its predictions stay."""
    await store.delete_hook(hook_id, caller.rights)
    hook_doors.forget(hook_id)
    return Response(status_code=204)


@router.post("/api/hooks/{hook_id}/rotate", responses=_REFUSALS, openapi_extra=SOMEBODY)
async def rotate_secret(hook_id: HookId, rotation: Rotation, caller: Trainer) -> NewSecret:
    """Give a hook a new secret, which the answer shows this one time; the one before goes on for a while."""
    known = await store.find_hook(hook_id, caller.rights)
    if known["kind"] == "key":
        raise RequestInvalid("This hook takes API keys; it has no secret of its own")
    secret = _read_secret(rotation.secret)
    await store.set_secret(hook_id, secret, overlap_seconds=rotation.overlap_seconds)
    hook_doors.forget(hook_id)
    return NewSecret(secret=secret, old_ends_in_seconds=rotation.overlap_seconds)


@router.post("/api/hooks/draft/test", responses=_REFUSALS, openapi_extra=SOMEBODY)
async def test_draft(trial: DraftTrial, caller: Trainer) -> Tried:
    """Try a payload with a hook that is not there yet. Nothing is recorded, written or sent."""
    draft = hook_drafts.draft(trial, caller)
    await hook_trials.check_mapping(draft, "mapping")
    return await hook_trials.try_payload(draft, trial.payload)


@router.post("/api/hooks/{hook_id}/test", responses=_REFUSALS, openapi_extra=SOMEBODY)
async def test_hook(hook_id: HookId, trial: Trial, caller: Trainer) -> Tried:
    """Try a payload: what it would become, place by place. Nothing is recorded, written or sent."""
    known = await store.find_hook(hook_id, caller.rights)
    changes = {} if trial.mapping is None else {"mapping": trial.mapping.model_dump()}
    door = hook_drafts.changed(known, changes, caller, opened=await store.find_open(hook_id))
    await hook_trials.check_mapping(door, "mapping")
    return await hook_trials.try_payload(door, trial.payload)


@router.get("/api/hooks/{hook_id}/deliveries", responses=problems(401, 403, 404, 422, 503), openapi_extra=SOMEBODY)
async def list_deliveries(
    hook_id: HookId,
    caller: Trainer,
    limit: Annotated[int, Query(ge=1, le=100, description="How many at most")] = 50,
    before: Annotated[Uuid | None, Query(description="Only what is older than the delivery of this id")] = None,
) -> HookDeliveryList:
    """List what came in, newest first, for seven days. For the next page pass the last id as `before`."""
    await store.find_hook(hook_id, caller.rights)
    found = await store.list_deliveries(hook_id, caller.rights, limit=limit, before=before)
    return HookDeliveryList(deliveries=[HookDelivery(**row) for row in found])


@router.post("/api/hooks/{hook_id}/migration", responses=_REFUSALS, openapi_extra=SOMEBODY)
async def write_migration(hook_id: HookId, order: MigrationOrder, caller: Trainer) -> Migration:
    """Write one SQL file that sends the rows of a table to this hook and takes predictions back. Nothing is executed.

    Apply it as any migration of the database that the table is in; then run `connect` once there, with the secret.
    """
    known = await store.find_hook(hook_id, caller.rights)
    table = order.table or known["target_table"]
    if not table:
        raise RequestInvalid("Which table?", errors=[("#/table", "the hook names none")])
    if known["kind"] != "standard":
        raise RequestInvalid("An attached table signs its messages: open a hook of the kind standard for it")
    mapper = await hook_trials.find_mapper(hook_drafts.changed(known, {}, caller))
    hook = {"id": hook_id, "name": known["name"], "prefix": known["column_prefix"], "url": _url(hook_id)}
    return Migration(
        filename=hook_migration.file_name(table),
        sql=hook_migration.write_migration(
            hook,
            table,
            order.key,
            mapper,
            on_update=order.on_update,
            actual=order.actual,
            observed_at=order.observed_at,
        ),
        connect=hook_migration.connect_call(hook_id, hook["url"]),
    )


async def receive(request: Request, hook_id: Annotated[str, Path(description="Id of the hook")]) -> HotAnswer:
    """Send a message to a hook. It is handled once, however often it is sent under the same id.

    A repeated message gets the same answer again (`idempotency-replayed: true`). 401: not signed, wrongly signed or stale;
    409: it is being worked on, ask again; 422: the payload lacks what the mapping names, or came before with other content.
    """
    try:
        known = str(UUID(hook_id))
    except ValueError:
        raise NotFound("There is no such hook") from None
    return await hook_receiving.answer(known, await read_body(request))


router.add_api_route(
    "/api/hooks/{hook_id}",
    receive,
    methods=["POST"],
    route_class_override=HotRoute,
    responses={
        200: {"description": "The predictions, or why the message asks for none"},
        **problems(413, 429),
        **_REFUSALS,
    },
    openapi_extra=RECEIVE,
)


def _read_secret(given: str | None) -> str:
    try:
        return signing.read_secret(given) if given else signing.make_secret()
    except signing.SecretInvalid as error:
        raise RequestInvalid(str(error), errors=[("#/secret", str(error))]) from None


async def _one(row: store.Row) -> store.Row:
    """Add whether the hook's table was opened for it."""
    opened = await store.find_open(row["id"]) if row["mode"] == "write_back" else None
    return {**_face(row), "is_writable": None if opened is None else opened["target"] is not None}


def _url(hook_id: str) -> str:
    return f"{settings().site_url}/api/hooks/{hook_id}"


def _face(row: store.Row) -> store.Row:
    return {
        **row,
        "url": _url(row["id"]),
        "table": row["target_table"],
        "prefix": row["column_prefix"],
    }


app = create_app(router)
