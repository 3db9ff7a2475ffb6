"""No rule of accessibility is broken by what we put on the dashboard's pages. What Streamlit itself breaks is named."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.conftest import User
from tests.dashboard.conftest import Enter
from tests.dashboard.test_monitor import busy
from tests.e2e.conftest import violations
from tests.e2e.test_site_docs import DIFFERENCE, differs
from tests.monitoring.conftest import Watched, as_owner, count, watched

__all__ = ["as_owner", "busy", "count", "watched"]

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(240)]

STREAMLITS_OWN = re.compile(
    r'list: <ul data-testid="stSidebarNavItems"|listitem: <li class="st-emotion-cache-\w+ '  # sections between the items
    r'|presentation-role-conflict: <section role="presentation" [^>]*data-testid="stFileUploaderDropzone"'
    r'|empty-table-header: <th role="columnheader" aria-selected="false" aria-colindex="1"'  # of the boxes for choosing rows
)
"""What axe finds in Streamlit 1.67's own markup, which a page can neither change nor leave out."""


PAGES = {
    "/": "Health of your models",
    "/monitor?model={slug}&span=7d&monitor_tab=Drift": "Day by day",
    "/usage": "Prediction log",
    "/model?model={slug}": "Scores",
    "/monitor?model={slug}&span=7d": "By version",
    "/webhooks": "Incoming",
    "/data": "Data sets",
    "/account": "Sign out",
}
"""Addresses, each with words that it ends with."""

PICTURED = ("/monitor?model={slug}&span=7d&monitor_tab=Drift", "light")
"""What the documentation shows."""


@pytest.mark.parametrize(("scheme", "width", "count_of_pages"), [("light", 1280, len(PAGES)), ("dark", 390, 3)])
def test_pages_keep_nobody_out(
    page_of: Enter, busy: Watched, admin: User, scheme: str, width: int, count_of_pages: int
):
    """Names, roles, levels of headings and contrast hold on pages with something on, light and dark, and none is too wide."""
    busy.value("update public.models set title = 'Penguins' where slug = %s returning 1", busy.slug)
    page = page_of(admin)
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
    page.set_viewport_size({"width": width, "height": 900})
    found = {}
    for path, told in list(PAGES.items())[:count_of_pages]:
        page.goto(path.format(slug=busy.slug))
        expect(page.get_by_text(told).first).to_be_visible()
        _settle(page)
        found[path] = [each for each in violations(page) if not STREAMLITS_OWN.match(each)]
        if (path, scheme) == PICTURED:
            # The address of this person is another one each time.
            page.get_by_test_id("stSidebarNavLink").last.locator("p").evaluate(
                "it => it.textContent = 'ada@example.com'"
            )
            assert differs(page, "dashboard-drift.png") < DIFFERENCE
        if page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") > width:
            found[path].append("wider than the screen")

    assert {path: each for path, each in found.items() if each} == {}


def _settle(page: Page) -> None:
    """Wait until nothing on the page is still to come."""
    expect(page.locator("[data-testid=stStatusWidget], [data-testid=stSkeleton], [data-stale=true]")).to_have_count(0)
