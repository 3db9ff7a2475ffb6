"""The view of a run in a real browser: what it draws, and how it goes on when its connection does not."""

import json
import re
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, WebSocketRoute, expect

from tests.conftest import RunningStack
from tests.dashboard.conftest import Enter
from tests.dashboard.test_browser_accessibility import STREAMLITS_OWN
from tests.e2e.conftest import violations
from tests.e2e.test_site_training_faults import running_run, say

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(240)]

RECIPES = ("baseline", "linear", "hist_gradient_boosting", "random_forest", "extra_trees", "linear", "random_forest")
SCORES = (1.05, 0.40, 0.31, 0.35, 0.33, 0.29, 0.30)


class Line:
    """What lies between the browser and the API: it can be cut, stay down, and spoil tickets."""

    def __init__(self, page: Page) -> None:
        self.is_down = self.spoils = False
        self.greetings: list[dict[str, Any]] = []
        self.refused: list[str] = []
        self.told: list[int] = []
        self._open: list[tuple[WebSocketRoute, WebSocketRoute]] = []
        page.route_web_socket(re.compile("/events"), self._meet)

    def cut(self) -> None:
        """Close what is open, as a server that goes away does."""
        while self._open:
            for end in self._open.pop():
                end.close(code=1012)

    def _meet(self, browser: WebSocketRoute) -> None:
        if self.is_down:
            browser.close(code=1012)
            return
        server = browser.connect_to_server()

        def greet(message: str | bytes) -> None:
            greeting = json.loads(message)
            self.greetings.append(greeting)
            server.send(json.dumps({**greeting, "ticket": "expired"} if self.spoils else greeting))
            self.spoils = False

        def hear(message: str | bytes) -> None:
            if (browser, server) not in self._open:
                return  # said to somebody who has gone
            event = json.loads(message)
            if "seq" in event:
                self.told.append(event["seq"])
            if "code" in event:
                self.refused.append(event["code"])
            browser.send(message)

        self._open.append((browser, server))
        browser.on_message(greet)
        server.on_message(hear)


def test_a_run_is_drawn_as_it_goes_and_goes_on_after_every_break(page_of: Enter, stack: RunningStack, unique: str):
    """Each trial is drawn once, in order, through a cut line, a server that is away, and a ticket that has ended."""
    analyst = stack.create_user("analyst")
    run = running_run(stack, analyst, unique)
    page = page_of(analyst)
    line = Line(page)
    say(stack, run, "stage", stage="search", message="Trying recipes", progress=0.2, elapsed_seconds=3)
    _try(stack, run, 1)
    page.goto(f"/train?run={run}")
    live = page.get_by_role("region", name="Training run, live")
    expect(live.get_by_role("status")).to_have_text("live")
    _expect_trials(live, 1)

    for number in (2, 3):
        _try(stack, run, number)
        _expect_trials(live, number)
    _expect_drawing(live)

    line.is_down = True
    line.cut()
    expect(live.get_by_role("status")).to_have_text("connecting again …")
    _try(stack, run, 4)
    line.is_down = False
    _expect_trials(live, 4)
    expect(live.get_by_role("status")).to_have_text("live")

    line.spoils = True
    line.cut()
    _try(stack, run, 5)
    _expect_trials(live, 5)
    expect(live.get_by_role("status")).to_have_text("live")
    _try(stack, run, 6)
    _expect_trials(live, 6)
    _expect_one_story(line, analyst.access_token)

    assert [each for each in violations(page) if not STREAMLITS_OWN.match(each)] == []
    live.get_by_text("What happened").click()
    assert re.findall(r"Trial (\d)", live.locator("pre").inner_text()) == ["1", "2", "3", "4", "5", "6"]


def _try(stack: RunningStack, run: str, number: int) -> None:
    """Record a trial, as a worker does."""
    scores, recipes = SCORES[:number], RECIPES[:number]
    best = min(scores)
    say(
        stack, run, "trial", trial=number, recipe=recipes[-1], score=scores[-1], best=best, seconds=0.2, parameters={},
        best_recipe=recipes[scores.index(best)], message=f"Trial {number}", progress=0.2 + number / 20,
        elapsed_seconds=3 + number, remaining_seconds=60 - number,
    )  # fmt: skip


def _expect_one_story(line: Line, access_token: str) -> None:
    """Each connection went on where the one before had ended, by a ticket and never by the person's token."""
    assert line.refused == ["credential_rejected"]
    first, after_cut, refused, last = line.greetings
    assert first["ticket"] == after_cut["ticket"] == refused["ticket"] != last["ticket"]
    assert first["after"] < after_cut["after"] < last["after"]
    assert len(line.told) == len(set(line.told)), "nothing is told twice"
    assert access_token not in json.dumps(line.greetings)


def _expect_trials(live: Locator, count: int) -> None:
    expect(live.locator("circle")).to_have_count(count)
    expect(live.locator("[data-part=count]")).to_have_text(str(count))


def _expect_drawing(live: Locator) -> None:
    """Look at three trials: dots where their scores are, the best so far as steps, the figures, the way by keyboard."""
    expect(live.get_by_role("img")).to_have_accessible_name("3 trials; best score 0.3100 by Gradient boosting")
    heights = [float(dot.get_attribute("cy") or 0) for dot in live.locator("circle").all()]
    assert heights[0] < heights[1] < heights[2], "lower is better, and lower on the picture"
    steps = live.locator("path.best").get_attribute("d") or ""
    assert (steps.count("H"), steps.count("V")) == (2, 2)
    expect(live.get_by_role("list", name="Recipes").get_by_role("listitem")).to_have_text(
        ["Baseline", "Linear", "Gradient boosting"]
    )
    expect(live.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "35")
    expect(live.locator("[aria-current]")).to_have_text("Search")
    live.get_by_role("img").press("Home")
    expect(live.locator("figcaption")).to_contain_text("Trial 1: Baseline")
    live.get_by_role("img").press("ArrowRight")
    expect(live.locator("figcaption")).to_contain_text("Trial 2: Linear")
