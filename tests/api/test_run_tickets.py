"""Tickets to watch one run: what a browser gets instead of its person's token."""

import json
import time
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect

from api._lib import run_tickets
from api._lib.errors import CredentialRejected
from api._lib.settings import settings
from tests.api.test_datasets import upload
from tests.conftest import RunningStack, User


@pytest.fixture
def run(api: httpx.Client, analyst: User, unique: str) -> dict[str, Any]:
    """Ask for a run that no worker takes up."""
    order = {"dataset_id": upload(api, analyst.headers)["id"], "model": unique, "target": "species"}
    return api.post("/api/runs", json=order, headers=analyst.headers).raise_for_status().json()


def test_ticket_opens_the_events_of_its_run_only(
    site_url: str, api: httpx.Client, run: dict[str, Any], analyst: User, stranger: User
):
    """Who may see a run gets a ticket that a browser watches it with; it opens no other run, and none for strangers."""
    made = api.post(f"/api/runs/{run['id']}/tickets", headers=analyst.headers)

    assert made.status_code == 201, made.text
    ticket = made.json()
    assert ticket["url"] == f"{site_url.replace('http', 'ws')}/api/runs/{run['id']}/events"
    assert analyst.access_token not in made.text
    for run_id, said in ((run["id"], "queued"), ("01890a5d-ac96-774b-bcce-b302099a8057", "credential_rejected")):
        with connect(ticket["url"].replace(run["id"], run_id), proxy=None) as socket:
            socket.send(json.dumps({"ticket": ticket["ticket"]}))
            first = json.loads(socket.recv(timeout=10))
            assert said in {first.get("kind"), first.get("code")}
    assert api.post(f"/api/runs/{run['id']}/tickets", headers=stranger.headers).status_code == 404
    assert api.post(f"/api/runs/{run['id']}/tickets").status_code == 401


def test_ticket_ends(stack: RunningStack, run: dict[str, Any], monkeypatch: pytest.MonkeyPatch):
    """A ticket is refused once its time is over."""
    for name, value in stack.environ.items():
        monkeypatch.setenv(name, value)
    settings.cache_clear()
    ticket = run_tickets.issue(run["id"]).ticket
    run_tickets.check(ticket, run["id"])

    now = time.time()
    monkeypatch.setattr(run_tickets.time, "time", lambda: now + run_tickets.TICKET_SECONDS + 1)
    with pytest.raises(CredentialRejected, match="has ended"):
        run_tickets.check(ticket, run["id"])
    settings.cache_clear()
