"""What visitors see when something is missing, slow or away."""

import json
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, Route, expect

from tests.e2e.conftest import Published

pytestmark = [pytest.mark.stack, pytest.mark.browser, pytest.mark.timeout(240)]


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
    expect(prediction).to_contain_text("Too many predictions")
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
