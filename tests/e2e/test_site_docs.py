"""The documentation as its readers meet it: with and without JavaScript, by keyboard, on a phone, and to be tried."""

import io
import os
import re
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import Opener, Published, violations

pytestmark = [pytest.mark.stack, pytest.mark.browser, pytest.mark.timeout(240)]

IMAGES = Path(__file__).parents[2] / "web" / "public" / "docs" / "images"
WRITING = os.environ.get("ROWCAST_PICTURES") == "write"
"""Read while the tests are collected: each of them starts with a clean environment."""
DIFFERENCE = 0.08
"""Mean difference of two pictures in brightness, coarsely seen. Other fonts make 0.03; another page makes 0.2 and more."""


def test_a_page_is_there_without_javascript(browser: Browser, base_url: str) -> None:
    """Search engines and readers without scripts get the text, its title and its plain form."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{base_url}/docs/training")
    title, heading = page.title(), page.get_by_role("heading", level=1).inner_text()
    leads_on = page.get_by_role("link", name="actuals").or_(page.get_by_role("heading", name="What is tried")).count()
    context.close()
    plain = httpx.get(f"{base_url}/docs/training.md", trust_env=False)
    listed = httpx.get(f"{base_url}/llms.txt", trust_env=False).text

    assert (title, heading, leads_on) == ("Training honestly · Rowcast", "Training honestly", 1)
    assert plain.text.startswith("# Training honestly\n")
    assert "(/docs/training.md)" in listed


def test_pages_are_found_read_and_copied_from(open_browser: Opener) -> None:
    """Search narrows the list, links move without a reload, a topic has an address, code is copied by a button."""
    page = open_browser(permissions=["clipboard-read", "clipboard-write"], viewport={"width": 1400, "height": 900})
    page.goto("/docs")
    page.evaluate("window.stayed = true")
    documentation = page.get_by_role("navigation", name="Documentation")
    documentation.get_by_role("searchbox").fill("false alarms")
    expect(documentation.get_by_role("link")).to_have_text(["Watching a model"])
    documentation.get_by_role("searchbox").fill("")
    documentation.get_by_role("link", name="Quick start").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Quick start")
    expect(page).to_have_title("Quick start · Rowcast")

    page.get_by_role("navigation", name="On this page").get_by_role("link", name="End it").click()
    expect(page).to_have_url(re.compile("#end-it$"))
    page.locator("figure", has_text="./rowcast down").get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()

    assert page.evaluate("navigator.clipboard.readText()") == "./rowcast down"
    assert page.evaluate("window.stayed")


def test_unknown_page_is_not_found(visitor: Page) -> None:
    """A page that does not exist is answered as such, by its status and in words."""
    answer = visitor.goto("/docs/nothing-like-that")

    assert answer is not None
    assert answer.status == 404
    expect(visitor.get_by_role("heading", level=1)).to_have_text("No such row.")


def test_a_call_is_tried_from_the_reference(visitor: Page, published: Published) -> None:
    """A reader finds a call, is told what it lacks, sends it, and reads the real answer."""
    visitor.goto("/docs/api")
    calls = visitor.get_by_role("region", name="Calls")
    calls.get_by_role("searchbox").fill("post /api/predict/{model} csv")
    call = calls.locator("details", has_text="Predict for one row, many rows, columns or a CSV.").first
    call.locator("summary").click()
    call.get_by_label("model", exact=True).fill(" ")
    call.get_by_role("button", name="Send").click()
    expect(call.get_by_text("This is needed.")).to_be_visible()

    call.get_by_label("model", exact=True).fill(published.penguins)
    call.get_by_label("Body").fill('{"bill_length_mm": "long"}')
    call.get_by_role("button", name="Send").click()
    expect(call.get_by_text("Status 422")).to_be_visible()
    expect(call.get_by_role("group", name=re.compile("^Answer"))).to_contain_text("#/bill_length_mm")
    expect(call.get_by_role("group", name="The same as curl")).to_contain_text(f"/api/predict/{published.penguins}'")


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 360)])
def test_documentation_keeps_nobody_out(browser: Browser, base_url: str, theme: str, width: int) -> None:
    """No rule of accessibility is broken, and no page is wider than the screen."""
    context = browser.new_context(
        base_url=base_url, color_scheme="dark" if theme == "dark" else "light", viewport={"width": width, "height": 800}
    )
    page = context.new_page()
    found: dict[str, object] = {}
    for path in ("/docs/predict", "/docs/migrating", "/docs/architecture", "/docs/api"):
        page.goto(path)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        page.wait_for_load_state("networkidle")
        found[path] = (violations(page), page.evaluate("document.documentElement.scrollWidth > innerWidth"))
    context.close()

    assert {path: each for path, each in found.items() if each != ([], False)} == {}


def test_pictures_show_the_pages_as_they_are(open_browser: Opener, published: Published) -> None:
    """Each picture of the documentation is what a browser shows today; ROWCAST_PICTURES=write takes them anew."""
    page = open_browser(viewport={"width": 1280, "height": 860}, color_scheme="light", reduced_motion="reduce")
    page.goto(f"/models/{published.penguins}")
    expect(page.get_by_role("region", name="Prediction")).to_contain_text("answered in")
    page.wait_for_load_state("networkidle")

    assert differs(page, "model-page.png") < DIFFERENCE


def differs(page: Page, name: str) -> float:
    """Tell how far a page is from its picture, 0 to 1; with ROWCAST_PICTURES=write the picture is taken anew."""
    taken = Image.open(io.BytesIO(page.screenshot()))
    if WRITING:
        # 256 colours are plenty for pages like ours, and make a third of the bytes; refined, the rare ones stay what they are.
        colours = taken.convert("RGB").quantize(256, kmeans=2, dither=Image.Dither.NONE)
        colours.save(IMAGES / name, optimize=True)
    with Image.open(IMAGES / name) as kept:
        assert kept.size == taken.size
        coarse = [np.asarray(each.convert("L").resize((32, 20)), dtype=float) / 255 for each in (taken, kept)]
    return float(np.abs(coarse[0] - coarse[1]).mean())
