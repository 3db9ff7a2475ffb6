"""Calls about training runs."""

from api_client import Json, call


def start_run(wanted: Json, token: str) -> Json:
    """Ask for a training run."""
    return call("POST", "/api/runs", token=token, json=wanted)


def list_runs(token: str, limit: int, before: str | None = None, status: str | None = None) -> list[Json]:
    """List this person's training runs, newest first."""
    wanted = {"limit": limit, "before": before, "status": status}
    params = {name: value for name, value in wanted.items() if value is not None}
    return call("GET", "/api/runs", token=token, params=params)["runs"]


def read_events(run_id: str, after: int, token: str) -> Json:
    """Read what happened in a run since event number `after`, and how the run stands."""
    return call("GET", f"/api/runs/{run_id}/events", token=token, params={"after": after})


def create_ticket(run_id: str, token: str) -> Json:
    """Get what a browser needs to watch this one run, and nothing else: an address and a ticket of some minutes."""
    return call("POST", f"/api/runs/{run_id}/tickets", token=token)


def cancel_run(run_id: str, token: str) -> None:
    """Ask the worker to stop a run."""
    call("POST", f"/api/runs/{run_id}/cancel", token=token)
