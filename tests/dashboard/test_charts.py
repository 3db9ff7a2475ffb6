"""What charts are made of: nothing is drawn where nothing was, and what is drawn is what was counted."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.dashboard.conftest import DASHBOARD

START = datetime(2026, 11, 1, tzinfo=UTC)
OUT_ON = 3


@pytest.fixture(autouse=True)
def charts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the dashboard's modules be imported by the names they have for each other."""
    monkeypatch.syspath_prepend(str(DASHBOARD))


def _metrics() -> dict[str, Any]:
    """Seven days of which the fourth is missing; of the last two no truth is known yet."""
    days = [day for day in range(7) if day != OUT_ON]
    latency = {"p50": 0.3, "p95": 2.2, "p99": 40.0}
    score = {"value": 0.9, "low": 0.85, "high": 0.95}
    return {
        "since": START.isoformat(),
        "until": (START + timedelta(days=7)).isoformat(),
        "step_hours": 24,
        "series": [{"at": _at(day), "requests": 10, "cached": 4, "latency": latency} for day in days],
        "quality_series": [
            {"at": _at(day), "version": 1, "actuals": 10, "accuracy": score} for day in days if day < OUT_ON + 2
        ],
    }


def _at(day: int) -> str:
    return (START + timedelta(days=day)).isoformat()


def _rows(chart: Any) -> list[dict[str, Any]]:
    return max(chart.to_dict()["datasets"].values(), key=len)


def _domain(chart: Any) -> list[str]:
    told = chart.to_dict()
    return (told.get("layer") or [told])[0]["encoding"]["x"]["scale"]["domain"]


def test_lines_break_where_nothing_was_asked_and_the_axis_shows_all_of_the_span():
    """An outage is a gap and not a straight line; days whose truth is to come are empty room at the end."""
    import monitor_charts

    metrics = _metrics()
    asked, slow = monitor_charts.requests(metrics), monitor_charts.latency(metrics)
    right = monitor_charts.quality(metrics, "accuracy", "Accuracy", 0.92)

    assert len(_rows(asked)) == 2 * 6
    for chart, name in ((slow, "ms"), (right, "value")):
        (gap, *others) = {row["at"][:10] for row in _rows(chart) if row[name] is None}
        assert (gap, others) == (_at(OUT_ON)[:10], [])
    assert {tuple(each[:10] for each in _domain(chart)) for chart in (asked, slow, right)} == {
        ("2026-11-01", "2026-11-08")
    }


def test_scales_fit_what_they_show():
    """Latencies stand on round numbers by factors; a score that never falls below a half has room for its differences."""
    import monitor_charts

    scale = monitor_charts.latency(_metrics()).to_dict()["encoding"]["y"]
    right = monitor_charts.quality(_metrics(), "accuracy", "Accuracy", 0.92).to_dict()["layer"][0]["encoding"]["y"]

    assert scale["axis"]["values"] == [0.2, 0.5, 1, 2, 5, 10, 20, 50]
    assert scale["scale"] == {"type": "log", "domain": [0.2, 50]}
    assert right["scale"]["domain"] == [0.5, 1]


def test_rare_values_are_one_colour_and_shares_of_a_day_add_up():
    """Ten categories on two days: the frequent ones have a colour each, all others share the last."""
    import value_charts

    labels = [*"abcdefghi", "all others"]
    counts = [[50, 20, 10, 5, 5, 4, 3, 2, 1, 0], [100, 0, 0, 0, 0, 0, 0, 0, 0, 0]]
    days = [{"day": _at(day)[:10], "counts": each} for day, each in enumerate(counts)]

    rows = _rows(value_charts.mix(labels, days))

    first = [row["share"] for row in rows if row["at"].startswith("2026-11-01")]
    assert first == pytest.approx([0.5, 0.2, 0.1, 0.05, 0.05, 0.04, 0.03, 0.03])
    assert {row["value"] for row in rows} == {*"abcdefg", "others"}


def test_middle_and_spread_are_read_off_the_histogram():
    """A hundred rows spread evenly over ten bins, one day with half of them above what training saw."""
    import value_charts

    edges = [float(each) for each in range(11)]
    even, high = [0, *[10] * 10, 0], [0, *[5] * 10, 50]
    days = [{"day": "2026-11-01", "counts": even}, {"day": "2026-11-02", "counts": high}]

    rows = {row["at"][:10]: row for row in _rows(value_charts.spread(edges, days))}

    assert [rows["2026-11-01"][each] for each in ("low", "middle", "high")] == pytest.approx([1, 5, 9])
    assert [rows["2026-11-02"][each] for each in ("low", "middle", "high")] == pytest.approx([2, 10, 10])
