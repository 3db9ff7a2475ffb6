"""The first page: every model at a glance."""

import pytest

from tests.conftest import User
from tests.dashboard.conftest import Open, words


def test_visitor_sees_the_trained_model_with_its_score(open_page: Open, penguins: str):
    """Without an account the published model is there, with score, baseline, version and rows."""
    app = open_page()

    assert not app.exception
    said = words(app)
    assert "One of several: species" in said
    assert "Log loss" in said
    assert "v1 · 344 rows · public" in said
    assert any("of the baseline's error removed" in each.proto.text for each in app.get("progress"))


def test_totals_count_what_is_listed(open_page: Open, penguins: str):
    """The numbers on top agree with the cards beneath."""
    app = open_page()

    totals = {metric.label: metric.value for metric in app.metric}
    assert int(totals["Models"]) == len(app.get("progress"))
    assert int(totals["In service"]) == len(app.get("progress"))


def test_private_model_is_shown_to_its_owner_only(
    open_page: Open, private_penguins: str, analyst: User, stranger: User
):
    """What is private is on its owner's page and on nobody else's."""
    assert private_penguins in _linked(open_page(user=analyst))
    assert private_penguins not in _linked(open_page(user=stranger))
    assert private_penguins not in _linked(open_page())


def test_unreachable_api_is_said_in_words(open_page: Open, settings: pytest.MonkeyPatch):
    """A page whose API is down explains itself and offers another try; nothing raw is shown."""
    settings.setenv("ROWCAST_API_URL", "http://127.0.0.1:9")

    app = open_page()

    assert not app.exception
    assert "cannot be reached" in app.error[0].value
    assert [button.label for button in app.button] == ["Try again"]


def test_missing_settings_are_named(open_page: Open, settings: pytest.MonkeyPatch):
    """A dashboard deployed without its settings says which one is missing."""
    settings.delenv("ROWCAST_API_URL")

    app = open_page()

    assert "ROWCAST" in words(app)


def _linked(app) -> set[str]:
    return {link.proto.query_string.removeprefix("model=") for link in app.get("page_link")}
