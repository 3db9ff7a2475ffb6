"""What journeys in the browser start from: models trained by the path that users take, and pages of people."""

import csv
import hashlib
import io
import random
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect
from uuid_utils import uuid7

from tests.conftest import RunningStack, User

AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
PENGUINS = Path(__file__).parents[2] / "models" / "gallery" / "datasets" / "penguins.csv"
TRAINING_SECONDS = 90

# The tests share a few cores with a worker that trains: patience costs nothing where all goes well.
expect.set_options(timeout=15_000)

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
    """Give the tests here contexts of their own: the ones other folders' tests have asked for know no address.

    Tests change what comes over the network, which a service worker would do without.
    """
    return {**browser_context_args, "base_url": base_url, "service_workers": "block"}


@pytest.fixture(scope="session")
def published(stack: RunningStack, web_url: str, worker: None) -> Published:
    """Upload two tables, train them and have them published."""
    word = uuid7().hex[-8:]
    models = Published(penguins=f"penguins-{word}", cars=f"cars-{word}")
    admin = stack.create_user("admin")
    with httpx.Client(base_url=web_url, headers=admin.headers, timeout=30, trust_env=False) as client:
        runs = [
            order(client, models.penguins, "Birds by their bills", PENGUINS.read_bytes(), target="species"),
            order(client, models.cars, "Cars by their age", _used_cars(), target="price"),
        ]
        for run in runs:
            wait_for(client, run)
    return models


@pytest.fixture
def complaints() -> Iterator[list[str]]:
    """Collect what pages object to, be it a broken script or the content security policy; there must be nothing."""
    collected: list[str] = []
    yield collected
    assert collected == []


@pytest.fixture
def visitor(page: Page, published: Published, complaints: list[str]) -> Page:
    """Open a browser page that must not log an error."""
    listen(page, complaints)
    return page


Opener = Callable[..., Page]
"""Opens a page in a browser of its own; keywords are Playwright's for contexts."""


@pytest.fixture
def open_browser(browser: Browser, base_url: str, complaints: list[str]) -> Iterator[Opener]:
    """Let a test open as many browsers as there are people in it; no page may log an error."""
    contexts: list[BrowserContext] = []

    def open_page(**options: Any) -> Page:
        context = browser.new_context(**{"base_url": base_url, "service_workers": "block", **options})
        contexts.append(context)
        page = context.new_page()
        listen(page, complaints)
        return page

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture
def signed_in(open_browser: Opener) -> Callable[..., Page]:
    """Let a test open a browser in which somebody has signed in, through the page for it."""

    def open_as(user: User, path: str = "/workspace/account", **options: Any) -> Page:
        page = open_browser(**options)
        enter(page, user, path)
        return page

    return open_as


def enter(page: Page, user: User, path: str = "/workspace/account") -> None:
    """Sign in with e-mail and password, and arrive at `path`."""
    page.goto(f"/sign-in?next={path}")
    page.get_by_label("E-mail").fill(user.email)
    page.get_by_label("Password", exact=True).fill(user.password)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page).to_have_url(re.compile(f"^[^?]*{re.escape(path)}$"))
    expect(page.get_by_role("heading", level=1)).to_be_visible()


def listen(page: Page, complaints: list[str]) -> None:
    """Note each error that a page logs; an answer that is no success is for the page to handle."""

    def note(message: ConsoleMessage) -> None:
        if message.type == "error" and "Failed to load resource" not in message.text:
            complaints.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: complaints.append(str(error)))


def violations(page: Page) -> list[str]:
    """Run axe with every rule, best practices included, and name what it objects to."""
    # Evaluated, not added as a script: the page's content policy allows no inline script, and shall not for a test.
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found: dict[str, Any] = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    return [f"{each['id']}: {node['html'][:160]}" for each in found["violations"] for node in each["nodes"]]


def order(client: httpx.Client, slug: str, title: str, content: bytes, *, target: str) -> str:
    """Upload a table and order a public model of it; answers the run's id."""
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


def wait_for(client: httpx.Client, run: str) -> None:
    """Wait until a run has made its model."""
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
