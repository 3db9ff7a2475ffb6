"""The dashboard against the real stack: in-process for its pages, in a browser for its doors."""

import hashlib
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
import streamlit as st
from playwright.sync_api import Browser, BrowserContext, Page, expect
from streamlit.testing.v1 import AppTest

from tests.conftest import RunningStack, User

REPOSITORY = Path(__file__).resolve().parents[2]
DASHBOARD = REPOSITORY / "web" / "dashboard"
GALLERY = REPOSITORY / "models" / "gallery" / "datasets"
TRAINING_SECONDS = 90

PATIENCE_MS = 30_000

type Open = Callable[..., AppTest]
type Enter = Callable[[User], Page]


def train(client: httpx.Client, user: User, file: Path, order: dict) -> dict:
    """Take a table the way a person's does: upload, run, worker; return the finished run."""
    content = file.read_bytes()
    wanted = {"filename": file.name, "size_bytes": len(content)}
    made = client.post("/api/datasets", json=wanted, headers=user.headers).raise_for_status().json()
    upload = made["upload"]
    sent = httpx.request(upload["method"], upload["url"], headers=upload["headers"], content=content, trust_env=False)
    sent.raise_for_status()
    complete = f"/api/datasets/{made['dataset']['id']}/complete"
    digest = {"sha256": hashlib.sha256(content).hexdigest()}
    client.post(complete, json=digest, headers=user.headers).raise_for_status()
    order = {"dataset_id": made["dataset"]["id"], **order}
    run = client.post("/api/runs", json=order, headers=user.headers).raise_for_status().json()
    ends_at = time.monotonic() + TRAINING_SECONDS
    while run["status"] in {"queued", "running"} and time.monotonic() < ends_at:
        time.sleep(0.3)
        run = client.get(f"/api/runs/{run['id']}", headers=user.headers).raise_for_status().json()
    assert run["status"] == "succeeded", run
    return run


@pytest.fixture(scope="session")
def penguins(site_url: str, worker: None, analyst: User) -> str:
    """Train and publish the penguins as the analyst's model; return its slug."""
    with httpx.Client(base_url=site_url, timeout=30, trust_env=False) as client:
        order = {
            "model": "dashboard-penguins",
            "title": "Dashboard penguins",
            "target": "species",
            "visibility": "public",
            "options": {"time_budget_seconds": 1, "drop": ["year"]},
        }
        train(client, analyst, GALLERY / "penguins.csv", order)
    return "dashboard-penguins"


@pytest.fixture(scope="session")
def private_penguins(site_url: str, worker: None, analyst: User) -> str:
    """Train the penguins once more as the analyst's private model; return its slug."""
    with httpx.Client(base_url=site_url, timeout=30, trust_env=False) as client:
        order = {"model": "private-penguins", "target": "species", "options": {"time_budget_seconds": 1}}
        train(client, analyst, GALLERY / "penguins.csv", order)
    return "private-penguins"


@pytest.fixture
def settings(stack: RunningStack, site_url: str, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Give the dashboard what a deployment gives it; change a variable through the returned patch."""
    for name in ("SUPABASE_URL", "SUPABASE_PUBLISHABLE_KEY"):
        monkeypatch.setenv(name, stack.environ[name])
    monkeypatch.setenv("ROWCAST_API_URL", site_url)
    return monkeypatch


@pytest.fixture
def open_page(settings: pytest.MonkeyPatch) -> Iterator[Open]:
    """Open a page in a session of its own, as a visitor or signed in."""
    settings.syspath_prepend(str(DASHBOARD))
    settings.chdir(REPOSITORY)
    # In-process there is no browser to have cookies; tests/dashboard/test_browser.py has a real one.
    settings.setattr(type(st.context), "cookies", property(lambda _: {}))
    st.cache_data.clear()
    st.cache_resource.clear()

    def open_page(page: str = "overview", user: User | None = None, **query: str) -> AppTest:
        app = AppTest.from_file(str(DASHBOARD / "streamlit_app.py"), default_timeout=30)
        app.run()
        if user is not None:
            app.switch_page("app_pages/account.py").run()
            app.text_input(key="email").input(user.email)
            app.text_input(key="password").input(user.password)
            app.button[0].click().run()
        for name, value in query.items():
            app.query_params[name] = value
        return app.switch_page(f"app_pages/{page}.py").run()

    yield open_page
    st.cache_resource.clear()
    for name in [name for name, module in sys.modules.items() if _is_ours(module)]:
        del sys.modules[name]


def _is_ours(module: object) -> bool:
    file = getattr(module, "__file__", None)
    return file is not None and Path(file).is_relative_to(DASHBOARD)


@pytest.fixture
def page_of(browser: Browser, dashboard_url: str) -> Iterator[Enter]:
    """Open a browser of its own for a person and sign in there."""
    expect.set_options(timeout=PATIENCE_MS)
    contexts: list[BrowserContext] = []

    def enter(user: User) -> Page:
        contexts.append(browser.new_context(base_url=dashboard_url, viewport={"width": 1280, "height": 900}))
        page = contexts[-1].new_page()
        page.goto("/account")
        page.get_by_label("E-mail").fill(user.email)
        page.get_by_label("Password", exact=True).fill(user.password)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("heading", name="Account")).to_be_visible()
        page.wait_for_function("document.cookie.includes('rowcast_session')")
        return page

    yield enter
    for context in contexts:
        context.close()


def words(app: AppTest) -> str:
    """Join everything a page says, without the marks of Markdown."""
    said = [*app.title, *app.header, *app.markdown, *app.caption, *app.info, *app.warning, *app.error, *app.success]
    return " ".join(str(each.value) for each in said).replace("\\", "")


def asked(app: AppTest, name: str) -> str:
    """Read one parameter of the page's address."""
    value = app.query_params[name]
    return value if isinstance(value, str) else value[0]
