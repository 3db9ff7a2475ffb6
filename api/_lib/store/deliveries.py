"""Deliveries as their sender sees them: leased, written down, given back. With the secret key: no person sends."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from api._lib.upstream import SERVICE, call

Row = dict[str, Any]


class Claimed(NamedTuple):
    """What was leased, and if that is nothing, in how many seconds something is due (None: nothing waits)."""

    due: list[Row]
    next_seconds: float | None


async def claim(*, wanted: int, lease_seconds: int, per_receiver: int, delivery_id: str | None = None) -> Claimed:
    """Lease deliveries that are due, a fair share for each receiver; or this one, whenever it is due."""
    sent = {"wanted": wanted, "lease_seconds": lease_seconds, "per_receiver": per_receiver, "delivery_id": delivery_id}
    found = (await call("POST", "/rest/v1/rpc/claim_deliveries", rights=SERVICE, json=sent)).json()
    return Claimed(found["due"], found["next_seconds"])


async def record(attempts: Sequence[Row]) -> None:
    """Write attempts down, and what follows from each."""
    await call("POST", "/rest/v1/rpc/record_attempts", rights=SERVICE, json={"batch": {"attempts": list(attempts)}})


async def release(leases: Sequence[str]) -> None:
    """Give back what was leased and perhaps not sent."""
    await call("POST", "/rest/v1/rpc/release_deliveries", rights=SERVICE, json={"batch": {"leases": list(leases)}})


async def prune() -> int:
    """Forget a bite of what ended long ago; return how much that was."""
    return int((await call("POST", "/rest/v1/rpc/prune_deliveries", rights=SERVICE, json={})).json())
