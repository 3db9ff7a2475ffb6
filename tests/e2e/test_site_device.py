"""The model on the visitor's own device: the same file, the same answers, nothing sent."""

import math
import random
import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, Request, expect
from uuid_utils import uuid7

from tests.conftest import RunningStack
from tests.e2e.conftest import Published, order, wait_for

pytestmark = [pytest.mark.stack, pytest.mark.browser, pytest.mark.timeout(240)]

DATASETS = Path(__file__).parents[2] / "models" / "gallery" / "datasets"
ROWS = 1000
TOLERANCE = 1e-5
_RUN = """async ([address, slug, card, rows]) => {
  const { openEngine } = await import(address);
  const engine = await openEngine({ slug, version: null }, card, () => {}, new AbortController().signal);
  return engine.predict(rows);
}"""


def test_device_takes_over_and_goes_on_offline(visitor: Page, published: Published) -> None:
    """After the switch no row leaves the device, and losing the network changes nothing."""
    visitor.goto(f"/models/{published.cars}")
    prediction = visitor.get_by_role("region", name="Prediction")
    expect(prediction).to_contain_text("answered in")
    by_server = prediction.locator("p.text-4xl").inner_text()
    prediction.get_by_role("radio", name="This device").check(force=True)
    expect(prediction).to_contain_text("computed on your device", timeout=20_000)
    expect(prediction.locator("p.text-4xl")).to_have_text(by_server)

    asked: list[str] = []

    def note(request: Request) -> None:
        if "/api/" in request.url:
            asked.append(request.url)

    visitor.on("request", note)
    visitor.context.set_offline(True)
    visitor.get_by_label("age_years", exact=True).fill("0.5")
    visitor.get_by_role("radio", name="electric").check(force=True)
    expect(prediction.locator("p.text-4xl")).not_to_have_text(by_server)
    expect(prediction).to_contain_text("nothing was sent")
    visitor.get_by_text("What if").scroll_into_view_if_needed()
    expect(visitor.get_by_text("it is not asked").first).to_be_visible()
    assert asked == []

    visitor.context.set_offline(False)
    prediction.get_by_role("radio", name="Server").check(force=True)
    expect(prediction).to_contain_text("answered in")


def test_device_answers_as_the_server_does(
    visitor: Page, published: Published, gallery: list[str], base_url: str
) -> None:
    """A thousand random rows per model with strings, dates, missing, unseen and extreme values: same labels, same numbers."""
    visitor.goto(f"/models/{published.cars}")
    visitor.get_by_role("radio", name="This device").check(force=True)
    expect(visitor.get_by_text("computed on your device")).to_be_visible(timeout=20_000)
    loaded = visitor.evaluate("performance.getEntriesByType('resource').map(entry => entry.name)")
    address = next(name for name in loaded if re.search(r"/assets/engine-[^/]+\.js$", name))
    kinds = set()
    for slug in (published.penguins, published.cars, *gallery):
        with httpx.Client(base_url=base_url, timeout=30, trust_env=False) as client:
            card = client.get(f"/api/models/{slug}/card").raise_for_status().json()
            rows = _random_rows(card)
            answer = client.post(f"/api/predict/{slug}", json={"rows": rows}).raise_for_status().json()
        by_device = visitor.evaluate(_RUN, [address, slug, card, rows])

        assert len(by_device) == len(answer["predictions"]) == ROWS
        for mine, theirs in zip(by_device, answer["predictions"], strict=True):
            assert mine.get("label") == theirs.get("label"), slug
            assert _is_close(mine, theirs), (slug, mine, theirs)
        kinds |= {each["kind"] for each in card["features"]}
    assert kinds == {"number", "integer", "category", "boolean", "date"}


def test_a_changed_file_is_not_opened(visitor: Page, published: Published) -> None:
    """A file whose digest is not the card's never reaches the engine; the server goes on answering."""
    visitor.route("**/artifact*", lambda route: route.fulfill(status=200, body=b"not the model"))
    visitor.goto(f"/models/{published.penguins}")
    prediction = visitor.get_by_role("region", name="Prediction")

    prediction.get_by_role("radio", name="This device").check(force=True)

    expect(prediction).to_contain_text("not the one its card describes", timeout=20_000)
    expect(prediction.get_by_role("radio", name="Server")).to_be_checked()
    expect(prediction).to_contain_text("answered in")


@pytest.fixture(scope="module")
def gallery(stack: RunningStack, base_url: str, published: Published) -> list[str]:
    """Train the gallery's other two models, and one of a table with dates; all public."""
    word = uuid7().hex[-8:]
    tables = [
        (f"cancer-{word}", (DATASETS / "breast-cancer.csv").read_bytes(), "diagnosis"),
        (f"diabetes-{word}", (DATASETS / "diabetes.csv").read_bytes(), "progression"),
        (f"visits-{word}", _visits(), "visits"),
    ]
    admin = stack.create_user("admin")
    with httpx.Client(base_url=base_url, headers=admin.headers, timeout=30, trust_env=False) as client:
        runs = [order(client, slug, slug, content, target=target) for slug, content, target in tables]
        for run in runs:
            wait_for(client, run)
    return [slug for slug, _, _ in tables]


def _visits() -> bytes:
    """Write a table of days, shops and visits, with days and shops that are missing."""
    dice = random.Random(3)
    lines = ["day,shop,rain_mm,visits"]
    for number in range(300):
        day = date(2024, 1, 1) + timedelta(days=number * 2)
        shop = dice.choice(["Nørrebro", "Østerbro", "Amager", ""])
        visits = 200 + 40 * (day.weekday() >= 5) + number / 3 + dice.gauss(0, 5)
        lines.append(f"{day if dice.random() > 0.05 else ''},{shop},{round(dice.expovariate(0.3), 1)},{round(visits)}")
    return "\n".join(lines).encode()


def _random_rows(card: dict[str, Any]) -> list[dict[str, Any]]:
    dice = random.Random(7)
    return [{each["name"]: _random_value(each, dice) for each in card["features"]} for _ in range(ROWS)]


def _random_value(feature: dict[str, Any], dice: random.Random) -> Any:
    if dice.random() < 0.15:
        return None
    if feature["kind"] == "category":
        known = [each["value"] for each in feature["categories"]]
        return dice.choice([*known, *known, "Atlantis", " NA ", "Île d'Été", "007"])
    if feature["kind"] == "boolean":
        return dice.random() < 0.5
    if feature["kind"] == "date":
        return f"{dice.randint(1950, 2080)}-{dice.randint(1, 12):02}-{dice.randint(1, 28):02}"
    low, high = feature["minimum"], feature["maximum"]
    value = dice.uniform(low, high) if dice.random() < 0.9 else dice.choice([low - 1e4, high + 1e4])
    return round(value) if feature["kind"] == "integer" else value


def _is_close(mine: dict[str, Any], theirs: dict[str, Any]) -> bool:
    if "probabilities" in theirs:
        return all(abs(mine["probabilities"][name] - p) <= TOLERANCE for name, p in theirs["probabilities"].items())
    # Values are float32: their last digit is relative to their size.
    return all(
        math.isclose(a, b, rel_tol=TOLERANCE)
        for a, b in (
            (mine["value"], theirs["value"]),
            (mine["interval"]["low"], theirs["interval"]["low"]),
            (mine["interval"]["high"], theirs["interval"]["high"]),
        )
    )
