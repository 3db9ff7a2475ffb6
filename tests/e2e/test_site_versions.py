"""Versions on the site: compared, replayed, promoted with a reason, rolled back, and what was live when."""

import re
import time
from collections.abc import Callable
from datetime import datetime, timedelta

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.api.conftest import Publisher
from tests.api.tiny import build
from tests.conftest import RunningStack, User
from tests.e2e.conftest import violations

pytestmark = [pytest.mark.stack, pytest.mark.browser, pytest.mark.timeout(240)]

FOLLOWED_SECONDS = 2.5
"""Two seconds are promised; the rest is the asking."""
ROWS = [{"length": length / 10, "width": 1 + length % 9, "island": "Dream"} for length in range(60)]


@pytest.fixture
def twice(stack: RunningStack, web_url: str, worker: None, unique: str) -> tuple[str, User]:
    """Publish a public model of an analyst's in two versions that answer differently, and have it asked."""
    owner = stack.create_user("analyst")
    Publisher(stack).publish(unique, build(unique), build(unique, seed=12), owner=owner)
    asked = httpx.post(f"{web_url}/api/predict/{unique}", json={"rows": ROWS}, trust_env=False)
    asked.raise_for_status()
    return unique, owner


def answering(site: str, slug: str) -> int:
    """Read which version answers a visitor."""
    answer = httpx.post(f"{site}/api/predict/{slug}", json=ROWS[0], trust_env=False)
    return int(answer.raise_for_status().json()["version"])


def follows(site: str, slug: str, number: int) -> bool:
    """Wait as long as is promised for a version to answer."""
    ends_at = time.monotonic() + FOLLOWED_SECONDS
    while answering(site, slug) != number:
        if time.monotonic() > ends_at:
            return False
        time.sleep(0.1)
    return True


def test_a_version_is_judged_promoted_and_rolled_back(
    signed_in: Callable[..., Page], twice: tuple[str, User], base_url: str
) -> None:
    """Scores side by side, rows replayed, a reason given: visitors follow; one click and a reason go back."""
    slug, owner = twice
    before = datetime.now().astimezone() - timedelta(minutes=1)
    page = signed_in(owner, f"/workspace/models/{slug}/versions", timezone_id="UTC")
    row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name="2"))
    row.get_by_role("link", name="Compare and promote").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("version 2")
    expect(page.get_by_role("table", name="Scores of both versions")).to_contain_text("cannot be told apart")

    page.get_by_role("button", name="Replay", exact=True).click()
    replay = page.get_by_role("region", name="Replay")
    expect(replay).to_contain_text(re.compile(r"of 60 rows would change"), timeout=30_000)
    promotion = page.get_by_role("region", name="Promote")
    promotion.get_by_label("Why?").fill("better for the north")
    promotion.get_by_role("button", name="Promote version 2").click()
    expect(page.get_by_text("champion is version 2 now.")).to_be_visible()
    assert follows(base_url, slug, 2)
    expect(promotion).to_contain_text("champion is this version already")

    page.get_by_role("link", name="All versions").click()
    history = page.get_by_role("region", name="History")
    expect(history.get_by_role("listitem").first).to_contain_text("champion went from version 1 to 2")
    expect(history.get_by_role("listitem").first).to_contain_text(
        f"better for the north · {owner.email} · replayed 60 rows"
    )
    history.get_by_label("What was live at").fill(before.strftime("%Y-%m-%dT%H:%M"))
    history.get_by_label("What was live at").blur()
    expect(history.get_by_text("Nothing yet.")).to_be_visible()

    page.get_by_role("button", name="Roll back champion").click()
    page.get_by_role("dialog").get_by_label("Why?").fill("not in the south")
    page.get_by_role("dialog").get_by_role("button", name="Roll back").click()
    expect(page.get_by_text("champion is version 1 again.")).to_be_visible()
    assert follows(base_url, slug, 1)
    expect(history.get_by_role("listitem").first).to_contain_text("rollback")


def test_somebody_who_decided_meanwhile_is_not_overruled(
    signed_in: Callable[..., Page], twice: tuple[str, User], base_url: str
) -> None:
    """A second tab that promotes on what it no longer sees is told, and decides anew; undo is one click."""
    slug, owner = twice
    page = signed_in(owner, f"/workspace/models/{slug}/versions/2")
    promotion = page.get_by_role("region", name="Promote")
    expect(promotion).to_contain_text("Points at version 1 now.")
    httpx.put(
        f"{base_url}/api/models/{slug}/aliases/champion", json={"version": 2, "reason": "elsewhere"},
        headers=owner.headers, trust_env=False,
    ).raise_for_status()  # fmt: skip
    httpx.post(
        f"{base_url}/api/models/{slug}/rollback", json={"reason": "and back"}, headers=owner.headers, trust_env=False
    ).raise_for_status()
    httpx.put(
        f"{base_url}/api/models/{slug}/aliases/champion", json={"version": 2, "reason": "again"},
        headers=owner.headers, trust_env=False,
    ).raise_for_status()  # fmt: skip

    promotion.get_by_label("Why?").fill("mine")
    promotion.get_by_role("button", name="Promote version 2").click()

    expect(promotion.get_by_role("alert")).to_contain_text("has moved since you looked")
    promotion.get_by_label("Name").select_option("another one…")
    promotion.get_by_label("The other name").fill("Canary")
    promotion.get_by_role("button", name="Promote version 2").click()
    assert promotion.get_by_label("The other name").evaluate("field => field.validity.patternMismatch")
    promotion.get_by_label("The other name").fill("canary")
    promotion.get_by_role("button", name="Promote version 2").click()
    expect(page.get_by_text("canary is version 2 now.")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(
        page.get_by_text(re.compile("Answers as (champion and challenger|challenger and champion)."))
    ).to_be_visible()


def test_who_has_no_part_in_a_model_moves_nothing(
    signed_in: Callable[..., Page], twice: tuple[str, User], stack: RunningStack
) -> None:
    """A stranger sees the versions of a public model, and no way to move one."""
    slug, _ = twice
    page = signed_in(
        stack.create_user("analyst"), f"/workspace/models/{slug}/versions", viewport={"width": 390, "height": 844}
    )

    expect(page.get_by_role("link", name="Look at it version 2")).to_be_visible()
    expect(page.get_by_role("button", name="Roll back")).to_have_count(0)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.goto(f"/workspace/models/{slug}/versions/2")
    expect(page.get_by_role("table", name="Scores of both versions")).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("Promote|Replay"))).to_have_count(0)
    page.goto(f"/workspace/models/{slug}/versions/77")
    expect(page.get_by_role("heading", name="No such version")).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pages_of_versions_keep_nobody_out(signed_in: Callable[..., Page], twice: tuple[str, User], theme: str) -> None:
    """No rule of accessibility is broken."""
    slug, owner = twice
    page = signed_in(owner, f"/workspace/models/{slug}/versions", color_scheme=theme)
    for path in ("", "/2"):
        page.goto(f"/workspace/models/{slug}/versions{path}")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        page.wait_for_load_state("networkidle")
        assert violations(page) == []
