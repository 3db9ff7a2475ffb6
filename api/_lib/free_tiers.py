"""What the free plans give, how much of it is used, and when it will be used up. The plans are not asked: the figures are
those of their pages in November 2026.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple

MEGABYTE = 1024 * 1024
NEAR = 0.8
"""From this share on, somebody should know."""


class Quota(NamedTuple):
    """Something there is only so much of."""

    name: Literal["database", "storage", "requests", "kv_commands"]
    limit: int
    unit: Literal["bytes", "requests", "commands"]
    is_monthly: bool
    degrades: str
    """What happens when it is used up."""


DATABASE = Quota(
    "database", 500 * MEGABYTE, "bytes", is_monthly=False,
    degrades="Supabase makes the database read-only: predictions go on and are logged to disk, training stops",
)  # fmt: skip
STORAGE = Quota(
    "storage", 1024 * MEGABYTE, "bytes", is_monthly=False,
    degrades="Uploads and new versions are refused; what is served goes on",
)  # fmt: skip
REQUESTS = Quota(
    "requests", 1_000_000, "requests", is_monthly=True,
    degrades="Vercel pauses the functions until the month ends; the site goes on and predicts on the visitor's device",
)  # fmt: skip


def kv_commands(budget: int) -> Quota:
    """Name the quota of the key-value store, whose limit is a setting."""
    return Quota(
        "kv_commands", budget, "commands", is_monthly=True,
        degrades="The key-value store is left alone: answers are cached and limits counted by each instance for itself",
    )  # fmt: skip


class Meter(NamedTuple):
    """One quota and how much of it is used."""

    quota: Quota
    used: int

    @property
    def share(self) -> float:
        """Return how much of the limit is used, 0 to 1 and more."""
        return self.used / self.quota.limit

    def month_end(self, now: datetime) -> float | None:
        """Return the share at the end of the month if it goes on like this; None where that cannot be told yet."""
        if not self.quota.is_monthly:
            return None
        start = now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        end = (start + timedelta(days=32)).replace(day=1)
        passed = (now - start) / (end - start)
        return self.share / passed if passed > 1 / 31 else None


def read(usage: Mapping[str, Any], kv_spent: int, kv_budget: int) -> list[Meter]:
    """Read all meters."""
    return [
        Meter(DATABASE, usage["database_bytes"]),
        Meter(STORAGE, usage["storage_bytes"]),
        Meter(REQUESTS, usage["requests_this_month"]),
        Meter(kv_commands(kv_budget), kv_spent),
    ]
