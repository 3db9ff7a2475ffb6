"""What visitors see when something is missing, slow or away."""

import json
import time
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, Route, expect

from tests.api.conftest import Publisher
from tests.api.tiny import build
from tests.conftest import RunningStack, User
from tests.e2e.conftest import Opener, Published
from tests.e2e.test_site_training import file

pytestmark = [pytest.mark.stack, pytest.mark.browser, pytest.mark.timeout(240)]


PROMISED_SECONDS = 2.5
"""Within this time every instance has heard of a change."""


PLATFORM_BYTES = 10_000
"""The real platform's limit is 4.5 MB; what happens at it is the same."""


def test_a_lost_server_is_said_and_overcome(visitor: Page) -> None:
    """While the API is away the page says so and offers a way on; nothing needs a reload afterwards."""
    visitor.route("**/api/**", lambda route: route.abort())
    visitor.goto("/")
    expect(visitor.get_by_role("alert")).to_contain_text("The models cannot be shown")
    visitor.unroute("**/api/**")
    visitor.get_by_role("button", name="Try again").click()
    expect(visitor.get_by_role("article").filter(has_text="Birds by their bills")).to_be_visible()

    visitor.get_by_role("link", name="Birds by their bills").click()
    prediction = visitor.get_by_role("region", name="Prediction")
    expect(prediction).to_contain_text("answered in")
    visitor.context.set_offline(True)
    visitor.get_by_label("bill_length_mm", exact=True).fill("38")
    expect(prediction).to_contain_text("You are offline.")
    visitor.context.set_offline(False)
    expect(prediction).to_contain_text("answered in")


def test_a_busy_server_is_asked_again_when_it_said(visitor: Page, published: Published) -> None:
    """A 429 is shown, and the question repeated by itself after the time the server named."""
    refusals = iter([True, False])

    def refuse_once(route: Route) -> None:
        if next(refusals, False):
            problem = {"title": "Too many requests", "status": 429, "detail": "Too many predictions", "code": "limited"}
            headers = {"content-type": "application/problem+json", "retry-after": "1"}
            route.fulfill(status=429, headers=headers, body=json.dumps(problem))
        else:
            route.continue_()

    visitor.route("**/api/predict/**", refuse_once)
    visitor.goto(f"/models/{published.penguins}")
    prediction = visitor.get_by_role("region", name="Prediction")
    expect(prediction).to_contain_text("Too many predictions. Asked again by itself in 1 s.")
    expect(prediction).to_contain_text("answered in")


def test_a_model_that_goes_while_its_page_is_open_leads_on(
    open_browser: Opener, stack: RunningStack, analyst: User, unique: str
) -> None:
    """Once its owner takes a model back, the next answer is that it is gone, and the way to the others."""
    Publisher(stack).publish(unique, build(unique), owner=analyst, visibility="public")
    page = open_browser()
    page.goto(f"/models/{unique}")
    expect(page.get_by_role("region", name="Prediction")).to_contain_text("answered in")
    with stack.connect() as connection:
        connection.execute("update public.models set visibility = 'private' where slug = %s", (unique,))
    time.sleep(PROMISED_SECONDS)

    page.get_by_role("button", name="Surprise me").click()
    gone = page.get_by_role("alert").filter(has_text="no longer here")
    expect(gone.get_by_role("link", name="Sign in to see yours")).to_be_visible()
    gone.get_by_role("link", name="See the published models").click()
    expect(page.get_by_role("heading", name="Models")).to_be_visible()


def test_tables_too_large_for_a_request_go_in_parts(visitor: Page, published: Published) -> None:
    """What the platform refuses for its size is asked in halves; what no page can hold is shown another way."""
    refused: list[int] = []

    def refuse_large(route: Route) -> None:
        size = len(route.request.post_data or "")
        if size > PLATFORM_BYTES:
            refused.append(size)
            route.fulfill(status=413, content_type="text/plain", body="FUNCTION_PAYLOAD_TOO_LARGE")
        else:
            route.continue_()

    visitor.route("**/api/predict/**", refuse_large)
    visitor.goto(f"/models/{published.penguins}#batch")
    lines = [f"Dream,39.{row},2007" for row in range(400)]
    wide = "\n".join(["island,bill_length_mm,year", *lines, f"{'x' * PLATFORM_BYTES},39,2007"]).encode()
    pick = visitor.locator("input[type=file]")
    pick.set_input_files([file("wide.csv", wide)])
    result = visitor.get_by_role("region", name="Predictions for wide.csv")
    expect(result).to_contain_text("400 rows predicted, 1 row could not be used")
    assert len(refused) > 2

    pick.set_input_files([file("long.csv", b"island\n" + b"Dream\n" * 50_001)])
    refusal = visitor.get_by_role("alert")
    expect(refusal).to_contain_text("50,001 rows are too many here")
    expect(refusal.get_by_role("link", name="Upload it as a data set")).to_be_visible()
    refusal.get_by_role("link", name="scored in the background").click()
    expect(visitor.get_by_role("heading", name="Whole data sets")).to_be_in_viewport()


def test_a_device_without_an_engine_leaves_it_to_the_server(page: Page, published: Published) -> None:
    """Where WebAssembly does not start the page says so, and the server goes on answering."""
    page.route("**/*.wasm", lambda route: route.fulfill(status=200, body=b"no engine"))
    page.goto(f"/models/{published.penguins}")
    prediction = page.get_by_role("region", name="Prediction")
    prediction.get_by_role("radio", name="This device").check(force=True)

    expect(prediction).to_contain_text("does not start the engine (WebAssembly). The server answers.")
    expect(prediction.get_by_role("radio", name="Server")).to_be_checked()
    page.get_by_label("bill_length_mm", exact=True).fill("41")
    expect(prediction).to_contain_text("answered in")


def test_a_promotion_meanwhile_is_said(visitor: Page, published: Published) -> None:
    """When another version answers than the one the page describes, the page says so."""

    def promote(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json={**answer.json(), "version": 2})

    visitor.goto(f"/models/{published.penguins}")
    expect(visitor.get_by_role("region", name="Prediction")).to_contain_text("version 1")
    visitor.route(f"**/api/predict/{published.penguins}", promote)
    visitor.get_by_label("bill_length_mm", exact=True).fill("41")
    expect(visitor.get_by_role("status").filter(has_text="Version 2 has been promoted")).to_be_visible()


def test_unknown_addresses_lead_back(visitor: Page) -> None:
    """An unknown page and an unknown model say what is wrong, answer 404 to machines, and lead to the models."""
    found = visitor.goto("/nope")
    assert found is not None
    assert found.status == 404
    expect(visitor.get_by_role("heading", level=1)).to_have_text("No such row.")
    expect(visitor.locator('meta[name="robots"]')).to_have_attribute("content", "noindex")

    visitor.goto("/models/never-trained")
    expect(visitor.get_by_role("heading", level=1)).to_have_text("No such model.")
    visitor.get_by_role("link", name="See the published models").click()
    expect(visitor.get_by_role("article").filter(has_text="Birds by their bills")).to_be_visible()


def test_what_a_page_shows_first_is_asked_once(visitor: Page, published: Published) -> None:
    """The question goes out before the site's own code is here, and that code takes the answer instead of asking again."""
    asked: list[str] = []
    visitor.on("request", lambda request: asked.append(urlsplit(request.url).path))
    visitor.goto(f"/models/{published.penguins}")
    expect(visitor.get_by_role("region", name="Prediction")).to_contain_text("answered in")

    address = f"/api/models/{published.penguins}"
    assert [path for path in asked if path.startswith("/api/models")] == [address, f"{address}/card"]
    visitor.get_by_role("link", name="Rowcast").click()
    visitor.get_by_role("link", name="Birds by their bills").click()
    expect(visitor.get_by_role("region", name="Prediction")).to_contain_text("answered in")
    assert asked.count(address) == 2
