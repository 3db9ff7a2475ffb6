"""One rehearsal of the deployment for all tests of this folder, and what the site's journeys need to run in it."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from api._stack.auth_door import AuthDoor
from tests.conftest import RunningStack
from tests.deploy import rehearsal
from tests.deploy.fleet import Fleet
from tests.deploy.origin import Origin, bind, served
from tests.e2e.conftest import (
    base_url,
    browser_context_args,
    complaints,
    open_browser,
    published,
    signed_in,
    visitor,
)

__all__ = [
    "base_url",
    "browser_context_args",
    "complaints",
    "open_browser",
    "published",
    "signed_in",
    "visitor",
]

WARMED = ("/api/models", "/api/predict/x", "/api/me", "/api/keys", "/api/config", "/api/runs")


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> rehearsal.Build:
    """The platform's build of a copy of this checkout, with a freshly trained bundled
    model, and with things lying about that must never leave the machine.
    """
    from models.training import TrainOptions, read_table, train, write  # the harness's own tests do without

    folder = tmp_path_factory.mktemp("deploy") / "checkout"
    rehearsal.copy_checkout(folder)
    for name in (
        ".rowcast/env",
        ".env",
        ".env.local",
        "api/_stack/secret.json",
        "web/dashboard/.streamlit/secrets.toml",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("must stay here")
    gallery = rehearsal.REPOSITORY / "models/gallery"
    penguins = next(each for each in json.loads((gallery / "datasets.json").read_text()) if each["slug"] == "penguins")
    options = TrainOptions(
        target=penguins["target"], name="penguins", time_budget_seconds=1, drop=tuple(penguins["drop"])
    )
    trained = train(read_table(gallery / "datasets" / penguins["file"]), options)
    write(trained, folder / "models/gallery/penguins")
    return rehearsal.build(folder)


@pytest.fixture(scope="session")
def web_url(build: rehearsal.Build, stack: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve the built output on one origin, with the embedded stack behind it; what the site's journeys take for the site."""
    at = bind()
    url = f"http://127.0.0.1:{at.getsockname()[1]}"
    own = dict.fromkeys(("ROWCAST_SITE_URL", "ROWCAST_API_URL", "SUPABASE_PUBLIC_URL"), url)
    environ = {name: value for name, value in stack.environ.items() if name != "DATABASE_URL"} | own
    with Fleet(build, tmp_path_factory.mktemp("functions"), environ) as fleet:
        origin = Origin(
            build.router,
            build.static,
            fleet.reach,
            supabase_url=stack.supabase_url,
            door=AuthDoor(stack.supabase_url),
        )
        with served(origin, at):
            with ThreadPoolExecutor() as pool:  # a cold start on a busy machine may outlast a page's patience
                list(pool.map(lambda path: httpx.get(url + path, timeout=60, trust_env=False), WARMED))
            yield url


@pytest.fixture(scope="session")
def site_url(web_url: str) -> str:
    """Let what asks the API ask the built functions."""
    return web_url
