"""What every test can use: a clean environment, and one real embedded stack for the whole session.

The stack is started by the first test that asks for it and holds the servers only (PostgreSQL, Supabase's doors, the
key-value store). Site and worker join when a fixture that needs them is asked for. Tests share it, so each names its
own things with `unique` and leaves other tests' rows alone.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import hypothesis
import psycopg
import pytest
from uuid_utils import uuid7

from api._commands import browser
from api._stack import site
from api._stack.settings import Ports, Settings
from api._stack.stack import Stack

pytest_plugins = ["tests.failures"]

_FOREIGN_PREFIXES = ("SUPABASE_", "KV_", "UPSTASH_", "ROWCAST_", "VERCEL")
_FOREIGN_NAMES = ("DATABASE_URL", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
_KEPT = ("ROWCAST_CHROMIUM", "ROWCAST_PYTHON")
_COLOURS = ("FORCE_COLOR", "CLICOLOR_FORCE", "PY_COLORS", "TTY_COMPATIBLE")


@dataclass(frozen=True)
class User:
    """A person with an account in the test stack."""

    id: str
    email: str
    password: str
    access_token: str

    @property
    def headers(self) -> dict[str, str]:
        """What the API wants to see from this person."""
        return {"Authorization": f"Bearer {self.access_token}"}


class RunningStack:
    """The session's stack, with what tests often need done to it."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self.settings = stack.settings
        self.environ = stack.environ()
        self.supabase_url = stack.settings.supabase_url
        self.site_url = stack.settings.site_url
        self.dashboard_url = stack.settings.dashboard_url
        self.kv_url = stack.settings.kv_url

    def run(self, *applications: str) -> None:
        """Start applications (site, worker, dashboard) that do not run yet."""
        self._stack.start_applications(applications)

    def connect(self, **options: Any) -> psycopg.Connection[Any]:
        """Open a connection as the owner of our tables; close it, or use it in a `with`."""
        return psycopg.connect(self.environ["DATABASE_URL"], **options)

    def client(self, *, user: User | None = None, is_service: bool = False) -> httpx.Client:
        """Open a client of Supabase's doors as a visitor, a user or the service."""
        key = self.environ["SUPABASE_SECRET_KEY" if is_service else "SUPABASE_PUBLISHABLE_KEY"]
        headers = {"apikey": key, **(user.headers if user else {})}
        return httpx.Client(base_url=self.supabase_url, headers=headers, timeout=30, trust_env=False)

    def create_user(self, role: str | None = None) -> User:
        """Sign a new person up, as the site does; `role` is viewer (None), analyst or admin."""
        email, password = f"{uuid7().hex}@example.com", uuid7().hex
        with self.client() as client:
            answer = client.post("/auth/v1/signup", json={"email": email, "password": password})
        answer.raise_for_status()
        session = answer.json()
        user = User(session["user"]["id"], email, password, session["access_token"])
        if role is not None:
            statement = (
                "insert into private.user_roles (user_id, role) values (%s, %s) "
                "on conflict (user_id) do update set role = excluded.role"
            )
            with self.connect() as connection:
                connection.execute(statement, (user.id, role))
        return user


def pytest_configure() -> None:
    """Let commands under test print plain text, whoever runs the tests: Nx asks all below it for colours.

    An example of a property may take as long as a busy machine makes it take.
    """
    hypothesis.settings.register_profile("patient", deadline=None)
    hypothesis.settings.load_profile("patient")
    for name in _COLOURS:
        os.environ.pop(name, None)


def pytest_report_teststatus(report: pytest.TestReport, config: pytest.Config) -> tuple[str, str, str] | None:
    """Write a line per file and no dot per test where nobody watches: two runs at a time share one log, line by line."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    is_watched = reporter is None or reporter.isatty
    return None if is_watched or report.when != "call" or not report.passed else ("passed", "", "PASSED")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put tests that need a worker behind those that do not: from its start on, it takes up whatever a test leaves queued.

    Tests that drive a browser come last: Playwright keeps an event loop on this thread until the session ends, and no
    other test could then start one of its own.
    """
    items.sort(key=lambda item: ["browser" in _fixtures(item), "worker" in _fixtures(item)])


def _fixtures(item: pytest.Item) -> list[str]:
    return getattr(item, "fixturenames", [])


@pytest.fixture(autouse=True)
def clean_environ(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away what the caller's shell says about other stacks, accounts, proxies and colours."""
    for name in list(os.environ):
        if name not in _KEPT and (name.startswith(_FOREIGN_PREFIXES) or name in (*_FOREIGN_NAMES, *_COLOURS)):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def stack_home() -> Iterator[Path]:
    """Make a folder the database's user can reach, which pytest's own folders are not when root runs the tests."""
    home = Path(tempfile.mkdtemp(prefix="rowcast-test-"))
    yield home
    shutil.rmtree(home)


@pytest.fixture(scope="session")
def stack(stack_home: Path) -> Iterator[RunningStack]:
    """Run the real servers on ports of their own, without a gallery, until the session ends."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("ROWCAST_") and name not in _KEPT]:
            patch.delenv(name)
        settings = Settings(home=stack_home, ports=Ports.free(), is_durable=False)
        running = Stack(settings, applications=(), on_event=lambda _: None)
        running.start()
    yield RunningStack(running)
    running.stop()


@pytest.fixture(scope="session")
def site_url(stack: RunningStack) -> str:
    """Start the site with the whole API and return its origin."""
    stack.run("site")
    return stack.site_url


@pytest.fixture(scope="session")
def worker(stack: RunningStack) -> None:
    """Start a worker, so that runs are trained."""
    stack.run("worker")


@pytest.fixture(scope="session")
def dashboard_url(stack: RunningStack, site_url: str) -> str:
    """Start the dashboard in front of the site and return its address."""
    stack.run("dashboard")
    return stack.dashboard_url


@pytest.fixture(scope="session")
def web_url(stack: RunningStack) -> str:
    """Build the site if its sources have changed, start it with the API and return its origin."""
    site.build(stack.settings, lambda _: None)
    stack.run("site")
    return stack.site_url


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """Let pytest-playwright's `page` and `browser` drive the Chromium that is here."""
    found = browser.find()
    assert found is not None, "no Chromium here; ./rowcast test gets one"
    return {**browser_type_launch_args, "executable_path": str(found), "args": browser.launch_flags()}


@pytest.fixture
def api(site_url: str) -> Iterator[httpx.Client]:
    """Open a client of our API as an anonymous visitor; pass `headers=user.headers` to be somebody."""
    with httpx.Client(base_url=site_url, timeout=30, trust_env=False) as client:
        yield client


@pytest.fixture
def anonymous_client(stack: RunningStack) -> Iterator[httpx.Client]:
    """Open a client of Supabase's doors with the publishable key."""
    with stack.client() as client:
        yield client


@pytest.fixture
def service_client(stack: RunningStack) -> Iterator[httpx.Client]:
    """Open a client of Supabase's doors with the secret key: row security does not apply."""
    with stack.client(is_service=True) as client:
        yield client


@pytest.fixture
def database(stack: RunningStack) -> Iterator[psycopg.Connection[Any]]:
    """Open a connection as the owner of our tables; what the test does in it is rolled back unless it commits."""
    with stack.connect() as connection:
        yield connection
        connection.rollback()


@pytest.fixture(scope="session")
def viewer(stack: RunningStack) -> User:
    """Sign up somebody without a role."""
    return stack.create_user()


@pytest.fixture(scope="session")
def analyst(stack: RunningStack) -> User:
    """Sign up an analyst."""
    return stack.create_user("analyst")


@pytest.fixture(scope="session")
def stranger(stack: RunningStack) -> User:
    """Sign up another analyst, who owns nothing of the first."""
    return stack.create_user("analyst")


@pytest.fixture(scope="session")
def admin(stack: RunningStack) -> User:
    """Sign up an administrator."""
    return stack.create_user("admin")


@pytest.fixture
def unique() -> str:
    """Return a word no other test uses; fit for slugs, file names and SQL names."""
    return f"t{uuid7().hex[-12:]}"
