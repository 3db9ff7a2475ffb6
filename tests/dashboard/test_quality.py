"""Numbers in people's words."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.dashboard.conftest import DASHBOARD


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the dashboard's folder on the path, as Streamlit does."""
    monkeypatch.syspath_prepend(str(DASHBOARD))


@pytest.mark.parametrize(
    ("value", "baseline", "better", "removed"),
    [(0.2, 0.8, "lower", 0.75), (0.9, 0.6, "higher", 0.75), (1.0, 0.5, "lower", -1.0), (0.5, None, "lower", None)],
)
def test_error_removed_compares_scores_of_both_directions(value, baseline, better, removed):
    """One number says how much of the baseline's error is gone, whichever way a score counts."""
    from quality import Score

    score = Score("any", value, value, value, better, baseline)

    assert score.error_removed == (removed if removed is None else pytest.approx(removed))


def test_primary_score_comes_first_with_its_baseline():
    """The score that the search optimised leads, and each is paired by name."""
    from quality import scores

    metrics = [
        {"name": "accuracy", "value": 0.9, "low": 0.8, "high": 1.0, "better": "higher", "primary": False},
        {"name": "log_loss", "value": 0.2, "low": 0.1, "high": 0.3, "better": "lower", "primary": True},
    ]
    baseline = [{"name": "accuracy", "value": 0.5}, {"name": "log_loss", "value": 1.0}]

    found = scores(metrics, baseline)

    assert [(score.name, score.baseline) for score in found] == [("log_loss", 1.0), ("accuracy", 0.5)]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(5, "just now"), (60, "1 minute ago"), (7300, "2 hours ago"), (86400 * 3, "3 days ago")],
)
def test_moments_are_told_by_their_distance(seconds, said):
    """A moment reads as how long ago it was."""
    from quality import ago

    now = datetime(2026, 11, 23, tzinfo=UTC)

    assert ago((now - timedelta(seconds=seconds)).isoformat(), now) == said


def test_other_peoples_words_stay_words():
    """A model's title can neither fetch an image nor pose as a link or a badge."""
    from quality import plain

    shown = plain("![x](http://evil.example/a.png) :red-badge[sale] <b>")

    assert "![" not in shown
    assert "](" not in shown
    assert ":red" not in shown.replace("\\:", "")
    assert "<b" not in shown.replace("\\<", "")


def test_almost_all_is_not_all():
    """Rounding never claims perfection."""
    from quality import share

    assert share(0.9983) == "99.8%"
    assert share(0.5) == "50%"
    assert share(1) == "100%"
