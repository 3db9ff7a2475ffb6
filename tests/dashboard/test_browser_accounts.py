"""Two people in two real browsers: through reloads and renewals each stays who they are."""

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.api.conftest import Publisher
from tests.api.tiny import build
from tests.conftest import RunningStack, User

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PATIENCE_MS = 20_000


def _enter(page: Page, dashboard_url: str, user: User) -> None:
    page.goto(f"{dashboard_url}/account")
    page.get_by_label("E-mail").fill(user.email)
    page.get_by_label("Password", exact=True).fill(user.password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text(user.email).first).to_be_visible()
    page.wait_for_function("document.cookie.includes('rowcast_session')")


def test_two_browsers_are_two_people(browser: Browser, dashboard_url: str, stack: RunningStack, unique: str):
    """Each sees their own private model, never the other's, also after F5 and at the other's address; one signing out leaves the other."""
    expect.set_options(timeout=PATIENCE_MS)
    people = [stack.create_user("analyst") for _ in range(2)]
    slugs = [f"{unique}-{number}" for number in range(2)]
    for slug, person in zip(slugs, people, strict=True):
        Publisher(stack).publish(slug, build(slug), owner=person, visibility="private")
    contexts = [browser.new_context() for _ in people]
    pages = [context.new_page() for context in contexts]
    for page, person in zip(pages, people, strict=True):
        _enter(page, dashboard_url, person)

    for number, page in enumerate(pages):
        page.goto(f"{dashboard_url}/model?model={slugs[number]}")
        expect(page.get_by_text("v1").first).to_be_visible()
        expect(page.get_by_text("There is no model")).to_have_count(0)
        page.goto(f"{dashboard_url}/model?model={slugs[1 - number]}")
        expect(page.get_by_text("There is no model")).to_be_visible()
    pages[0].goto(f"{dashboard_url}/account")
    pages[0].get_by_role("button", name="Sign out").click()
    expect(pages[0].get_by_role("heading", name="Sign in")).to_be_visible()
    pages[1].goto(f"{dashboard_url}/account")

    expect(pages[1].get_by_text(people[1].email).first).to_be_visible()
    expect(pages[1].get_by_text(people[0].email)).to_have_count(0)
    for context in contexts:
        context.close()
