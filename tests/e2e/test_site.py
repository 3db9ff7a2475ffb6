"""What visitors do on the public site, in a real browser in front of the real API."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import Published

pytestmark = [pytest.mark.stack, pytest.mark.browser, pytest.mark.timeout(240)]

PHONE = {"width": 390, "height": 844}
SHIFT_BUDGET = 0.02
"""Cumulative layout shift; 0.1 counts as good, we want none that can be seen."""


def answer(page: Page) -> str:
    """Read the prediction that is shown, once there is one."""
    shown = page.get_by_role("region", name=re.compile("^(Prediction|Live prediction)$"))
    expect(shown).to_contain_text("answered in")
    return shown.inner_text()


def test_home_shows_the_trained_models_and_a_live_prediction(visitor: Page, published: Published) -> None:
    """One screen says what Rowcast is, with a real model answering in it."""
    visitor.goto("/")

    expect(visitor).to_have_title("Rowcast: row in, prediction out")
    expect(visitor.get_by_role("heading", level=1)).to_contain_text("Row in")
    expect(visitor.get_by_role("link", name="Birds by their bills")).to_be_visible()
    expect(visitor.get_by_role("link", name="Cars by their age", exact=True)).to_be_visible()
    before = answer(visitor)

    visitor.get_by_role("button", name="Surprise me").click()

    expect(visitor.get_by_role("region", name="Live prediction")).not_to_have_text(before)


def test_gallery_is_searched_and_filtered(visitor: Page) -> None:
    """Search and filter narrow the gallery, live in the address, and say so when nothing is left."""
    visitor.goto("/")
    cars = visitor.get_by_role("article").filter(has_text="Cars by their age")
    penguins = visitor.get_by_role("article").filter(has_text="Birds by their bills")
    expect(penguins).to_be_visible()

    visitor.get_by_role("radio", name="How much").check(force=True)
    expect(penguins).to_be_hidden()
    expect(cars).to_be_visible()
    expect(visitor).to_have_url(re.compile(r"\?task=regression"))

    visitor.get_by_role("searchbox").fill("birds by")
    expect(visitor.get_by_text("No model matches.")).to_be_visible()
    visitor.get_by_role("button", name="Show all").click()
    expect(penguins).to_be_visible()
    expect(cars).to_be_visible()


def test_prediction_follows_the_input(visitor: Page, published: Published) -> None:
    """From the gallery to a model: each change of an input is answered, by number and by slider."""
    visitor.goto("/")
    visitor.get_by_role("link", name="Birds by their bills").click()
    expect(visitor).to_have_url(re.compile(f"/models/{published.penguins}$"))
    expect(visitor).to_have_title("Birds by their bills · Rowcast")
    prediction = visitor.get_by_role("region", name="Prediction")
    expect(prediction).to_contain_text("answered in")

    visitor.get_by_label("bill_length_mm", exact=True).fill("38")
    visitor.get_by_label("flipper_length_mm", exact=True).fill("185")
    visitor.get_by_role("radio", name="Torgersen").check(force=True)
    expect(prediction).to_contain_text("Adelie")
    expect(prediction.locator("p.text-4xl")).to_have_text("Adelie")

    visitor.get_by_label("bill_length_mm", exact=True).fill("50,5")
    visitor.get_by_label("bill_depth_mm", exact=True).fill("14")
    visitor.get_by_label("flipper_length_mm, slider").focus()
    visitor.keyboard.press("End")
    for _ in range(3):
        visitor.keyboard.press("PageUp")
    visitor.get_by_role("radio", name="Biscoe").check(force=True)
    expect(prediction.locator("p.text-4xl")).to_have_text("Gentoo")


def test_permalink_brings_the_inputs_back(visitor: Page, published: Published) -> None:
    """The address holds the row: reloaded or shared it shows the same inputs and the same answer."""
    visitor.goto(f"/models/{published.penguins}")
    visitor.get_by_label("bill_length_mm", exact=True).fill("51.3")
    visitor.get_by_role("button", name="body_mass_g is unknown").click()
    visitor.get_by_role("radio", name="Dream").check(force=True)
    expect(visitor).to_have_url(re.compile(r"island=Dream&bill_length_mm=51\.3&.*body_mass_g=&"))
    shown = visitor.get_by_role("region", name="Prediction").locator("p.text-4xl").inner_text()

    visitor.reload()

    expect(visitor.get_by_label("bill_length_mm", exact=True)).to_have_value("51.3")
    expect(visitor.get_by_role("button", name="body_mass_g is unknown")).to_have_attribute("aria-pressed", "true")
    expect(visitor.get_by_role("radio", name="Dream")).to_be_checked()
    expect(visitor.get_by_role("region", name="Prediction").locator("p.text-4xl")).to_have_text(shown)
    visitor.get_by_role("button", name="Reset").click()
    expect(visitor).to_have_url(re.compile(f"/models/{published.penguins}$"))


def test_everything_is_reached_by_keyboard(visitor: Page) -> None:
    """Without a pointer: skip the header, open a model, change a number, read another tab, go back."""
    visitor.goto("/")
    expect(visitor.get_by_role("link", name="Birds by their bills")).to_be_visible()
    visitor.keyboard.press("Tab")
    expect(visitor.get_by_role("link", name="Skip to the content")).to_be_focused()
    visitor.keyboard.press("Enter")
    for _ in range(40):
        visitor.keyboard.press("Tab")
        if visitor.evaluate("document.activeElement?.textContent?.trim()") == "Birds by their bills":
            break
    visitor.keyboard.press("Enter")
    expect(visitor.get_by_role("heading", level=1)).to_have_text("Birds by their bills")
    expect(visitor.locator("main")).to_be_focused()

    bill = visitor.get_by_label("bill_length_mm", exact=True)
    for _ in range(40):
        visitor.keyboard.press("Tab")
        if bill.evaluate("field => field === document.activeElement"):
            break
    before = float(bill.input_value())
    visitor.keyboard.press("ArrowUp")
    expect(bill).not_to_have_value(str(before))

    visitor.get_by_role("tab", name="Model card").focus()
    visitor.keyboard.press("ArrowRight")
    expect(visitor.get_by_role("tabpanel")).to_contain_text("What was trained is what is served")
    visitor.go_back()
    expect(visitor.get_by_role("heading", level=1)).to_contain_text("Row in")


def test_csv_is_predicted_and_taken_away(visitor: Page, published: Published) -> None:
    """A dropped CSV becomes a table with predictions; a bad row does not stop the others; the download holds both."""
    visitor.goto(f"/models/{published.penguins}#batch")
    table = (
        "species;island;bill_length_mm;bill_depth_mm;flipper_length_mm;body_mass_g;sex;year;note\n"
        "Adelie;Torgersen;39,1;18,7;181;3750;male;2007;first\n"
        "Gentoo;Biscoe;;13,2;211;4500;female;2007;unknown bill\n"
        "Gentoo;Biscoe;wide;13,2;211;4500;female;2007;bad bill\n"
    )
    file = {"name": "birds.csv", "mimeType": "text/csv", "buffer": table.encode()}
    visitor.locator("input[type=file]").set_input_files([file])

    result = visitor.get_by_role("region", name="Predictions for birds.csv")
    expect(result.get_by_role("status")).to_contain_text("2 rows predicted, 1 row could not be used")
    expect(result.get_by_role("row").nth(1)).to_contain_text("Adelie")
    expect(result.get_by_role("row").nth(3)).to_contain_text("bill_length_mm")
    with visitor.expect_download() as downloading:
        result.get_by_role("button", name="Download CSV").click()

    assert downloading.value.suggested_filename == "birds-predicted.csv"
    lines = downloading.value.path().read_text(encoding="utf-8").splitlines()
    assert lines[0].endswith("note,prediction,probability_Adelie,probability_Chinstrap,probability_Gentoo,error")
    assert lines[1].startswith("Adelie,Torgersen,39.1,") or ",39.1," in lines[1]
    assert len(lines) == 4


def test_phone_shows_the_answer_while_the_form_is_used(browser: Browser, base_url: str, published: Published) -> None:
    """At phone size nothing is cut off, and the answer stays in sight below the form."""
    context = browser.new_context(viewport=PHONE, has_touch=True, is_mobile=True, base_url=base_url)
    page = context.new_page()
    tabs = [f"/models/{published.penguins}#{tab}" for tab in ("card", "parity", "batch", "versions", "api")]
    for path in ("/", *tabs, f"/models/{published.cars}", "/nope"):
        page.goto("about:blank")
        page.goto(path)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        page.wait_for_load_state("networkidle")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path

    page.goto(f"/models/{published.penguins}")
    sex = page.get_by_role("radio", name="female")
    sex.scroll_into_view_if_needed()
    page.mouse.wheel(0, 300)
    sticky = page.get_by_role("button", name=re.compile(r"^species"))
    expect(sticky).to_be_visible()
    before = sticky.inner_text()
    sex.check(force=True)
    expect(sticky).not_to_have_text(before)
    context.close()


def test_nothing_moves_while_a_page_loads(visitor: Page, published: Published) -> None:
    """No layout shift: skeletons have the size of what replaces them, and fonts come in time or not at all."""
    visitor.add_init_script(
        "window.shift = 0; new PerformanceObserver(list => { for (const entry of list.getEntries())"
        " if (!entry.hadRecentInput) window.shift += entry.value }).observe({ type: 'layout-shift', buffered: true })"
    )
    for path in ("/", f"/models/{published.penguins}", f"/models/{published.cars}"):
        visitor.goto(path)
        expect(visitor.get_by_text("answered in")).to_be_visible()
        visitor.wait_for_load_state("networkidle")
        assert visitor.evaluate("window.shift") <= SHIFT_BUDGET, path


def test_theme_is_chosen_and_remembered(visitor: Page) -> None:
    """Dark is kept over a reload and is there before the first paint; 'system' follows the system again."""
    visitor.goto("/")
    background = "getComputedStyle(document.body).backgroundColor"
    light = visitor.evaluate(background)
    visitor.get_by_role("radio", name="Dark").check(force=True)
    dark = visitor.evaluate(background)
    assert dark != light

    visitor.reload()
    assert visitor.evaluate(background) == dark
    visitor.get_by_role("radio", name="As the system").check(force=True)
    assert visitor.evaluate(background) == light
