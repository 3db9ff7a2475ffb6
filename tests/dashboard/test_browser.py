"""What only a real browser can show."""

import re
import time

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.conftest import User

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PATIENCE_MS = 20_000


@pytest.fixture(autouse=True)
def patience() -> None:
    """Give a loaded machine time; nothing waits longer than it must."""
    expect.set_options(timeout=PATIENCE_MS)


def test_first_page_lists_the_trained_models(page: Page, dashboard_url: str, penguins: str):
    """A person who opens the dashboard sees the models, and a click leads to one of them."""
    page.goto(dashboard_url)

    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    link = page.get_by_role("link", name="Dashboard penguins")
    expect(link).to_be_visible()

    link.click()
    expect(page.get_by_role("heading", name="Dashboard penguins")).to_be_visible()
    expect(page).to_have_url(re.compile(rf"/model\?model={penguins}$"))


def test_sign_in_survives_a_reload_and_stays_in_its_browser(browser: Browser, dashboard_url: str, analyst: User):
    """After F5 the same person is signed in; another browser is not; signing out lasts through F5, too."""
    context, other = browser.new_context(), browser.new_context()
    page, stranger = context.new_page(), other.new_page()
    page.goto(f"{dashboard_url}/account")
    page.get_by_label("E-mail").fill(analyst.email)
    page.get_by_label("Password", exact=True).fill(analyst.password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Account")).to_be_visible()
    cookie = _wait_for_cookie(context)

    page.reload()
    expect(page.get_by_role("heading", name="Account")).to_be_visible()
    stranger.goto(f"{dashboard_url}/account")
    expect(stranger.get_by_role("heading", name="Sign in")).to_be_visible()
    assert cookie["sameSite"] == "Strict"
    assert analyst.access_token not in cookie["value"]

    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    context.close()
    other.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_fit_a_phone(browser: Browser, dashboard_url: str, penguins: str, scheme: str):
    """On a narrow screen, light or dark, nothing needs scrolling sideways."""
    context = browser.new_context(viewport={"width": 390, "height": 844}, color_scheme=scheme)
    page = context.new_page()
    for path, heading in (("/", "Overview"), (f"/model?model={penguins}", "Dashboard penguins"), ("/train", "Train")):
        page.goto(f"{dashboard_url}{path}")
        expect(page.get_by_role("heading", name=heading, exact=True)).to_be_visible()
        width = page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth")
        assert width <= 390, path
    context.close()


def _wait_for_cookie(context: BrowserContext) -> dict:
    """Wait until the script that sets the cookie has run, which a person's hand does not outrun."""
    ends_at = time.monotonic() + PATIENCE_MS / 1000
    while time.monotonic() < ends_at:
        for cookie in context.cookies():
            if cookie["name"] == "rowcast_session":
                return cookie
        time.sleep(0.05)
    raise AssertionError("no session cookie was set")
