"""Calls about subscriptions: webhooks that go out, and how that went."""

import streamlit as st

from api_client import Json, call


@st.cache_data(ttl=5, max_entries=4, scope="session", show_spinner=False)
def list_subscriptions(token: str) -> list[Json]:
    """List this person's subscriptions, newest first."""
    return call("GET", "/api/subscriptions", token=token)["subscriptions"]


def read_subscription(subscription_id: str, token: str) -> Json:
    """Read one subscription with how it is."""
    return call("GET", f"/api/subscriptions/{subscription_id}", token=token)


def create_subscription(wanted: Json, token: str) -> Json:
    """Subscribe an address to events; the answer holds its secret, this one time."""
    made = call("POST", "/api/subscriptions", token=token, json=wanted)
    list_subscriptions.clear()
    return made


def change_subscription(subscription_id: str, changes: Json, token: str) -> None:
    """Change a subscription, or switch it off or on."""
    call("PATCH", f"/api/subscriptions/{subscription_id}", token=token, json=changes)
    list_subscriptions.clear()


def delete_subscription(subscription_id: str, token: str) -> None:
    """Delete a subscription with its log."""
    call("DELETE", f"/api/subscriptions/{subscription_id}", token=token)
    list_subscriptions.clear()


def rotate_subscription(subscription_id: str, overlap_hours: float, token: str) -> str:
    """Give a subscription a new secret and return it; for a while messages carry both signatures."""
    path = f"/api/subscriptions/{subscription_id}/secret"
    return call("POST", path, token=token, json={"overlap_hours": overlap_hours})["secret"]


def send_test(subscription_id: str, token: str) -> Json:
    """Send a test event now; returns the delivery with what came back."""
    # The receiver has 15 seconds to answer.
    return call("POST", f"/api/subscriptions/{subscription_id}/test", token=token, timeout=25)


def list_deliveries(
    subscription_id: str, token: str, limit: int, before: str | None = None, state: str | None = None
) -> list[Json]:
    """List what was and will be sent, newest first."""
    wanted = {"limit": limit, "before": before, "state": state}
    params = {name: value for name, value in wanted.items() if value is not None}
    return call("GET", f"/api/subscriptions/{subscription_id}/deliveries", token=token, params=params)["deliveries"]


def read_delivery(subscription_id: str, delivery_id: str, token: str) -> Json:
    """Read one delivery with every attempt."""
    return call("GET", f"/api/subscriptions/{subscription_id}/deliveries/{delivery_id}", token=token)


def replay(subscription_id: str, order: Json, token: str) -> int:
    """Send again: some deliveries, or all that were given up since a time; returns how many."""
    return call("POST", f"/api/subscriptions/{subscription_id}/replay", token=token, json=order)["replayed"]
