"""Webhooks going out, by the pages alone, in a real browser."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.conftest import RunningStack
from tests.dashboard.conftest import Enter
from tests.receiver import Receiver

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(240)]


def test_subscription_is_tested_and_replayed_by_hand(page_of: Enter, stack: RunningStack, site_url: str):
    """Subscribe, keep the secret, break the receiver, read why, mend it, send again; F5 forgets the secret only."""
    page = page_of(stack.create_user("analyst"))
    with Receiver() as receiver:
        page.goto("/webhooks?direction=Outgoing")
        page.get_by_role("textbox", name="Address").fill(receiver.url("/in"))
        page.get_by_label("Events").click()
        page.get_by_role("option", name="A training run failed").click()
        page.keyboard.press("Escape")
        _press(page, "Subscribe", exact=True)
        secret = page.get_by_text(re.compile("^whsec_")).inner_text()

        receiver.behaviours["/in"] = _broken
        _press(page, "Send a test")
        expect(page.get_by_text("status 500").first).to_be_visible()
        del receiver.behaviours["/in"]
        page.reload()
        expect(page.get_by_text("status 500").first).to_be_visible()
        expect(page.get_by_text(re.compile("^whsec_"))).to_have_count(0)
        _press(page, "Send this again")
        expect(page.get_by_text("1 on their way again.")).to_be_visible()
    assert receiver.requests[0].verify(secret)["type"] == "subscription.test"


async def _broken(_, writer, __) -> None:
    writer.write(b"HTTP/1.1 500 X\r\ncontent-length: 6\r\n\r\nbroken")
    await writer.drain()


def _press(page: Page, name: str, **options: bool) -> None:
    page.get_by_test_id("stMain").get_by_role("button", name=name, **options).last.click()
