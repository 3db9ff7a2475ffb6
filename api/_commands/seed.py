"""Fills a new Rowcast the way a person would: an administrator signs up, uploads the bundled data sets, trains them.

Nothing here has a door of its own: it is the API's signed upload, a run, the database's trigger, the queue, a worker,
a certified version. What this machine can do for its own gallery, it can do for anybody's table.
"""

import json
import shlex
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from api._commands.client import Client, Place
from api._commands.errors import CliError, RequestRefused, ServerUnreachable
from api._commands.upload import upload
from api._stack import secrets
from api._stack.settings import REPOSITORY, Settings

GALLERY = REPOSITORY / "models" / "gallery"
TIME_BUDGET_SECONDS = 8
RUN_SECONDS = 300.0
POLL_SECONDS = 0.25
EXAMPLE = "penguins"
_ENDED = {"succeeded", "failed", "cancelled"}


@dataclass
class Training:
    """One bundled data set on its way to a model."""

    dataset: dict[str, Any]
    run_id: str
    task: Any
    seen: int = 0


def ensure_admin(settings: Settings) -> None:
    """Sign the administrator up with the password that was made at the first start, and make them one."""
    place = _place(settings)
    with Client(place) as client:
        with suppress(RequestRefused):
            account = {"email": place.email, "password": place.password}
            client.supabase("POST", "/auth/v1/signup", json=account)
        asked = {"user_email": place.email, "new_role": "admin"}
        client.supabase("POST", "/rest/v1/rpc/set_user_role", secret=True, json=asked)


def train_gallery(settings: Settings) -> None:
    """Train the bundled data sets that have not been trained here yet, with a progress bar for each.

    Raises:
        CliError: a run failed or did not end in time; the next start tries again.
    """
    done_file = settings.home / "gallery"
    done = set(done_file.read_text(encoding="utf-8").split()) if done_file.exists() else set()
    datasets = [each for each in load_datasets() if each["slug"] not in done]
    if not datasets:
        return
    with Client(_place(settings)) as client, _bars() as progress:
        trainings = [_begin(client, each, progress) for each in datasets]
        deadline = time.monotonic() + RUN_SECONDS
        while trainings:
            for training in list(trainings):
                if _follow(client, training, progress):
                    trainings.remove(training)
                    done.add(training.dataset["slug"])
                    done_file.write_text("\n".join(sorted(done)), encoding="utf-8")
            if time.monotonic() > deadline:
                names = ", ".join(training.dataset["slug"] for training in trainings)
                raise CliError(
                    f"training {names} did not end within {RUN_SECONDS:.0f} s; ./rowcast logs worker says why"
                )
            time.sleep(POLL_SECONDS)


def find_example(settings: Settings) -> str:
    """Compose a curl line that predicts with a trained model; empty when there is none."""
    with Client(_place(settings)) as client:
        slugs = [each["slug"] for each in client.call("GET", "/api/models")["models"] if each["champion"]]
        if not slugs:
            return ""
        slug = EXAMPLE if EXAMPLE in slugs else slugs[0]
        card = client.call("GET", f"/api/models/{slug}/card")
    body = shlex.quote(json.dumps(card["examples"][0], ensure_ascii=False))
    return f"curl -s {settings.site_url}/api/predict/{slug} -H 'content-type: application/json' -d {body}"


def load_datasets() -> list[dict[str, Any]]:
    """Read what is bundled."""
    listed: list[dict[str, Any]] = json.loads((GALLERY / "datasets.json").read_text(encoding="utf-8"))
    return listed


def _place(settings: Settings) -> Place:
    known = secrets.load(settings)
    return Place(
        api_url=settings.site_url,
        supabase_url=settings.supabase_url,
        publishable_key=known.publishable_key,
        secret_key=known.secret_key,
        email=known.admin_email,
        password=known.admin_password,
    )


def _begin(client: Client, dataset: dict[str, Any], progress: Progress) -> Training:
    """Take up the run of an interrupted start, or upload the data and begin one."""
    task = progress.add_task(dataset["slug"], total=1.0, said="uploading")
    runs = client.call("GET", "/api/runs")["runs"]
    going = [run for run in runs if run["model"] == dataset["slug"] and run["status"] not in {"failed", "cancelled"}]
    run = going[0] if going else _start_run(client, dataset)
    return Training(dataset, run["id"], task)


def _start_run(client: Client, dataset: dict[str, Any]) -> dict[str, Any]:
    file = GALLERY / "datasets" / dataset["file"]
    stored = upload(client, file, name=dataset["title"], source=dataset["source"], licence=dataset["licence"])
    run: dict[str, Any] = client.call(
        "POST",
        "/api/runs",
        json={
            "dataset_id": stored["id"],
            "model": dataset["slug"],
            "target": dataset["target"],
            "title": dataset["title"],
            "description": dataset["description"],
            "visibility": "public",
            "options": {"time_budget_seconds": TIME_BUDGET_SECONDS, "seed": 0, "drop": dataset.get("drop", [])},
        },
    )
    return run


def _follow(client: Client, training: Training, progress: Progress) -> bool:
    """Draw what has happened since the last look and tell whether the run has succeeded."""
    try:
        page = client.call("GET", f"/api/runs/{training.run_id}/events", params={"after": training.seen})
    except ServerUnreachable:
        return False  # the site is being restarted; the run goes on without it
    for event in page["events"]:
        training.seen = event["seq"]
        data = event.get("data") or {}
        progress.update(training.task, completed=data.get("progress"), said=data.get("message") or event["kind"])
    run = page["run"]
    if run["status"] in _ENDED - {"succeeded"}:
        raise CliError(f"training {training.dataset['slug']} {run['status']}: {run['reason'] or 'no reason was given'}")
    if run["status"] == "succeeded":
        progress.update(training.task, completed=1.0, said=f"live: {client.place.api_url}/models/{run['model']}")
    return bool(run["status"] == "succeeded")


def _bars() -> Progress:
    columns = (SpinnerColumn(), TextColumn("{task.description:<14}"), BarColumn(bar_width=24), TimeElapsedColumn())
    return Progress(*columns, TextColumn("{task.fields[said]}", markup=False), console=Console(stderr=True))
