"""Somebody who sends to a hook, as the tests of hooks need them."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
from standardwebhooks.webhooks import Webhook

ROW = {"length": 1.0, "width": 2, "island": "Biscoe"}


class Sender:
    """Somebody who sends to one hook, with the reference library."""

    def __init__(self, api: httpx.Client, hook: dict[str, Any]) -> None:
        self.api, self.hook = api, hook
        self.path = f"/api/hooks/{hook['id']}"
        self.secret = hook["secret"]

    def sign(self, name: str, body: bytes, *, at: datetime | None = None) -> dict[str, str]:
        """Make the headers of a message."""
        at = at or datetime.now(UTC)
        signature = Webhook(self.secret).sign(name, at, body.decode())
        timestamp = str(int(at.timestamp()))
        return {"webhook-id": name, "webhook-timestamp": timestamp, "webhook-signature": signature}

    def send(self, payload: Any, name: str = "msg_1", **options: Any) -> httpx.Response:
        """Sign and send a message."""
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        return self.api.post(self.path, content=body, headers=self.sign(name, body, **options))


Opener = Callable[..., Sender]


def change(kind: str, record: Any = None, old_record: Any = None) -> dict[str, Any]:
    """Compose what Supabase sends."""
    return {"type": kind, "table": "flowers", "schema": "public", "record": record, "old_record": old_record}
