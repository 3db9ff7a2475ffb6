"""`rowcast subscription …`: webhooks out. Which address is told of what, how that went, and sending again."""

import json
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from api._commands.client import Client
from api._commands.errors import CliError
from api._commands.listing import AsJson, show_list

PAGE = 100

Address = Annotated[str, typer.Argument(metavar="URL", help="Where messages go (https).")]
Events = Annotated[list[str], typer.Option("--event", help="An event type, as version.promoted; may be repeated.")]
OneModel = Annotated[str, typer.Option("--model", metavar="SLUG", help="Only events of this model.")]
About = Annotated[str, typer.Option("--description", help="For you to recognise it by.")]
SubscriptionId = Annotated[
    str, typer.Argument(metavar="SUBSCRIPTION", help="Id, as `rowcast subscription list` shows it.")
]
DeliveryIds = Annotated[
    list[str] | None,
    typer.Argument(metavar="[DELIVERY]…", help="Ids, as `rowcast subscription deliveries` shows them."),
]
InState = Annotated[str, typer.Option("--state", help="Only pending, failed, delivered or dead ones.")]
DeadSince = Annotated[
    datetime | None, typer.Option("--dead-since", help="All that were given up since (UTC).", show_default=False)
]
OverlapHours = Annotated[
    float, typer.Option("--overlap-hours", min=0, max=168, help="So long the old secret signs too.")
]


def subscription_create(
    url: Address, *, event: Events, model: OneModel = "", description: About = "", as_json: AsJson = False
) -> None:
    """Subscribe an address to events. Its signing secret is printed once."""
    asked = {"url": url, "event_types": event, "model": model or None, "description": description}
    with Client() as client:
        made = client.call("POST", "/api/subscriptions", json=asked)
    if as_json:
        print(json.dumps(made, indent=2))
        return
    print(f"{made['id']}  {made['url']}\n{made['secret']}")
    print("\nShown this once: verify messages with it (Standard Webhooks).")
    print(f"Try it: ./rowcast subscription test {made['id']}")


def subscription_list(*, as_json: AsJson = False) -> None:
    """List your subscriptions and how they are."""
    with Client() as client:
        found = client.call("GET", "/api/subscriptions")["subscriptions"]
    rows = found if as_json else [{**each, "health": _health(each)} for each in found]
    columns = {"id": "id", "url": "url", "events": "event_types", "model": "model", "health": "health"}
    columns |= {"waiting": "waiting", "given up": "dead", "last delivered": "last_delivered_at"}
    empty = "No subscriptions yet. Make one with ./rowcast subscription create URL --event version.promoted"
    show_list(rows, columns, as_json=as_json, empty=empty)


def subscription_test(subscription_id: SubscriptionId, *, as_json: AsJson = False) -> None:
    """Send a test event now and show what came back."""
    with Client() as client:
        sent = client.call("POST", f"/api/subscriptions/{subscription_id}/test")
    if as_json:
        print(json.dumps(sent, indent=2))
    elif sent["log"]:
        last = sent["log"][-1]
        print(f"{sent['state']}: {last['reason'] or 'answered ' + str(last['status'])}, after {last['ms']:.0f} ms")
    else:
        print(sent["state"])
    if sent["state"] != "delivered":
        raise typer.Exit(1)


def subscription_deliveries(subscription_id: SubscriptionId, *, state: InState = "", as_json: AsJson = False) -> None:
    """List the newest deliveries of a subscription."""
    params = {"limit": PAGE, **({"state": state} if state else {})}
    with Client() as client:
        found = client.call("GET", f"/api/subscriptions/{subscription_id}/deliveries", params=params)["deliveries"]
    columns = {"delivery": "id", "event": "type", "state": "state", "attempts": "attempts", "created": "created_at"}
    columns |= {"next": "next_attempt_at", "reason": "reason"}
    show_list(found, columns, as_json=as_json, empty="Nothing was sent yet.")


def subscription_replay(
    subscription_id: SubscriptionId, delivery: DeliveryIds = None, *, dead_since: DeadSince = None
) -> None:
    """Send deliveries again: those named, or all that were given up since a time."""
    if bool(delivery) == bool(dead_since):
        raise CliError("name the deliveries, or say --dead-since")
    since = (dead_since or datetime.now(UTC)).replace(tzinfo=UTC).isoformat()
    asked: dict[str, Any] = {"deliveries": delivery} if delivery else {"dead_since": since}
    with Client() as client:
        count = client.call("POST", f"/api/subscriptions/{subscription_id}/replay", json=asked)["replayed"]
    print(f"{count} {'is' if count == 1 else 'are'} sent again.")


def subscription_rotate(subscription_id: SubscriptionId, *, overlap_hours: OverlapHours = 24) -> None:
    """Give a subscription a new secret; for a while messages carry two signatures."""
    with Client() as client:
        asked = {"overlap_hours": overlap_hours}
        made = client.call("POST", f"/api/subscriptions/{subscription_id}/secret", json=asked)
    print(f"{made['secret']}\n\nShown this once. The old secret signs as well until {made['old_until'][:16]} UTC.")


def subscription_enable(subscription_id: SubscriptionId) -> None:
    """Switch a subscription on again; what waited is sent."""
    _switch(subscription_id, is_enabled=True)
    print("Switched on.")


def subscription_disable(subscription_id: SubscriptionId) -> None:
    """Switch a subscription off; what is under way waits."""
    _switch(subscription_id, is_enabled=False)
    print("Switched off.")


def subscription_delete(subscription_id: SubscriptionId) -> None:
    """Delete a subscription with its log."""
    with Client() as client:
        client.call("DELETE", f"/api/subscriptions/{subscription_id}")
    print(f"Subscription {subscription_id} is deleted.")


def _switch(subscription_id: str, *, is_enabled: bool) -> None:
    with Client() as client:
        client.call("PATCH", f"/api/subscriptions/{subscription_id}", json={"is_enabled": is_enabled})


def _health(row: dict[str, Any]) -> str:
    if not row["is_enabled"]:
        return f"off: {row['disabled_reason']}"
    return f"failing since {row['failing_since'][:16].replace('T', ' ')}" if row["failing_since"] else "good"
