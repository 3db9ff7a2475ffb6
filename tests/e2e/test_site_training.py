"""From a file to a model that answers, by the site's pages alone."""

import csv
import io
import json
import random
import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect
from uuid_utils import uuid7

from tests.conftest import RunningStack
from tests.e2e.conftest import PENGUINS, Opener, violations
from tests.e2e.test_site_account_pages import run

pytestmark = [pytest.mark.stack, pytest.mark.browser, pytest.mark.timeout(240)]

TRAINED_MS = 90_000
PROFILED_MS = 30_000


def orders() -> bytes:
    """Write a table as a German spreadsheet would, with a column that mixes numbers and a word, and one that knows the answer."""
    dice = random.Random(3)
    text = io.StringIO()
    table = csv.writer(text, delimiter=";")
    table.writerow(["order_id", "amount", "channel", "items", "outcome_code", "returned"])
    for number in range(240):
        amount, channel = round(dice.lognormvariate(3, 1), 2), dice.choice(["web", "web", "shop"])
        returned = amount > 25 if dice.random() < 0.9 else channel == "web"
        items = dice.choice(["unknown", str(dice.randint(1, 12))])
        written = str(amount).replace(".", ",")
        answer = "yes" if returned else "no"
        table.writerow([f"O-{number:04d}", written, channel, items, "R" if returned else "K", answer])
    return text.getvalue().encode()


def file(name: str, content: bytes) -> Any:
    """Give content as Playwright wants files."""
    return {"name": name, "mimeType": "text/csv", "buffer": content}


def settle(page: Page) -> None:
    """Wait until nothing on the page is still to come."""
    expect(page.locator("[aria-busy=true]")).to_have_count(0, timeout=PROFILED_MS)


def test_analyst_goes_from_sign_up_to_a_key_that_predicts(
    stack: RunningStack, worker: None, open_browser: Opener, base_url: str
) -> None:
    """Sign up, upload, fix a type, train, watch live over a reload, promote, go back, make a key, run the copied curl."""
    page = open_browser(permissions=["clipboard-read", "clipboard-write"])
    _sign_up(page, stack, base_url)
    _upload(page)
    _correct(page)
    slug = _order(page)
    _watch(page)
    page.get_by_role("link", name="Try it").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Which orders come back?")
    _promote_and_go_back(page)
    _use_key(page, slug)


def _sign_up(page: Page, stack: RunningStack, base_url: str) -> None:
    email = f"{uuid7().hex}@example.com"
    page.goto("/sign-in/new?next=/workspace/datasets")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password", exact=True).fill(uuid7().hex)
    page.get_by_role("button", name="Create an account").click()
    expect(page.get_by_text("Not for your role")).to_be_visible()
    admin = stack.create_user("admin")
    with httpx.Client(base_url=base_url, headers=admin.headers, timeout=30, trust_env=False) as client:
        people = client.get("/api/people").raise_for_status().json()["people"]
        person = next(each for each in people if each["email"] == email)
        client.put(f"/api/people/{person['id']}/role", json={"role": "analyst"}).raise_for_status()
    page.reload()


def _upload(page: Page) -> None:
    page.get_by_label("Choose files").set_input_files([file("orders.csv", orders()), file("plan.xlsx", b"PK")])
    uploads = page.get_by_role("list", name="Uploads")
    expect(uploads.get_by_role("alert")).to_contain_text("Save the sheet as CSV")
    expect(uploads.get_by_role("link", name="orders.csv")).to_be_visible()
    row = page.get_by_role("row").filter(has_text="orders.csv")
    expect(row).to_contain_text("Ready", timeout=PROFILED_MS)
    expect(row).to_contain_text("240 × 6")
    row.get_by_role("link", name="orders.csv").click()


def _correct(page: Page) -> None:
    expect(page.get_by_text("mixes texts and numbers")).to_be_visible()
    expect(page.get_by_role("article", name="amount")).to_contain_text("Numbers with a comma before decimals")
    page.get_by_label("Type of items").select_option("integer")
    expect(page.get_by_role("article", name="items")).to_contain_text("You said so", timeout=PROFILED_MS)
    page.get_by_role("button", name="Leave out channel").click()
    expect(page.get_by_text("4 of 6 to learn from")).to_be_visible(timeout=PROFILED_MS)
    page.get_by_role("button", name="Undo").last.click()
    expect(page.get_by_text("5 of 6 to learn from")).to_be_visible(timeout=PROFILED_MS)
    assert violations(page) == []


def _order(page: Page) -> str:
    page.get_by_role("link", name="Train a model").click()
    expect(page.get_by_label("Column to predict")).to_have_value("returned")
    expect(page.get_by_text("Yes or no", exact=True).first).to_be_visible()
    page.get_by_role("button", name="Leave out “outcome_code”").click()
    page.get_by_label("Title").fill("Which orders come back?")
    expect(page.get_by_label("Name in addresses")).to_have_value("which-orders-come-back")
    slug = f"returns-{uuid7().hex[-8:]}"
    page.get_by_label("Name in addresses").fill(slug)
    page.get_by_text("10 s", exact=True).click()
    assert violations(page) == []
    page.get_by_role("button", name="Start training").click()
    return slug


def _watch(page: Page) -> None:
    page.wait_for_url(re.compile(r"/workspace/runs/[0-9a-f-]{36}$"))
    board = page.get_by_role("table", name="Leaderboard of trials")
    expect(board).to_contain_text("baseline", timeout=TRAINED_MS)
    expect(page.get_by_role("status").filter(has_text="live")).to_be_visible()
    page.reload()
    expect(board).to_contain_text("baseline")
    expect(page.get_by_role("heading", name="Version 1 is ready")).to_be_visible(timeout=TRAINED_MS)
    expect(page.get_by_text("Parity certificate")).to_be_visible()
    expect(page.get_by_text("Champion: it answers now")).to_be_visible()
    assert violations(page) == []


def _promote_and_go_back(page: Page) -> None:
    page.get_by_role("link", name="Private: members only").click()
    page.get_by_role("link", name="Versions").click()
    page.get_by_role("link", name="Look at it version 1").click()
    promotion = page.get_by_role("region", name="Promote")
    expect(promotion).to_contain_text("champion is this version already")
    promotion.get_by_label("Name").select_option("another one…")
    promotion.get_by_label("The other name").fill("shop")
    promotion.get_by_label("Why?").fill("the shop asks for it by this name")
    promotion.get_by_role("button", name="Promote version 1").click()
    expect(page.get_by_text("shop is version 1 now.")).to_be_visible()
    assert violations(page) == []
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("link", name="All versions").click()
    history = page.get_by_role("region", name="History").get_by_role("listitem")
    expect(history.first).to_contain_text("undone at once")
    expect(history.nth(1)).to_contain_text("the shop asks for it by this name")


def _use_key(page: Page, slug: str) -> None:
    page.get_by_role("link", name="API keys").click()
    page.get_by_role("button", name="New key").click()
    page.get_by_label("What is it for?").fill("shop")
    page.get_by_label("It works for").select_option(slug)
    page.get_by_role("button", name="Make the key").click()
    code = page.get_by_role("dialog").locator("figure")
    expect(code).to_contain_text(f"/api/predict/{slug}")
    code.get_by_role("button", name="Copy").click()
    answer, status = run(page.evaluate("navigator.clipboard.readText()")).stdout.rsplit("\n", 1)
    assert status == "200", answer
    assert json.loads(answer)["predictions"][0]["label"] in {"yes", "no"}


def test_main_journey_on_a_phone(stack: RunningStack, worker: None, signed_in: Callable[..., Page]) -> None:
    """From nothing to a trained model on a narrow screen, in the dark, without a sideways scroll."""
    analyst = stack.create_user("analyst")
    page = signed_in(
        analyst, "/workspace/runs/new", viewport={"width": 360, "height": 740}, color_scheme="dark", has_touch=True
    )

    def fits(name: str) -> None:
        settle(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        assert violations(page) == [], name

    page.get_by_label("Choose a file").set_input_files(file("penguins.csv", PENGUINS.read_bytes()))
    expect(page.get_by_label("Column to predict")).to_have_value("species", timeout=PROFILED_MS)
    page.get_by_label("Title").fill(f"Phone {uuid7().hex[-8:]}")
    page.get_by_text("More options").click()
    page.get_by_text("Whole groups").click()
    page.get_by_label("Groups are named in").select_option("island")
    fits("new-run")
    page.get_by_text("Any rows").click()
    page.get_by_text("10 s", exact=True).click()
    page.get_by_role("button", name="Start training").click()
    expect(page.get_by_role("heading", name="Version 1 is ready")).to_be_visible(timeout=TRAINED_MS)
    fits("run")
    page.get_by_role("link", name="this data set").click()
    expect(page.get_by_role("table", name="Runs on this data set")).to_contain_text("version 1")
    fits("dataset")
    for name in ("Data sets", "Training runs"):
        page.get_by_role("link", name=name).first.click()
        expect(page.get_by_role("heading", level=1)).to_have_text(name)
        fits(name)
