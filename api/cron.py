"""What a deployment without a long-lived worker does from time to time: send the webhooks that are due, forget what ended
long ago, and ask for what only a worker does (count traffic, watch drift, sweep Storage), waking one where that is possible.

The platform's cron calls it once a day; the database pokes it whenever something is due, where it can (pg_net).
"""

import hmac

from fastapi import APIRouter, Request
from pydantic import Field

from api._lib.app import create_app
from api._lib.delivery_round import Round, make_sender
from api._lib.errors import CredentialRejected
from api._lib.late import LateRoute
from api._lib.openapi import PERSON
from api._lib.problems import problems
from api._lib.schema import Schema
from api._lib.settings import settings
from api._lib.store import chores, deliveries

router = APIRouter(tags=["health"], route_class=LateRoute)

SWEEP_SECONDS = 25.0
"""With the last attempts' patience behind it, this ends well before the platform would end the function."""


class Swept(Schema):
    """What was done."""

    delivered: int = Field(description="Webhooks that arrived")
    failed: int = Field(description="Webhooks that will be sent again")
    dead: int = Field(description="Webhooks that were given up")
    forgotten: int = Field(description="Old deliveries that were deleted")
    waiting: int = Field(description="Jobs that wait for a worker, the chores among them")


@router.get("/api/cron", responses=problems(401, 503), openapi_extra=PERSON)
async def sweep(request: Request) -> Swept:
    """Send what is due for some seconds, and ask for the chores. For the deployment's own timers: the token is its `CRON_SECRET`."""
    secret, shown = settings().cron_secret, request.headers.get("authorization", "")
    if not secret or not hmac.compare_digest(shown.encode(), f"Bearer {secret}".encode()):
        raise CredentialRejected("This is for the deployment's own timers: send 'Authorization: Bearer $CRON_SECRET'")
    async with make_sender() as sender:
        tally = await Round(sender).sweep(SWEEP_SECONDS)
    forgotten = await deliveries.prune()
    waiting = await chores.request()
    return Swept(
        delivered=tally["delivered"], failed=tally["failed"], dead=tally["dead"], forgotten=forgotten, waiting=waiting
    )


app = create_app(router)
