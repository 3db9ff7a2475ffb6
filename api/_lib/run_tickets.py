"""Tickets to watch one run: what a page may hand to a browser that must not have its person's token.

A ticket names a run and when it ends, sealed with the server's secret. It shows the events of that run and nothing else,
to whoever holds it, until it ends: it asks the database with the secret key, once who asked for it was seen to be allowed.
"""

import time
from datetime import UTC, datetime

from pydantic import Field

from api._lib.errors import CredentialRejected
from api._lib.schema import Schema
from api._lib.sealing import Unreadable, seal, unseal
from api._lib.settings import settings
from api._lib.times import Time

TICKET_SECONDS = 600
MAX_CHARACTERS = 200


class RunTicket(Schema):
    """What a browser needs to watch one run over a WebSocket, without a token."""

    url: str = Field(description="Where to connect to", examples=["wss://example.com/api/runs/0190…/events"])
    ticket: str = Field(
        description='The greeting is `{"ticket": "…", "after": 0}`. It opens nothing but this run\'s events'
    )
    ends_at: Time = Field(description="Later greetings are refused; a connection goes on until it is cut")


def issue(run_id: str) -> RunTicket:
    """Make a ticket for a run; the caller has been found to be allowed to see it."""
    ends_at = int(time.time()) + TICKET_SECONDS
    url = f"{settings().site_url.replace('http', 'ws', 1)}/api/runs/{run_id}/events"
    ticket = seal(str(ends_at).encode(), word=_word(run_id))
    return RunTicket(url=url, ticket=ticket, ends_at=datetime.fromtimestamp(ends_at, UTC))


def check(ticket: str, run_id: str) -> None:
    """Refuse a ticket of another run, one that has ended, and what is none.

    Raises:
        CredentialRejected: it opens nothing here.
    """
    try:
        if len(ticket) > MAX_CHARACTERS:
            raise CredentialRejected("This is too long to be a ticket")
        ends_at = int(unseal(ticket, word=_word(run_id)))
    except (Unreadable, ValueError) as error:
        raise CredentialRejected("This ticket is not for this run") from error
    if ends_at <= time.time():
        raise CredentialRejected("This ticket has ended; get a new one")


def _word(run_id: str) -> str:
    return f"ticket for the events of run {run_id.lower()}"
