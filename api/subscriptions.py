"""Subscriptions: outgoing webhooks. Which events go to which address, how that went, and sending again by hand."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response

from api._lib import delivery_round
from api._lib.app import create_app
from api._lib.auth import Trainer
from api._lib.errors import NotFound, RequestInvalid
from api._lib.idempotency import IdempotentRoute, identity
from api._lib.openapi import SOMEBODY
from api._lib.outgoing_addresses import AddressRefused, check_url
from api._lib.problems import problems
from api._lib.settings import settings
from api._lib.signing import make_secret
from api._lib.store import subscriptions as store
from api._lib.subscription_schemas import (
    Delivery,
    DeliveryDetail,
    DeliveryList,
    DeliveryReplay,
    NewSubscription,
    Replayed,
    State,
    Subscription,
    SubscriptionChanges,
    SubscriptionList,
    SubscriptionOrder,
    SubscriptionRotation,
    SubscriptionSecret,
)
from api._lib.uuids import Uuid

router = APIRouter(tags=["subscriptions"], route_class=IdempotentRoute)

SubscriptionId = Annotated[Uuid, Path(description="Id of the subscription")]
DeliveryId = Annotated[Uuid, Path(description="Id of the delivery")]


@router.post(
    "/api/subscriptions", status_code=201, responses=problems(401, 403, 404, 409, 422, 503), openapi_extra=SOMEBODY
)
async def create_subscription(order: SubscriptionOrder, caller: Trainer) -> NewSubscription:
    """Subscribe an address to events. Its messages are signed (Standard Webhooks) with the secret in this answer.

    A message is sent at least once and may come twice or out of order: its `webhook-id` is the same each time, and its
    `timestamp` and the ids (UUIDv7) tell the order of events. Only a 2xx answer within 15 seconds says that it arrived.
    Otherwise it is sent again after 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h and 24 h, later if `Retry-After` says so.
    """
    _check_url(order.url)
    secret = make_secret()
    made = await store.create_subscription(order.model_dump() | identity(), secret, caller.rights)
    return NewSubscription(**made, secret=secret)


@router.get("/api/subscriptions", responses=problems(401, 403, 503), openapi_extra=SOMEBODY)
async def list_subscriptions(caller: Trainer) -> SubscriptionList:
    """List your subscriptions with how they are."""
    found = await store.list_subscriptions(caller.rights)
    return SubscriptionList(subscriptions=[Subscription(**row) for row in found])


@router.get("/api/subscriptions/{subscription_id}", responses=problems(401, 403, 404, 422, 503), openapi_extra=SOMEBODY)
async def get_subscription(subscription_id: SubscriptionId, caller: Trainer) -> Subscription:
    """Read one subscription."""
    return Subscription(**await store.find_subscription(subscription_id, caller.rights))


@router.patch(
    "/api/subscriptions/{subscription_id}", responses=problems(400, 401, 403, 404, 422, 503), openapi_extra=SOMEBODY
)
async def update_subscription(
    subscription_id: SubscriptionId, changes: SubscriptionChanges, caller: Trainer
) -> Subscription:
    """Change a subscription, or switch it off or on. Switched on again, what waited is sent."""
    wanted = changes.model_dump(exclude_none=True)
    if not wanted:
        raise RequestInvalid("Nothing to change: send url, event_types, description or is_enabled")
    if changes.url is not None:
        _check_url(changes.url)
    return Subscription(**await store.update_subscription(subscription_id, wanted, caller.rights))


@router.delete(
    "/api/subscriptions/{subscription_id}",
    status_code=204,
    responses=problems(401, 403, 404, 422, 503),
    openapi_extra=SOMEBODY,
)
async def delete_subscription(subscription_id: SubscriptionId, caller: Trainer) -> Response:
    """Delete a subscription with its log. Nothing more is sent."""
    await store.delete_subscription(subscription_id, caller.rights)
    return Response(status_code=204)


@router.post(
    "/api/subscriptions/{subscription_id}/secret",
    responses=problems(400, 401, 403, 404, 422, 503),
    openapi_extra=SOMEBODY,
)
async def rotate_secret(
    subscription_id: SubscriptionId, rotation: SubscriptionRotation, caller: Trainer
) -> SubscriptionSecret:
    """Give a subscription a new secret. For a while messages carry two signatures, so nothing is lost meanwhile."""
    secret, seconds = make_secret(), round(rotation.overlap_hours * 3600)
    ends_at = await store.rotate_secret(subscription_id, secret, overlap_seconds=seconds, rights=caller.rights)
    return SubscriptionSecret(secret=secret, old_until=datetime.fromisoformat(ends_at))


@router.post(
    "/api/subscriptions/{subscription_id}/test",
    responses=problems(401, 403, 404, 409, 422, 503),
    openapi_extra=SOMEBODY,
)
async def test_subscription(subscription_id: SubscriptionId, caller: Trainer) -> DeliveryDetail:
    """Send a test event (`subscription.test`) now and see what came back. It is tried again like any other."""
    delivery_id = await store.create_test(subscription_id, caller.rights)
    await delivery_round.send_one(delivery_id)
    return _detail(await store.read_delivery(delivery_id, caller.rights))


@router.get(
    "/api/subscriptions/{subscription_id}/deliveries",
    responses=problems(401, 403, 404, 422, 503),
    openapi_extra=SOMEBODY,
)
async def list_deliveries(
    subscription_id: SubscriptionId,
    caller: Trainer,
    state: Annotated[State | None, Query(description="Only deliveries in this state")] = None,
    limit: Annotated[int, Query(ge=1, le=100, description="How many at most")] = 50,
    before: Annotated[Uuid | None, Query(description="Only what is older than the delivery of this id")] = None,
) -> DeliveryList:
    """List what was and will be sent, newest first. For the next page pass the last id as `before`."""
    await store.find_subscription(subscription_id, caller.rights)
    found = await store.list_deliveries(subscription_id, caller.rights, state=state, limit=limit, before=before)
    return DeliveryList(deliveries=[Delivery(**row) for row in found])


@router.get(
    "/api/subscriptions/{subscription_id}/deliveries/{delivery_id}",
    responses=problems(401, 403, 404, 422, 503),
    openapi_extra=SOMEBODY,
)
async def get_delivery(subscription_id: SubscriptionId, delivery_id: DeliveryId, caller: Trainer) -> DeliveryDetail:
    """Read a delivery with every attempt. Deliveries are kept for 30 days after they have ended."""
    found = await store.read_delivery(delivery_id, caller.rights)
    if found["subscription_id"] != subscription_id.lower():
        raise NotFound(f"There is no delivery {delivery_id} that you may see")
    return _detail(found)


@router.post(
    "/api/subscriptions/{subscription_id}/replay",
    responses=problems(400, 401, 403, 404, 409, 422, 503),
    openapi_extra=SOMEBODY,
)
async def replay(subscription_id: SubscriptionId, order: DeliveryReplay, caller: Trainer) -> Replayed:
    """Send again: some deliveries, whatever became of them, or all that were given up since a time.

    The same message goes out under the same `webhook-id`, on a schedule that starts anew.
    """
    wanted = order.model_dump(mode="json", exclude_none=True)
    return Replayed(replayed=await store.replay(subscription_id, wanted, caller.rights))


def _check_url(url: str) -> None:
    try:
        check_url(url, allows_private=settings().private_receivers)
    except AddressRefused as error:
        raise RequestInvalid(f"{error}", errors=[("#/url", str(error))]) from error


def _detail(row: dict[str, Any]) -> DeliveryDetail:
    return DeliveryDetail(**{name: row[name] for name in DeliveryDetail.model_fields})


app = create_app(router)
