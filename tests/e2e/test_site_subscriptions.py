"""Webhooks out on the site: subscribe, test, break the receiver, read why, send again."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.conftest import RunningStack
from tests.e2e.conftest import violations
from tests.receiver import Receiver, saying

pytestmark = [pytest.mark.stack, pytest.mark.browser, pytest.mark.timeout(240)]

PATIENCE_MS = 20_000


def spoil(stack: RunningStack, subscription: str) -> None:
    """Let the nine attempts before the last one have failed, and the last one be due."""
    with stack.connect() as connection:
        connection.execute(
            "update public.deliveries set failures = 9, next_attempt_at = now() "
            "where subscription_id = %s and state = 'failed'",
            (subscription,),
        )
        connection.execute("notify rowcast_deliveries")


def test_subscription_is_made_tested_broken_and_replayed(
    stack: RunningStack, worker: None, signed_in: Callable[..., Page]
) -> None:
    """The whole life of a receiver, by the pages alone; the secret that is shown verifies what arrives."""
    analyst = stack.create_user("analyst")
    with Receiver() as receiver:
        page = signed_in(analyst, "/workspace/subscriptions")
        secret = _subscribe(page, receiver)
        subscription = page.url.rpartition("/")[2]

        page.get_by_role("button", name="Send a test").click()
        expect(page.get_by_role("status").filter(has_text="The test arrived: answered 200")).to_be_visible()
        expect(page.get_by_role("table", name="Deliveries").get_by_text("Delivered")).to_be_visible()
        assert receiver.requests[0].verify(secret)["type"] == "subscription.test"
        assert violations(page) == []

        receiver.behaviours["/in"] = saying(b"HTTP/1.1 500 X\r\ncontent-length: 6\r\n\r\nbroken")
        page.get_by_role("button", name="Send a test").click()
        expect(page.get_by_text("The test did not arrive: The receiver answered 500")).to_be_visible()
        spoil(stack, subscription)
        _expect_state(page, "Given up", 1)
        page.get_by_role("button", name="subscription.test").first.click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_text("Attempt 2").click()
        expect(dialog.get_by_role("group", name="Answer, attempt 2")).to_contain_text("broken")
        assert violations(page) == []
        dialog.get_by_role("button", name="Close").last.click()

        del receiver.behaviours["/in"]
        page.get_by_role("button", name="Send again what was given up").click()
        page.get_by_role("dialog").get_by_role("button", name="Send again").click()
        expect(page.get_by_text("1 message sent again.")).to_be_visible()
        _expect_state(page, "Delivered", 2)
        assert sorted(receiver.ids("/in").values()) == [1, 3], "the same message under the same id"

        _rotate_and_end(page, receiver)


def _subscribe(page: Page, receiver: Receiver) -> str:
    page.get_by_role("button", name="New subscription").click()
    page.get_by_label("Send messages to").fill("https://user:pass@example.com/")
    page.get_by_role("button", name="Subscribe", exact=True).click()
    expect(page.get_by_text("must not hold a user name or password").first).to_be_visible()
    page.get_by_label("Send messages to").fill(receiver.url("/in"))
    page.get_by_label("What is it for?").fill("on-call channel")
    page.get_by_role("button", name="Subscribe", exact=True).click()
    secret = page.get_by_role("group", name="The signing secret").inner_text().strip()
    assert violations(page) == []
    page.get_by_role("button", name="I have kept it").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"127.0.0.1:{receiver.port}")
    return secret


def _expect_state(page: Page, label: str, count: int) -> None:
    """Wait until so many deliveries are in a state, as a person does: by looking again."""
    page.get_by_role("radio", name=label).check(force=True)
    rows = page.get_by_role("table", name="Deliveries").get_by_text(label, exact=True)
    waited = 0
    while rows.count() != count and waited < PATIENCE_MS:
        page.get_by_role("button", name="Refresh").click()
        page.wait_for_timeout(250)
        waited += 250
    expect(rows).to_have_count(count)
    page.reload()


def _rotate_and_end(page: Page, receiver: Receiver) -> None:
    page.get_by_role("button", name="New secret").click()
    page.get_by_role("button", name="Make the secret").click()
    secret = page.get_by_role("group", name="The signing secret").inner_text().strip()
    page.get_by_role("button", name="I have kept it").click()
    page.get_by_role("button", name="Send a test").click()
    expect(page.get_by_text("The test arrived")).to_be_visible()
    assert receiver.requests[-1].verify(secret)
    page.get_by_role("button", name="Switch off").click()
    expect(page.get_by_text("Switched off, just now")).to_be_visible()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Delete subscription").click()
    expect(page.get_by_role("heading", name="No subscription yet")).to_be_visible()


@pytest.mark.parametrize("look", [{"viewport": {"width": 360, "height": 800}}, {"color_scheme": "dark"}])
def test_pages_fit_narrow_and_dark_screens(stack: RunningStack, signed_in: Callable[..., Page], look: Any) -> None:
    """Nothing runs over the side of a phone, and axe has nothing to object to in the dark."""
    analyst = stack.create_user("analyst")
    with Receiver() as receiver:
        page = signed_in(analyst, "/workspace/subscriptions", **look)
        _subscribe(page, receiver)
        receiver.behaviours["/in"] = saying(b"HTTP/1.1 500 X\r\ncontent-length: 0\r\n\r\n")
        page.get_by_role("button", name="Send a test").click()
        expect(page.get_by_text("The test did not arrive")).to_be_visible()

        for _ in range(2):
            assert violations(page) == []
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            page.goto("/workspace/subscriptions")
            expect(page.get_by_role("table", name="Subscriptions")).to_be_visible()
