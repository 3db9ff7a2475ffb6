"""Subscriptions: who is told of what, and how it went."""

from typing import Any

from api._lib.errors import NotFound
from api._lib.upstream import SERVICE, Rights, call

Row = dict[str, Any]

_PATH = "/rest/v1/subscriptions"
_FACE = (
    "id,url,event_types,description,is_enabled,disabled_at,disabled_reason,failing_since,resume_at,created_at,"
    "model:models(slug)"
)
_DELIVERY = "id,state,attempts,reason,next_attempt_at,created_at,ended_at,event:events(id,type)"


async def create_subscription(asked: Row, secret: str, rights: Rights) -> Row:
    """Subscribe an address to events; its messages will be signed with the secret."""
    sent = {"subscription": asked, "secret": secret, **rights.actor("actor")}
    response = await call("POST", "/rest/v1/rpc/create_subscription", rights=rights, json=sent)
    return await find_subscription(response.json()["id"], rights)


async def list_subscriptions(rights: Rights) -> list[Row]:
    """List subscriptions, newest first."""
    params = {"select": _FACE, "order": "id.desc", "limit": "200", **rights.own("owner_id")}
    return await _with_activity((await call("GET", _PATH, rights=rights, params=params)).json(), rights)


async def find_subscription(subscription_id: str, rights: Rights) -> Row:
    """Find one subscription."""
    params = {"select": _FACE, "id": f"eq.{subscription_id}", **rights.own("owner_id")}
    found = (await call("GET", _PATH, rights=rights, params=params)).json()
    if not found:
        raise _missing(subscription_id)
    return (await _with_activity(found, rights))[0]


async def update_subscription(subscription_id: str, changes: Row, rights: Rights) -> Row:
    """Change a subscription, or switch it off or on."""
    params = {"select": "id", "id": f"eq.{subscription_id}", **rights.own("owner_id")}
    headers = {"prefer": "return=representation"}
    response = await call("PATCH", _PATH, rights=rights, params=params, json=changes, headers=headers)
    if not response.json():
        raise _missing(subscription_id)
    return await find_subscription(subscription_id, rights)


async def delete_subscription(subscription_id: str, rights: Rights) -> None:
    """Delete a subscription with its deliveries."""
    params = {"select": "id", "id": f"eq.{subscription_id}", **rights.own("owner_id")}
    headers = {"prefer": "return=representation"}
    if not (await call("DELETE", _PATH, rights=rights, params=params, headers=headers)).json():
        raise _missing(subscription_id)


async def rotate_secret(subscription_id: str, secret: str, *, overlap_seconds: int, rights: Rights) -> str:
    """Give a subscription a new secret and return when the old one ends."""
    sent = {"subscription_id": subscription_id, "secret": secret, "overlap_seconds": overlap_seconds}
    sent |= rights.actor("actor")
    return str((await call("POST", "/rest/v1/rpc/rotate_subscription", rights=rights, json=sent)).json())


async def create_test(subscription_id: str, rights: Rights) -> str:
    """Make a test event for a subscription and return the id of its delivery."""
    sent = {"subscription_id": subscription_id, **rights.actor("actor")}
    return str((await call("POST", "/rest/v1/rpc/test_subscription", rights=rights, json=sent)).json())


async def replay(subscription_id: str, wanted: Row, rights: Rights) -> int:
    """Let deliveries be sent again and return how many these are."""
    sent = {"subscription_id": subscription_id, "wanted": wanted, **rights.actor("actor")}
    return int((await call("POST", "/rest/v1/rpc/replay_deliveries", rights=rights, json=sent)).json())


async def list_deliveries(
    subscription_id: str, rights: Rights, *, state: str | None, limit: int, before: str | None
) -> list[Row]:
    """List the deliveries of a subscription that the caller was told of, newest first."""
    params = {"select": _DELIVERY, "order": "id.desc", "limit": str(limit), "subscription_id": f"eq.{subscription_id}"}
    if state:
        params["state"] = f"eq.{state}"
    if before:
        params["id"] = f"lt.{before}"
    rows = (await call("GET", "/rest/v1/deliveries", rights=_told(rights), params=params)).json()
    return [_flat(row) for row in rows]


async def read_delivery(delivery_id: str, rights: Rights) -> Row:
    """Read a delivery with what was sent and every attempt."""
    sent = {"delivery_id": delivery_id, **rights.actor("actor")}
    return dict((await call("POST", "/rest/v1/rpc/read_delivery", rights=rights, json=sent, is_repeatable=True)).json())


async def _with_activity(rows: list[Row], rights: Rights) -> list[Row]:
    if not rows:
        return []
    sent = {"subscriptions": {"ids": [row["id"] for row in rows]}}
    path = "/rest/v1/rpc/subscription_activity"
    found = (await call("POST", path, rights=_told(rights), json=sent, is_repeatable=True)).json()
    return [{**row, "model": (row["model"] or {}).get("slug"), **found.get(row["id"], {})} for row in rows]


def _flat(row: Row) -> Row:
    event = row["event"] or {"id": None, "type": None}
    return {**row, "event_id": event["id"], "type": event["type"]}


def _told(rights: Rights) -> Rights:
    """Return the rights to read what hangs on a subscription that the caller may see."""
    return SERVICE if rights.is_service else rights


def _missing(subscription_id: str) -> NotFound:
    return NotFound(f"There is no subscription {subscription_id} that you may use")
