"""The site without a network: what was used goes on, and no page is shown whose parts are gone."""

import functools
import http.server
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.conftest import RunningStack
from tests.e2e.conftest import Opener, Published, enter

pytestmark = [pytest.mark.stack, pytest.mark.browser, pytest.mark.timeout(240)]

DIST = Path(__file__).parents[2] / "web" / "dist"
KEPT = """async () => {
  for (const name of ["rowcast-kept-mine", "rowcast-kept"]) {
    for (const each of (await caches.has(name)) ? await (await caches.open(name)).keys() : []) {
      if (each.url.includes("/artifact")) return true;
    }
  }
  return false;
}"""

REPLACED = """async () => {
  const { installing, waiting, active } = await navigator.serviceWorker.getRegistration();
  const site = (await caches.keys()).find(name => name.startsWith("rowcast-site-another-"));
  return !installing && !waiting && active.state === "activated" && site
    && Boolean(await caches.match("/index.html", { cacheName: site }));
}"""

TOLD_OFFLINE = """if (sessionStorage.getItem("network lost"))
  Object.defineProperty(navigator, "onLine", { get: () => false, configurable: true });"""
"""A browser without a network says so on every page. Chromium 150, told to be without one, forgets it with the next page."""


def test_a_tried_model_goes_on_without_a_network(
    open_browser: Opener, published: Published, stack: RunningStack
) -> None:
    """Visitor: try, switch to the device, go offline, reload, go on. What somebody signed in kept goes with the session."""
    page = open_browser(service_workers="allow")
    page.goto(f"/models/{published.cars}")
    prediction = page.get_by_role("region", name="Prediction")
    expect(prediction).to_contain_text("answered in")
    _use_device(page)

    _lose_network(page)
    page.reload()
    expect(page.get_by_role("status").filter(has_text="You are offline.")).to_be_visible()
    expect(prediction).to_contain_text("computed on your device", timeout=20_000)
    before = prediction.locator("p.text-4xl").inner_text()
    page.get_by_label("age_years", exact=True).fill("0.5")
    expect(prediction.locator("p.text-4xl")).not_to_have_text(before)
    page.get_by_role("combobox", name="make").fill("cor")
    expect(page.get_by_role("option", name="Corolla")).to_be_visible()
    page.goto("/")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Row in")

    _find_network(page)
    enter(page, stack.create_user("viewer"), f"/models/{published.penguins}")
    _use_device(page)
    assert page.evaluate("caches.has('rowcast-kept-mine')")
    page.get_by_role("button", name="Account").click()
    page.get_by_role("menuitem", name="Sign out").click()
    _until(page, "async () => !(await caches.has('rowcast-kept-mine'))")


def test_a_model_that_was_not_kept_says_what_it_waits_for(open_browser: Opener, published: Published) -> None:
    """Seen but never opened on the device: the page is there, and says that it waits for the network."""
    page = open_browser(service_workers="allow")
    page.goto("/")
    page.evaluate("navigator.serviceWorker.ready.then(() => 0)")
    page.goto(f"/models/{published.penguins}")
    expect(page.get_by_role("region", name="Prediction")).to_contain_text("answered in")

    _lose_network(page)
    page.reload()

    expect(page.get_by_role("heading", level=1)).to_have_text("Birds by their bills")
    expect(page.get_by_role("region", name="Prediction")).to_contain_text("You are offline.")
    _find_network(page)
    expect(page.get_by_role("region", name="Prediction")).to_contain_text("answered in")


def test_a_new_deployment_replaces_the_one_before_as_a_whole(open_browser: Opener, deployed: tuple[str, Path]) -> None:
    """After a deployment a tab of the old build still finds its parts, and a new page is the new build's, kept as a whole."""
    address, folder = deployed
    page = open_browser(service_workers="allow", base_url=address)
    entry = "document.querySelector('script[type=module]').src.split('/').pop()"
    page.goto("/nope")
    page.evaluate("navigator.serviceWorker.ready.then(() => 0)")
    old = page.evaluate(entry)
    part = next((folder / "assets").glob("Insight-*.js")).name

    new = _deploy_another(folder, old)
    assert page.evaluate(f"fetch('/assets/{part}').then(answer => answer.status)") == 200
    page.goto("/nope")
    assert page.evaluate(entry) == new
    _until(page, REPLACED)

    _lose_network(page)
    page.reload()
    assert page.evaluate(entry) == new
    expect(page.get_by_role("heading", level=1)).to_have_text("No such row.")


@pytest.fixture
def deployed(tmp_path: Path, web_url: str) -> Iterator[tuple[str, Path]]:
    """Serve a copy of the built site that a test may change."""
    folder = tmp_path / "site"
    shutil.copytree(DIST, folder, ignore=shutil.ignore_patterns("docs", "*.wasm"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Files, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", folder
        server.shutdown()


class _Files(http.server.SimpleHTTPRequestHandler):
    """Files, and the page for any other path, to be asked for anew each time: as the platform serves the site."""

    def do_GET(self) -> None:
        if "." not in self.path:
            self.path = "/index.html"
        super().do_GET()

    def end_headers(self) -> None:
        self.send_header("cache-control", "public, max-age=0, must-revalidate")
        super().end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def _lose_network(page: Page) -> None:
    page.context.set_offline(True)
    page.add_init_script(TOLD_OFFLINE)
    page.evaluate("sessionStorage.setItem('network lost', 'yes')")


def _find_network(page: Page) -> None:
    page.evaluate("sessionStorage.removeItem('network lost')")
    page.context.set_offline(False)
    page.evaluate("delete navigator.onLine; dispatchEvent(new Event('online'))")


def _use_device(page: Page) -> None:
    prediction = page.get_by_role("region", name="Prediction")
    prediction.get_by_role("radio", name="This device").check(force=True)
    expect(prediction).to_contain_text("computed on your device", timeout=20_000)
    page.evaluate("navigator.serviceWorker.ready.then(() => 0)")
    _until(page, KEPT)


def _until(page: Page, condition: str) -> None:
    """Wait for an asynchronous condition, which `wait_for_function` would take for true at once."""
    pause = "await new Promise(resolve => setTimeout(resolve, 100))"
    page.evaluate(f"async () => {{ while (!(await ({condition})())) {pause}; }}")


def _deploy_another(folder: Path, old: str) -> str:
    """Replace the build by one with other names, and forget the parts of the one before."""
    new = old.replace("index-", "index-Z")
    parts = {path.name: path.name.replace("-", "-Z", 1) for path in (folder / "assets").glob("Insight-*.js")} | {
        old: new
    }
    for path in [*folder.glob("*.html"), folder / "sw.js", *(folder / "assets").glob("*.js")]:
        text = path.read_text(encoding="utf-8")
        for before, after in parts.items():
            text = text.replace(before, after)
        path.write_text(text.replace('const BUILD = "', 'const BUILD = "another-'), encoding="utf-8")
    for before, after in parts.items():
        (folder / "assets" / before).rename(folder / "assets" / after)
    return new
