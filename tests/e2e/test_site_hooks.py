"""Webhooks in on the site: open a hook, try a payload, send a signed message, see it in the log, print a migration."""

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect
from standardwebhooks.webhooks import Webhook

from tests.api.conftest import Publisher
from tests.api.tiny import build
from tests.conftest import RunningStack
from tests.e2e.conftest import violations

pytestmark = [pytest.mark.stack, pytest.mark.browser, pytest.mark.timeout(240)]

ROW = {"length": 1.0, "width": 2, "island": "Biscoe"}


def test_hook_is_opened_tried_and_called(stack: RunningStack, unique: str, signed_in: Callable[..., Page]) -> None:
    """The whole way by the pages alone; the secret that is shown signs what is then in the log."""
    analyst = stack.create_user("analyst")
    Publisher(stack).publish(unique, build(unique), owner=analyst, visibility="private")
    page = signed_in(analyst, "/workspace/hooks")

    page.get_by_role("button", name="New hook").click()
    page.get_by_label("Name").fill("Orders")
    page.get_by_label("Model").select_option(unique)
    page.get_by_role("button", name="Open the hook").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("shown this once")).to_be_visible()
    secret = dialog.get_by_text("whsec_").inner_text().strip()
    dialog.get_by_role("button", name="I have kept it").click()
    page.wait_for_url("**/workspace/hooks/*-*")
    hook = page.url.rpartition("/")[2]

    page.get_by_label("Payload").fill(json.dumps({"type": "order.created", "data": {**ROW, "length": "long"}}))
    page.get_by_role("button", name="Try it").click()
    expect(page.get_by_text("It would be refused")).to_be_visible()
    expect(page.get_by_text("#/data/length").first).to_be_visible()
    payload = json.dumps({"type": "order.created", "data": ROW})
    page.get_by_label("Payload").fill(payload)
    page.get_by_role("button", name="Try it").click()
    expect(page.get_by_text("It would be predicted.")).to_be_visible()
    expect(page.get_by_text("Nothing has come in yet.")).to_be_visible()

    at = datetime.now(UTC)
    signature = Webhook(secret).sign("msg_1", at, payload)
    headers = {"webhook-id": "msg_1", "webhook-timestamp": str(int(at.timestamp())), "webhook-signature": signature}
    answer = httpx.post(f"{stack.site_url}/api/hooks/{hook}", content=payload, headers=headers, trust_env=False)
    assert answer.status_code == 200, answer.text
    page.get_by_role("button", name="Reload").click()
    log = page.get_by_role("table", name="Deliveries")
    expect(log.get_by_text("msg_1")).to_be_visible()
    expect(log.get_by_text("order.created")).to_be_visible()

    page.get_by_label("Table").fill("public.customers")
    page.get_by_role("button", name="Write the migration").click()
    expect(page.get_by_text('alter table "public"."customers" add column').first).to_be_visible()
    assert violations(page) == []
    if folder := os.environ.get("ROWCAST_SHOTS"):
        page.screenshot(path=str(Path(folder) / "hook.png"), full_page=True)
