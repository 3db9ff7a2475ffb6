"""Nobody is kept out: axe finds nothing to object to, on any page, in either theme."""

from typing import Literal

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.conftest import Published, violations

pytestmark = [pytest.mark.stack, pytest.mark.browser, pytest.mark.timeout(240)]

TABS = ("card", "parity", "batch", "versions", "api")


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 390)])
def test_no_page_violates_a_rule(
    browser: Browser, base_url: str, published: Published, theme: Literal["light", "dark"], width: int
) -> None:
    """Contrast, names, roles, landmarks, headings, focus: no violation."""
    context = browser.new_context(base_url=base_url, color_scheme=theme, viewport={"width": width, "height": 800})
    page = context.new_page()
    found: dict[str, list[str]] = {}
    tabs = [f"/models/{published.penguins}#{tab}" for tab in TABS]
    for path in ("/", *tabs, f"/models/{published.cars}", "/models/never-trained", "/nope"):
        page.goto("about:blank")
        page.goto(path)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        page.wait_for_load_state("networkidle")
        found[path] = violations(page)
    context.close()

    assert {path: objections for path, objections in found.items() if objections} == {}


def test_wishes_for_stillness_are_respected(browser: Browser, base_url: str, published: Published) -> None:
    """With reduced motion asked for, nothing on the page takes time to move."""
    context = browser.new_context(base_url=base_url, reduced_motion="reduce")
    page = context.new_page()
    page.goto(f"/models/{published.penguins}")
    expect(page.get_by_text("answered in")).to_be_visible()

    slowest = page.evaluate(
        "Math.max(...[...document.querySelectorAll('*')].flatMap(element => "
        "getComputedStyle(element).transitionDuration.split(',').map(parseFloat)))"
    )
    context.close()

    assert slowest <= 0.001
