"""The page of webhooks: hooks opened, tried and rotated; subscriptions made, tested and replayed."""

import json

import pytest

from tests.api.conftest import Publisher
from tests.api.tiny import build
from tests.conftest import RunningStack, User
from tests.dashboard.conftest import Open, asked, words
from tests.receiver import Receiver


@pytest.fixture
def model(stack: RunningStack, analyst: User, unique: str) -> str:
    """Publish a model of the analyst's; return its slug."""
    Publisher(stack).publish(unique, build(unique), owner=analyst, visibility="private")
    return unique


@pytest.mark.parametrize("who", [None, "viewer"])
def test_webhooks_need_a_role(open_page: Open, viewer: User, who: str | None):
    """A visitor is asked to sign in, a viewer is told which role is needed."""
    app = open_page("webhooks", user=viewer if who else None)

    assert not app.exception
    assert ("analyst" if who else "Sign in first") in words(app)


def test_hook_is_opened_tried_changed_and_rotated(open_page: Open, analyst: User, model: str):
    """Its secret is shown once; a payload is tried place by place while the mapping is written."""
    app = open_page("webhooks", user=analyst)
    _press(app, "Open the hook").run()
    assert "Give it a name" in app.warning[0].value
    app.text_input(key="hook_name").input("New penguins")
    app.selectbox(key="hook_model").select(model)
    _press(app, "Open the hook").run()

    assert not app.exception
    hook = asked(app, "hook")
    secret = next(code.value for code in app.code if code.value.startswith("whsec_"))
    row = {"length": 3.5, "width": 1, "island": "Dream"}
    app.text_area(key=f"payload_{hook}").input(json.dumps({"data": row})).run()
    assert "It would be predicted" in words(app)
    app.text_input(key=f"rows_{hook}").input("$.nowhere").run()
    assert "It would be refused" in words(app)
    app.text_area(key=f"payload_{hook}").input("{").run()
    assert "not JSON" in app.error[0].value
    app.text_area(key=f"payload_{hook}").input(json.dumps({"nowhere": row})).run()
    _press(app, "Save mapping").run()
    again = open_page("webhooks", user=analyst, hook=hook)
    assert again.text_input(key=f"rows_{hook}").value == "$.nowhere"
    assert not any(code.value.startswith("whsec_") for code in again.code)

    _press(again, "Make a new secret").run()
    rotated = next(code.value for code in again.code if code.value.startswith("whsec_"))
    assert rotated != secret
    _press(again, "I have kept it").run()
    assert not any(code.value.startswith("whsec_") for code in again.code)
    _press(again, "Switch off").run()
    assert "off" in words(again)


def test_subscription_is_made_tested_and_replayed(open_page: Open, analyst: User, model: str):
    """A test shows what came back, each attempt can be read, and what was given up is sent again."""
    with Receiver() as receiver:
        app = open_page("webhooks", user=analyst, direction="Outgoing")
        _press(app, "Subscribe").run()
        assert "whole address" in app.warning[0].value
        app.text_input(key="url").input(receiver.url("/500"))
        app.text_input(key="description").input("Our own")
        _press(app, "Subscribe").run()
        assert "at least one event" in app.warning[0].value
        app.multiselect(key="events").select("version.promoted")
        _press(app, "Subscribe").run()
        assert not app.exception
        secret = next(code.value for code in app.code if code.value.startswith("whsec_"))

        _press(app, "Send a test").run(timeout=60)
        said = words(app)
        assert "status 500" in said
        assert receiver.requests[0].verify(secret)["type"] == "subscription.test"
        log = next(table.value for table in app.dataframe if "Attempts" in table.value)
        assert log.iloc[0]["State"] == "Failing"

        before = len(receiver.requests)
        _press(app, "Send this again").run(timeout=60)
        assert not app.exception
        log = next(table.value for table in app.dataframe if "Attempts" in table.value)
        assert log.iloc[0]["State"] in {"Waiting", "Failing"}
        assert len(receiver.requests) >= before


def test_foreign_hook_is_not_shown(open_page: Open, stranger: User):
    """The address of somebody else's hook or subscription shows nothing of it."""
    for name in ("hook", "subscription"):
        app = open_page("webhooks", user=stranger, **{name: "01890a5d-ac96-774b-bcce-b302099a8057"})
        assert not app.exception
        assert app.error


def _press(app, label: str):
    return next(button for button in app.button if button.label == label).click()
