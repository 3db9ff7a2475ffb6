"""A simulated month of traffic with a planted shift, labels that come late, and an outage: every figure is as planted."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from api._jobs import drift_watch
from tests.conftest import RunningStack, User
from tests.monitoring.conftest import Watched, predicted

DAYS = 29
PER_DAY = 220
SHIFTED_FROM = 22
"""From this day on all rows come from one island that was rare, and answers are wrong half of the time."""
OUT_ON = 11
"""On this day nothing was asked: the site was down."""
UNLABELLED_FROM = 27
DELAY = timedelta(hours=36)


class Month:
    """What was planted."""

    def __init__(self, watched: Watched, owner: httpx.Client) -> None:
        self.slug, self._watched, self._owner = watched.slug, watched, owner
        now = datetime.now(UTC)
        self.today = now.date()
        self.start = now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=DAYS)
        self.requests = self.right = self.actuals = self.late_right = self.late_actuals = 0
        self._random = random.Random(7)
        for day in range(DAYS):
            if day != OUT_ON:
                self._live(day)

    def _live(self, day: int) -> None:
        records, truths = [], []
        is_shifted = day >= SHIFTED_FROM
        for number in range(PER_DAY):
            at = self.start + timedelta(days=day, minutes=6 * number)
            draw = self._random.random()
            island = "Torgersen" if is_shifted else None if draw < 0.1 else ("Biscoe", "Dream", "Torgersen")[number % 3]
            row = {"length": self._random.uniform(0, 10), "width": number % 11, "island": island}
            is_cached = number % 4 == 0
            total = 0.2 if is_cached else 4.0 if number % 20 == 1 else 1.2
            records.append(
                predicted(
                    ("Adelie", "Chinstrap", "Gentoo")[number % 3], 0.8, at, rows=[row], total_ms=total,
                    cache="hit-local" if is_cached else "miss", source="site" if number % 10 == 0 else "api",
                )
            )  # fmt: skip
            is_right = self._random.random() < (0.5 if is_shifted else 0.8)
            truths.append((at, is_right, records[-1]["outputs"][0]["label"]))
        ids = self._watched.log(*records)
        self.requests += len(ids)
        if day >= UNLABELLED_FROM:
            return
        actuals = []
        for prediction_id, (at, is_right, label) in zip(ids, truths, strict=True):
            actual = label if is_right else {"Adelie": "Gentoo", "Gentoo": "Chinstrap", "Chinstrap": "Adelie"}[label]
            actuals.append({"prediction_id": prediction_id, "actual": actual, "observed_at": (at + DELAY).isoformat()})
            self.actuals += 1
            self.right += is_right
            self.late_actuals += is_shifted
            self.late_right += is_right and is_shifted
        answer = self._owner.post("/api/feedback", json={"actuals": actuals})
        assert answer.json()["accepted"] == len(actuals), answer.text

    def read(self, what: str = "", **query: Any) -> dict[str, Any]:
        """Read metrics as the owner."""
        answer = self._owner.get(f"/api/metrics/{self.slug}{what}", params=query)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


@pytest.fixture
def month(watched: Watched, as_owner: httpx.Client, count: Callable[[], int]) -> Month:
    """Live through a month, and count it."""
    planted = Month(watched, as_owner)
    count()
    return planted


@pytest.mark.slow
def test_a_month_reads_as_it_was_planted(month: Month, watched: Watched, count: Callable[[], int], stack: RunningStack):
    """Traffic, latency, cache, sources, quality with its delay, values, and one alarm where the shift was planted."""
    assert count() == 0, "everything is counted once"
    _check_traffic(month)
    _check_quality(month)
    _check_values(month)
    _check_drift(month, watched)


def _check_traffic(month: Month) -> None:
    metrics = month.read(span="30d")
    totals = metrics["totals"]
    assert totals["requests"] == totals["rows"] == month.requests
    assert totals["cached"] == month.requests // 4
    assert metrics["sources"] == {"api": month.requests * 9 // 10, "site": month.requests // 10}
    # A twentieth took 4 ms, a quarter 0.2 ms, the others 1.2 ms; figures are true to a bucket.
    assert 1.0 <= totals["latency"]["p50"] <= 1.5
    assert 3.0 <= totals["latency"]["p99"] <= 5.0
    assert metrics["parts"]["total"] == pytest.approx(0.25 * 0.2 + 0.05 * 4 + 0.7 * 1.2, rel=1e-3)
    days = {step["at"][:10]: step["requests"] for step in metrics["series"]}
    assert len(days) == DAYS - 1, "the day of the outage is empty"
    assert str((month.start + timedelta(days=OUT_ON)).date()) not in days
    assert set(days.values()) == {PER_DAY}
    assert [(each["version"], each["requests"]) for each in metrics["versions"]] == [(1, month.requests)]


def _check_quality(month: Month) -> None:
    metrics = month.read(span="30d")
    (quality,) = metrics["quality"]
    assert (quality["version"], quality["actuals"]) == (1, month.actuals)
    accuracy = quality["accuracy"]
    assert accuracy["value"] == pytest.approx(month.right / month.actuals)
    assert accuracy["low"] < accuracy["value"] < accuracy["high"]
    assert quality["delay_seconds"] == pytest.approx([DELAY.total_seconds()] * 2)
    by_day = {step["at"][:10]: step for step in metrics["quality_series"]}
    shifted = [by_day[str((month.start + timedelta(days=day)).date())] for day in range(SHIFTED_FROM, UNLABELLED_FROM)]
    assert sum(step["actuals"] * step["accuracy"]["value"] for step in shifted) == pytest.approx(month.late_right)
    assert len(by_day) == UNLABELLED_FROM - 1, "days whose truth is not known yet are not shown as zero"
    # What the model said of itself, before any truth is known: it does not see the shift, and says so in its description.
    (expected,) = metrics["expected_quality"]
    assert (expected["rows"], expected["accuracy"]) == (month.requests, pytest.approx(0.8))


def _check_values(month: Month) -> None:
    features = {each["feature"]: each for each in month.read("/values", days=31)["features"]}
    island = features["island"]
    assert island["labels"] == ["Biscoe", "Dream", "Torgersen"]
    last = next(day for day in island["days"] if day["day"] == str((month.start + timedelta(days=DAYS - 1)).date()))
    assert (last["seen"], last["counts"], last["missing"]) == (PER_DAY, [0, 0, PER_DAY, 0], 0)
    said = features[None]
    assert sum(sum(day["counts"]) for day in said["days"]) == month.requests
    assert len(features["length"]["edges"]) == 21


def _check_drift(month: Month, watched: Watched) -> None:
    def states() -> dict[str | None, str]:
        return {each["feature"]: each["state"] for each in month.read("/drift")["features"]}

    def events() -> Any:
        return watched.value(
            "select coalesce(jsonb_agg(event.data), '[]') from public.events as event join public.models as model "
            "on model.id = event.model_id where model.slug = %s and event.type = 'drift.detected'",
            watched.slug,
        )

    drift_watch.watch_all((month.start + timedelta(days=SHIFTED_FROM)).date())
    assert states()["island"] == "stable", "three quiet weeks"
    assert events() == []

    drift_watch.watch_all((month.start + timedelta(days=SHIFTED_FROM + 1)).date())
    assert states()["island"] == "moved", "one day is not yet an alarm"

    for days in (2, 3):
        drift_watch.watch_all((month.start + timedelta(days=SHIFTED_FROM + days)).date())
        assert states()["island"] == "drifted"
    (event,) = events()
    assert (event["model"], event["version"], [each["feature"] for each in event["features"]]) == (
        watched.slug,
        1,
        ["island"],
    )
    windows = next(each for each in month.read("/drift")["features"] if each["feature"] == "island")["windows"]
    assert [window["is_beyond"] for window in windows][-3:] == [True, True, True]
    assert not any(window["is_beyond"] for window in windows[:-3])


def test_figures_are_for_those_with_a_part_in_the_model(
    api: httpx.Client, site_url: str, watched: Watched, stranger: User, admin: User, as_owner: httpx.Client
):
    """Nobody, a stranger, and a stranger to a public model are refused, each in its way; an admin reads."""
    path = f"{site_url}/api/metrics/{watched.slug}"

    assert api.get(path).status_code == 401
    assert httpx.get(path, headers=stranger.headers, trust_env=False).status_code == 404
    assert httpx.get(path, headers=admin.headers, trust_env=False).status_code == 200
    watched.value("update public.models set visibility = 'public' where slug = %s returning 1", watched.slug)
    for what in ("", "/values", "/drift"):
        assert httpx.get(f"{path}{what}", headers=stranger.headers, trust_env=False).status_code == 403
        assert as_owner.get(f"/api/metrics/{watched.slug}{what}").status_code == 200


def test_a_model_nobody_asked_has_empty_figures(as_owner: httpx.Client, watched: Watched):
    metrics = as_owner.get(f"/api/metrics/{watched.slug}", params={"span": "24h"}).json()

    assert metrics["totals"] == {"requests": 0, "rows": 0, "cached": 0, "latency": None}
    assert metrics["series"] == metrics["quality"] == metrics["expected_quality"] == []


def test_prometheus_reads_counts_that_only_grow(
    as_owner: httpx.Client, watched: Watched, count: Callable[[], int], unique: str
):
    """The text is in Prometheus' format, adds up, and a key for one model sees that one only."""
    watched.log(*(predicted(total_ms=latency) for latency in (0.06, 1.2, 20_000)))
    count()

    answer = as_owner.get("/api/metrics")

    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.text.endswith("\n")
    labels = f'model="{watched.slug}",version="1",source="api"'
    lines = dict(line.rsplit(" ", 1) for line in answer.text.splitlines() if not line.startswith("#"))
    name = "rowcast_request_duration_seconds"
    assert lines[f"rowcast_requests_total{{{labels}}}"] == "3"
    assert lines[f'{name}_bucket{{{labels},le="5e-05"}}'] == "0"
    assert lines[f'{name}_bucket{{{labels},le="7e-05"}}'] == "1"
    assert lines[f'{name}_bucket{{{labels},le="10"}}'] == "2"
    assert lines[f'{name}_bucket{{{labels},le="+Inf"}}'] == lines[f"{name}_count{{{labels}}}"] == "3"
    assert float(lines[f"{name}_sum{{{labels}}}"]) == pytest.approx(20.00126)
    key = as_owner.post("/api/keys", json={"name": unique, "scopes": ["predict"], "model": watched.slug}).json()["key"]
    narrow = httpx.get(
        f"{as_owner.base_url}/api/metrics", headers={"authorization": f"Bearer {key}"}, trust_env=False
    ).text
    assert {line.split('"')[1] for line in narrow.splitlines() if not line.startswith("#")} == {watched.slug}
