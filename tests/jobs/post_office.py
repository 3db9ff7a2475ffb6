"""What the tests of outgoing webhooks do: subscribe a misbehaving receiver, let things happen, send, look."""

import asyncio
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from api._lib import upstream
from api._lib.delivering import Plan
from api._lib.delivery_round import Round
from api._lib.outgoing import Sender
from api._lib.signing import make_secret
from tests.receiver import Receiver


@dataclass
class PostOffice:
    """The owner's subscriptions on a stack of these tests."""

    bench: Any
    receiver: Receiver
    secrets: dict[UUID, str] = field(default_factory=dict)

    def subscribe(self, path: str, *event_types: str) -> UUID:
        """Subscribe a path of the receiver."""
        secret = make_secret()
        order = {"event_types": event_types or ["run.failed"], "url": self.receiver.url(path)}
        create = "select id from public.create_subscription(%s, %s, %s)"
        made: UUID = self.bench.value(create, json.dumps(order), secret, self.bench.owner.id)
        self.secrets[made] = secret
        return made

    def emit(self, times: int = 1) -> None:
        """Let something happen to the owner so many times."""
        emit = "select private.emit_event('run.failed', null, %s, jsonb_build_object('n', n)) from generate_series(1, %s) as n"
        self.bench.connection.execute(emit, (self.bench.owner.id, times))

    def sweep(self, plan: Plan | None = None, *, patience: float = 0.7, seconds: float = 60) -> Counter[str]:
        """Send what is due, in this process; `patience` is for one answer."""

        async def run() -> Counter[str]:
            async with Sender(allows_private=True, seconds=patience) as sender:
                try:
                    return await Round(sender, plan).sweep(seconds)
                finally:
                    await upstream.client().aclose()

        return asyncio.run(run())

    def deliveries(self, subscription: UUID) -> list[dict[str, Any]]:
        """Read the deliveries of a subscription with their attempts, oldest first."""
        ids = self.bench.column("select id from public.deliveries where subscription_id = %s order by id", subscription)
        return [self.bench.value("select public.read_delivery(%s)", each) for each in ids]

    def delivery(self, subscription: UUID) -> dict[str, Any]:
        """Read the only delivery of a subscription."""
        (only,) = self.deliveries(subscription)
        return only

    def health(self, subscription: UUID) -> tuple[Any, ...]:
        """Tell whether a subscription is enabled, and why not."""
        statement = "select is_enabled, disabled_reason from public.subscriptions where id = %s"
        row: tuple[Any, ...] = self.bench.connection.execute(statement, (subscription,)).fetchone()
        return row

    def make_due(self) -> None:
        """Let all the waiting be over, as if the time had passed."""
        self.bench.connection.execute(
            "update public.deliveries set next_attempt_at = now(), leased_until = null where state in ('pending', 'failed')"
        )
        self.bench.connection.execute("update public.subscriptions set resume_at = null")

    def clear(self) -> None:
        """Take all subscriptions away."""
        self.bench.connection.execute("delete from public.subscriptions")
        self.bench.connection.execute("delete from public.events")
