"""The monitoring pages: empty, full, drifting, refused; and the meter for admins."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from api._jobs import drift_watch
from tests.conftest import User
from tests.dashboard.conftest import Open, words
from tests.monitoring.conftest import Watched, as_owner, count, predicted, watched

__all__ = ["as_owner", "count", "watched"]


@pytest.fixture
def busy(watched: Watched, as_owner: httpx.Client, count: Callable[[], int]) -> Watched:
    """Let a model be asked for five days, of which the last three bring one island only; half of the truth is known."""
    today = datetime.now(UTC).replace(hour=1, minute=0)
    for day in range(5, 0, -1):
        at = today - timedelta(days=day)
        islands = ["Biscoe", "Dream", "Torgersen"] if day > 3 else ["Dream"]
        ids = watched.log(
            *(
                predicted(
                    "Adelie",
                    0.8,
                    at,
                    rows=[{"length": n * 37 % 100 / 10, "width": n * 3 % 11, "island": islands[n % len(islands)]}],
                )
                for n in range(220)
            )
        )
        actuals = [
            {"prediction_id": one, "actual": "Gentoo" if place % 4 == 0 else "Adelie"}
            for place, one in enumerate(ids[:110])
        ]
        as_owner.post("/api/feedback", json={"actuals": actuals}).raise_for_status()
    count()
    drift_watch.watch_all()
    return watched


def test_use_is_shown_in_numbers_and_charts(open_page: Open, busy: Watched, analyst: User):
    """Requests, latency, versions and sources of the span in the address."""
    app = open_page("monitor", analyst, model=busy.slug, span="7d")

    assert not app.exception
    totals = {metric.label: metric.value for metric in app.metric}
    assert totals["Requests"] == totals["Rows"] == "1,100"
    assert totals["Refused"] == "0"
    assert app.dataframe[0].value.to_dict("records")[0]["Version"] == "v1"
    assert "0.40 ms inside the function" in words(app)


def test_quality_and_drift_are_told(open_page: Open, busy: Watched, analyst: User):
    """Live accuracy beside the model's own estimate, and the feature that moved, first of all."""
    app = open_page("monitor", analyst, model=busy.slug, span="7d")

    app.session_state["monitor_tab"] = "Quality"
    app.run()
    assert not app.exception
    metrics = {metric.label: metric for metric in app.metric}
    assert metrics["Accuracy"].value == "75%"
    assert "-" in metrics["Accuracy"].delta
    assert "550 actuals" in words(app)

    app.session_state["monitor_tab"] = "Drift"
    app.run()
    assert not app.exception
    said = words(app)
    assert "**island** moved away" in said
    assert "0.1 false alarms a month" in said
    assert app.selectbox(key="feature").options[0] == "island"
    app.selectbox(key="feature").select("Prediction").run()
    assert "1,100 rows in 30 days" in words(app)


def test_a_model_that_nobody_asked_says_so(open_page: Open, watched: Watched, analyst: User):
    """Empty figures explain themselves on every tab."""
    app = open_page("monitor", analyst, model=watched.slug)
    assert "Nothing was asked" in words(app)

    for tab, expected in (("Quality", "No actuals yet"), ("Drift", "Nothing has been compared yet")):
        app.session_state["monitor_tab"] = tab
        app.run()
        assert not app.exception
        assert expected in words(app)


def test_use_is_not_for_strangers(open_page: Open, watched: Watched, stranger: User):
    """A public model's use is its owner's to see, and visitors are asked to sign in."""
    watched.value("update public.models set visibility = 'public' where slug = %s returning 1", watched.slug)

    assert "shown to its owner" in words(open_page("monitor", stranger, model=watched.slug))
    assert "Sign in first" in words(open_page("monitor"))


def test_admins_see_what_is_used_up(open_page: Open, admin: User, analyst: User):
    """Every quota with what happens at its end; the page is not in other people's navigation."""
    app = open_page("usage", admin)

    assert not app.exception
    said = words(app)
    assert all(name in said for name in ("Database", "Storage", "Function requests", "Key-value commands"))
    assert said.count("When it is used up") + len(app.warning) == 4
    assert "Predictions are kept for 90 days" in said
