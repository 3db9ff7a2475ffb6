"""Outgoing webhooks, one attempt at a time: what is sent, what the answer means, when to try again. No database here.

Standard Webhooks 1.0.0: `webhook-id` is the event's id on every attempt, so a receiver can tell a message it has seen;
each attempt is signed anew, with every secret of the subscription that still holds.
"""

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

from api._lib import VERSION
from api._lib.outgoing import Answer, Sender
from api._lib.outgoing_addresses import SendFailed
from api._lib.signing import sign

WAITS_SECONDS = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""After the first failure, the second and so on; a tenth is the last."""

JITTER = 0.2
"""Up to so much longer, so that what failed together does not come back together."""

MAX_WAIT_SECONDS = 86_400.0
SLOW_DOWN_SECONDS = 30.0
"""What a receiver is left alone for that is too busy and does not say how long."""

_SLOW_DOWN = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT}
_MAX_HEADERS = 20
_MAX_HEADER = 200
_UNLOGGED = {"set-cookie", "set-cookie2"}


@dataclass(frozen=True, slots=True)
class Due:
    """One delivery that is this sender's to send."""

    delivery_id: str
    lease_id: str
    subscription_id: str
    event_id: str
    url: str
    body: bytes = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
    failures: int

    @classmethod
    def read(cls, row: Mapping[str, Any]) -> "Due":
        """Read what the database leased."""
        return cls(**{**row, "body": row["body"].encode(), "secrets": tuple(row["secrets"])})


@dataclass(frozen=True, slots=True)
class Plan:
    """How long to wait, and what time it is: what tests change."""

    waits: tuple[float, ...] = WAITS_SECONDS
    now: Callable[[], float] = time.time
    spread: Callable[[], float] = random.random

    def wait(self, failures: int, asked: float = 0.0) -> float | None:
        """Say how long to wait after so many failures, at least as long as was asked; None: give it up."""
        if failures > len(self.waits):
            return None
        return min(max(self.waits[failures - 1] * (1 + JITTER * self.spread()), asked), MAX_WAIT_SECONDS * (1 + JITTER))


async def attempt(due: Due, sender: Sender, plan: Plan) -> dict[str, Any]:
    """Send a delivery once and return what to write down about it."""
    now = plan.now()
    at = datetime.fromtimestamp(now, UTC)
    headers = {"content-type": "application/json", "user-agent": f"Rowcast/{VERSION} (webhooks)"}
    started = time.perf_counter()
    try:
        headers |= sign(due.event_id, due.body, due.secrets, at=at)
        answer = await sender.post(due.url, due.body, headers)
        told = _describe(answer) | _judge(answer, due.failures + 1, plan)
    except SendFailed as error:
        told = {"reason": str(error), "is_delivered": False, "retry_seconds": plan.wait(due.failures + 1)}
    return {
        "delivery_id": due.delivery_id,
        "lease_id": due.lease_id,
        "subscription_id": due.subscription_id,
        "at": at.isoformat(),
        "url": due.url,
        "request_headers": headers,
        "ms": round((time.perf_counter() - started) * 1e3, 2),
        **told,
    }


def _judge(answer: Answer, failures: int, plan: Plan) -> dict[str, Any]:
    """Say what follows from an answer. Only 2xx says that the message arrived."""
    status = answer.status
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return {"is_delivered": True}
    if status == HTTPStatus.GONE:
        return {
            "is_delivered": False,
            "is_gone": True,
            "reason": "The receiver answered 410: it wants no more messages",
        }
    asked = _retry_after(answer.headers.get("retry-after", ""), plan.now())
    told: dict[str, Any] = {"is_delivered": False, "reason": _explain(status)}
    if status in _SLOW_DOWN or asked:
        told["pause_seconds"] = asked or SLOW_DOWN_SECONDS
    return told | {"retry_seconds": plan.wait(failures, asked)}


def _explain(status: int) -> str:
    known = f" {HTTPStatus(status).phrase}" if status in HTTPStatus else ""
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return f"The receiver answered {status}{known}; redirects are not followed"
    return f"The receiver answered {status}{known}"


def _retry_after(text: str, now: float) -> float:
    """Read how many seconds a receiver asks to be left alone for, at most a day; 0 where it says nothing readable."""
    text = text.strip()
    if text.isdecimal() and text.isascii():
        seconds = float(text[:9])
    else:
        try:
            seconds = parsedate_to_datetime(text).timestamp() - now
        except (ValueError, TypeError, OverflowError):
            return 0.0
    return min(max(seconds, 0.0), MAX_WAIT_SECONDS)


def _describe(answer: Answer) -> dict[str, Any]:
    """Write an answer down for its reader; Postgres has no NUL in its texts."""
    kept = [(name, value) for name, value in answer.headers.items() if name not in _UNLOGGED][:_MAX_HEADERS]
    return {
        "status": answer.status,
        "response_headers": {_clean(name): _clean(value)[:_MAX_HEADER] for name, value in kept},
        "response_body": _clean(answer.body.decode(errors="replace")),
    }


def _clean(text: str) -> str:
    return text.replace("\0", "\ufffd")
