"""Models that a visitor finds: trained for real, by the path that users take."""

import csv
import hashlib
import io
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import ConsoleMessage, Page
from uuid_utils import uuid7

from tests.conftest import RunningStack

PENGUINS = Path(__file__).parents[2] / "models" / "gallery" / "datasets" / "penguins.csv"
TRAINING_SECONDS = 90
_MAKES = ("Golf", "Polo", "Corolla", "Yaris", "Civic", "Focus", "Astra", "Clio", "Captur", "Panda", "Octavia", "Fabia")


@dataclass(frozen=True)
class Published:
    """Slugs of two public models: penguins in three species, and used cars with many makes and a price."""

    penguins: str
    cars: str


@pytest.fixture(scope="session")
def base_url(web_url: str) -> str:
    """Let `page.goto("/…")` mean the built site in front of the real API."""
    return web_url


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args: dict[str, Any], base_url: str) -> dict[str, Any]:
    """Give the tests here contexts of their own: the ones other folders' tests have asked for know no address."""
    return {**browser_context_args, "base_url": base_url}


@pytest.fixture(scope="session")
def published(stack: RunningStack, web_url: str, worker: None) -> Published:
    """Upload two tables, train them and have them published."""
    word = uuid7().hex[-8:]
    models = Published(penguins=f"penguins-{word}", cars=f"cars-{word}")
    admin = stack.create_user("admin")
    with httpx.Client(base_url=web_url, headers=admin.headers, timeout=30, trust_env=False) as client:
        runs = [
            _order(client, models.penguins, "Birds by their bills", PENGUINS.read_bytes(), target="species"),
            _order(client, models.cars, "Cars by their age", _used_cars(), target="price"),
        ]
        for run in runs:
            _wait(client, run)
    return models


@pytest.fixture
def visitor(page: Page, published: Published) -> Iterator[Page]:
    """Open a browser page that must not log an error, be it a broken script or the content security policy."""
    complaints: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        if message.type == "error" and "Failed to load resource" not in message.text:
            complaints.append(message.text)

    page.on("console", listen)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    assert complaints == []


def _order(client: httpx.Client, slug: str, title: str, content: bytes, *, target: str) -> str:
    asked = {"filename": f"{slug}.csv", "size_bytes": len(content)}
    announced = client.post("/api/datasets", json=asked).raise_for_status().json()
    upload, dataset = announced["upload"], announced["dataset"]
    httpx.request(
        upload["method"], upload["url"], content=content, headers=upload["headers"], trust_env=False
    ).raise_for_status()
    digest = hashlib.sha256(content).hexdigest()
    client.post(f"/api/datasets/{dataset['id']}/complete", json={"sha256": digest}).raise_for_status()
    order = {"dataset_id": dataset["id"], "model": slug, "target": target, "title": title, "visibility": "public"}
    run = client.post("/api/runs", json={**order, "options": {"time_budget_seconds": 2}}).raise_for_status().json()
    return str(run["id"])


def _wait(client: httpx.Client, run: str) -> None:
    deadline = time.monotonic() + TRAINING_SECONDS
    while time.monotonic() < deadline:
        state = client.get(f"/api/runs/{run}").raise_for_status().json()
        if state["status"] == "succeeded":
            return
        assert state["status"] in {"queued", "running"}, state["reason"]
        time.sleep(0.25)
    pytest.fail(f"run {run} was not done within {TRAINING_SECONDS} s")


def _used_cars() -> bytes:
    """Write a table with a long list of categories, missing numbers and words, and a toggle."""
    dice = random.Random(1)
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(["make", "mileage_km", "age_years", "fuel", "first_owner", "price"])
    for _ in range(400):
        make, age, first = dice.choice(_MAKES), round(dice.uniform(0.2, 15), 1), dice.random() < 0.5
        mileage = max(10, round(age * dice.gauss(14_000, 4_000)))
        price = 26_000 * 0.87**age - mileage * 0.02 + 1_500 * first + dice.gauss(0, 700)
        fuel = dice.choice(["petrol", "petrol", "diesel", "electric", ""])
        known_mileage = mileage if dice.random() > 0.05 else ""
        table.writerow([make, known_mileage, age, fuel, str(first).lower(), max(300, round(price))])
    return text.getvalue().encode()
