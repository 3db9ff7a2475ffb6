"""Watch, list and cancel training runs; `train` hands over to `watch` once its run is queued."""

import json
import sys
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any

import typer

from api._commands.client import Client
from api._commands.errors import CliError, RequestRefused, ServerUnreachable
from api._commands.listing import AsJson, show_list
from api._commands.screen import RunScreen

POLL_SECONDS = 0.5
PATIENCE_SECONDS = 60.0  # how long a server may be away before watching ends; the run itself does not need us
FINISHED = frozenset({"succeeded", "failed", "cancelled"})
INTERRUPTED = 130

RunId = Annotated[str, typer.Argument(metavar="RUN", help="Id of the run, as `rowcast train` printed it.")]


def run_list(*, as_json: AsJson = False) -> None:
    """List training runs, newest first."""
    with Client() as client:
        runs = client.call("GET", "/api/runs")["runs"]
    columns = {"run": "id", "model": "model", "target": "target", "status": "status"}
    columns |= {"created": "created_at", "reason": "reason"}
    show_list(
        runs, columns, as_json=as_json, empty="No runs yet. Start one with ./rowcast train FILE.csv --target COLUMN"
    )


def run_follow(run_id: RunId, *, as_json: AsJson = False) -> None:
    """Watch a run until it ends. Ctrl-C stops watching, not the run."""
    with Client() as client:
        run = watch(client, run_id)
    print(json.dumps(run, indent=2) if as_json else f"{run['model']} version {run['version']} is certified")


def run_cancel(run_id: RunId) -> None:
    """End a run that is queued or running; what it has done so far is dropped."""
    with Client() as client:
        client.call("POST", f"/api/runs/{run_id}/cancel")
    print(f"Run {run_id} ends within a few seconds.")


def watch(client: Client, run_id: str) -> dict[str, Any]:
    """Draw a run's events until it ends and return the succeeded run.

    Raises:
        CliError: The run failed or was cancelled; the message is its reason.
        typer.Exit: Ctrl-C. The run goes on, and stderr says how to come back or end it.
    """
    try:
        with RunScreen() as screen:
            run = _follow(client, run_id, screen)
    except KeyboardInterrupt as interrupt:
        print(
            f"\nThe run goes on. Watch it: ./rowcast run follow {run_id}   End it: ./rowcast run cancel {run_id}",
            file=sys.stderr,
        )
        raise typer.Exit(INTERRUPTED) from interrupt
    if run["status"] != "succeeded":
        raise CliError(str(run.get("reason") or f"the run was {run['status']}"))
    return run


def _follow(client: Client, run_id: str, screen: RunScreen) -> dict[str, Any]:
    after = 0
    answered_at = time.monotonic()
    while True:
        try:
            page = client.call("GET", f"/api/runs/{run_id}/events", params={"after": after})
        except (ServerUnreachable, RequestRefused) as error:
            is_passing = isinstance(error, ServerUnreachable) or error.status >= HTTPStatus.INTERNAL_SERVER_ERROR
            if not is_passing or time.monotonic() - answered_at > PATIENCE_SECONDS:
                raise
            time.sleep(POLL_SECONDS)
            continue
        answered_at = time.monotonic()
        for event in page["events"]:
            screen.show(_flat(event))
            after = event["seq"]
        run: dict[str, Any] = page["run"]
        if run["status"] in FINISHED and not page["events"]:
            return run
        time.sleep(POLL_SECONDS)


def _flat(event: Mapping[str, Any]) -> dict[str, Any]:
    return {**(event.get("data") or {}), "kind": event["kind"]}
