"""How models are used and how right they are, as the database has counted it."""

from datetime import date, datetime
from typing import Any

from api._lib.upstream import PUBLIC, Rights, call

Answer = dict[str, Any]

DEADLINE_SECONDS = 8.0
ORNAMENT_DEADLINE_SECONDS = 1.5
"""What a page is complete without is not waited for longer."""


async def read_traffic(slug: str, since: datetime, until: datetime, step_hours: int, rights: Rights) -> Answer:
    """Read the traffic of a model: counts of latencies by bucket, in total, by version and by step."""
    sent = {"since": since.isoformat(), "until": until.isoformat(), "step_hours": step_hours}
    return dict(await _ask("model_traffic", {"model_slug": slug, **sent}, rights))


async def read_quality(slug: str, since: datetime, until: datetime, step_days: int, rights: Rights) -> Answer:
    """Read how right a model was about what it predicted between two times."""
    sent = {"since": since.isoformat(), "until": until.isoformat(), "step_days": step_days}
    return dict(await _ask("model_quality", {"model_slug": slug, **sent}, rights))


async def read_values(slug: str, since: date, until: date, number: int | None, rights: Rights) -> list[Answer]:
    """Read what came in and went out, by version, feature and day, in the bins of the card."""
    sent = {"since": since.isoformat(), "until": until.isoformat(), "version_number": number}
    return list(await _ask("model_values", {"model_slug": slug, **sent}, rights))


async def read_drift(slug: str, number: int | None, rights: Rights) -> Answer:
    """Read how far a version's features have moved from training; without a number, the champion's."""
    return dict(await _ask("model_drift", {"model_slug": slug, "version_number": number}, rights))


async def read_health(since: datetime, until: datetime, step_hours: int, rights: Rights) -> Answer:
    """Read how every model stands that somebody has a part in."""
    sent = {"since": since.isoformat(), "until": until.isoformat(), "step_hours": step_hours}
    return dict(await _ask("models_health", sent, rights))


async def read_totals(rights: Rights) -> Answer:
    """Read all traffic ever counted of the models that somebody has a part in."""
    return dict(await _ask("traffic_totals", {}, rights))


async def read_public_traffic() -> Answer:
    """Read how often each public model was asked in the last 30 days, by slug; soon or not at all."""
    path = "/rest/v1/rpc/public_traffic"
    return dict((await call("POST", path, rights=PUBLIC, json={}, deadline=ORNAMENT_DEADLINE_SECONDS)).json())


async def read_usage(rights: Rights) -> Answer:
    """Read what the deployment has used; for admins."""
    return dict((await call("POST", "/rest/v1/rpc/usage", rights=rights, json={}, is_repeatable=True)).json())


async def _ask(function: str, sent: dict[str, Any], rights: Rights) -> Any:
    sent |= rights.actor("actor")
    path = f"/rest/v1/rpc/{function}"
    return (await call("POST", path, rights=rights, json=sent, deadline=DEADLINE_SECONDS, is_repeatable=True)).json()
