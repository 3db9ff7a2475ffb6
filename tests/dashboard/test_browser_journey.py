"""An analyst's day in a real browser: a table comes, is understood, trained on while one watches, and what it made is judged and moved."""

import re

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.api.conftest import Publisher
from tests.api.tiny import build
from tests.conftest import RunningStack, User
from tests.dashboard.conftest import GALLERY, Enter

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(240)]

TRAINING_MS = 90_000


def test_table_becomes_a_model_before_ones_eyes(page_of: Enter, stack: RunningStack, worker: None, unique: str):
    """Upload, profile, train: the run is live in the browser without the person's token, through F5, and ends by itself."""
    analyst = stack.create_user("analyst")
    page = page_of(analyst)
    sent: list[str] = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(str(frame))))
    page.goto("/data")
    page.locator("input[type=file]").set_input_files(GALLERY / "penguins.csv")
    _press(page, "Upload", exact=True)
    expect(page.get_by_text("Columns in use")).to_be_visible()
    dataset = page.url

    page.get_by_role("link", name="Train on it").click()
    page.get_by_label("Column to predict").click()
    page.get_by_role("option", name="species").click()
    page.get_by_role("textbox", name="Name in addresses").fill(unique)
    page.get_by_role("slider").first.press("ArrowLeft")
    expect(page.get_by_text("10 seconds", exact=True).first).to_be_visible()
    _press(page, "Train", exact=True)

    live = page.get_by_role("region", name="Training run, live")
    expect(live.get_by_role("status")).to_have_text("live")
    page.reload()
    expect(live.get_by_role("img", name=re.compile("trials; best score"))).to_be_visible()
    expect(page.get_by_text("Trained, certified and registered")).to_be_visible(timeout=TRAINING_MS)
    greetings = [frame for frame in sent if '"ticket"' in frame]
    assert greetings
    assert not any(analyst.access_token in frame for frame in sent)

    page.get_by_role("link", name=re.compile("^Open")).click()
    expect(page).to_have_url(re.compile(rf"/model\?model={unique}$"))

    page.goto(dataset)
    _press(page, "Delete", exact=True)
    page.get_by_role("dialog").get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_text("None yet. Upload a table above")).to_be_visible()


def test_version_is_compared_replayed_promoted_and_rolled_back(
    page_of: Enter, stack: RunningStack, worker: None, analyst: User, api: httpx.Client, unique: str
):
    """Two versions side by side, evidence from logged rows, a move with its reason, and its undoing; the address keeps the place."""
    Publisher(stack).publish(unique, build(unique), build(unique, seed=3), owner=analyst, visibility="private")
    rows = [{"length": n / 3, "width": 2, "island": "Dream"} for n in range(30)]
    api.post(f"/api/predict/{unique}", json={"rows": rows}, headers=analyst.headers).raise_for_status()
    page = page_of(analyst)
    page.goto(f"/model?model={unique}")
    expect(page.get_by_text("Nothing was searched here")).to_be_visible()
    page.get_by_role("tab", name="Compare").click()
    expect(page.get_by_text("Both read the same features.")).to_be_visible()
    page.reload()
    expect(page.get_by_text("Both read the same features.")).to_be_visible()

    page.get_by_role("tab", name="Versions").click()
    _press(page, "Replay v2 against v1")
    expect(page.get_by_text("Answers that change")).to_be_visible(timeout=60_000)
    _give_reason(page, "promotion", "surer on Dream")
    _press(page, "Promote", exact=True)
    expect(page.get_by_text("champion v2")).to_be_visible()

    _give_reason(page, "roll_back", "too sure")
    _press(page, "Roll back", exact=True)
    expect(page.get_by_text("champion v1")).to_be_visible()
    moves = api.get(f"/api/models/{unique}/promotions", headers=analyst.headers).json()["promotions"]
    champion = [each for each in moves if each["alias"] == "champion"]
    assert [each["reason"] for each in champion[:2]] == ["too sure", "surer on Dream"]
    assert champion[1]["evidence"]["replay"]["rows"] == 30
    assert champion[0]["rollback_of"] == champion[1]["id"]


def _press(page: Page, name: str, **options: bool) -> None:
    page.get_by_test_id("stMain").get_by_role("button", name=name, **options).last.click()


def _give_reason(page: Page, form: str, reason: str) -> None:
    place: Locator = page.locator(f".st-key-{form}") if form == "promotion" else page.get_by_test_id("stForm").last
    place.get_by_role("textbox", name="Reason").fill(reason)
