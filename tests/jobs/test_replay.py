"""Rows through two versions: what flips, what gains, at which cost; kept as evidence."""

import json
from typing import Any
from uuid import UUID

import pytest
from uuid_utils import uuid7

from api._jobs.replay import carry_out
from tests.api.conftest import Publisher
from tests.api.tiny import build

ADD = "insert into public.replays (version_id, against_id, row_limit, dataset_id) values (%s, %s, %s, %s) returning id"
ISLANDS = ("Biscoe", "Dream", "Torgersen")


class Rehearsal:
    """A model with two versions that answer differently, and rows for them."""

    def __init__(self, bench: Any, slug: str) -> None:
        self.bench = bench
        Publisher(bench.stack).publish(slug, build(slug), build(slug, seed=9), owner=bench.owner, visibility="private")
        versions = "select version.id from public.versions as version join public.models as model on model.id = version.model_id "
        self.first, self.second = bench.column(versions + "where model.slug = %s order by number", slug)

    def log(self, *rows: dict[str, Any]) -> UUID:
        """Log one request of these rows, answered by the first version."""
        prediction = {"id": str(uuid7()), "version_id": str(self.first), "source": "api", "caller_kind": "anonymous"}
        prediction |= {"row_count": len(rows), "rows": rows, "outputs": [{"label": "Adelie"} for _ in rows]}
        self.bench.value("select public.log_predictions(%s)", json.dumps({"predictions": [prediction]}))
        return UUID(prediction["id"])

    def add(self, limit: int = 500, dataset: UUID | None = None) -> UUID:
        """Ask for a replay of the second version against the first."""
        replay: UUID = self.bench.value(ADD, self.second, self.first, limit, dataset)
        return replay

    def result(self, replay: UUID) -> dict[str, Any]:
        """Carry a replay out and read what it showed."""
        carry_out(replay)
        status, reason, result = self.bench.connection.execute(
            "select status, reason, result from public.replays where id = %s", (replay,)
        ).fetchone()
        assert status == "succeeded", reason
        return dict(result)


@pytest.fixture
def rehearsal(bench: Any, unique: str) -> Rehearsal:
    """Publish the two versions."""
    return Rehearsal(bench, unique)


def row(n: int) -> dict[str, Any]:
    """Make a row that the model reads."""
    return {"length": n / 10, "width": n % 4, "island": ISLANDS[n % 3]}


def test_logged_rows_show_what_flips(rehearsal: Rehearsal) -> None:
    """The newest rows, as they were sent, through both versions; odd ones are counted, not hidden."""
    rehearsal.log({"length": 1.0, "island": "Dream"})
    rehearsal.log(*(row(n) for n in range(30)), {"length": "long"})

    result = rehearsal.result(rehearsal.add(limit=31))

    assert (result["rows"], result["unreadable"], result["actuals"], result["score"]) == (30, 1, 0, None)
    assert 0 < result["flips"] == sum(change["rows"] for change in result["changes"])
    assert result["flip_share"] == result["flips"] / 30
    assert result["differences"] == sorted(result["differences"])
    largest = result["examples"][0]
    difference = largest["version"]["probabilities"][largest["against"]["label"]]
    difference -= largest["against"]["probabilities"][largest["against"]["label"]]
    assert abs(difference) == pytest.approx(result["largest_difference"])
    assert result["latency"]["version"]["p50_ms"] > 0
    assert result["since"] <= result["until"]


def test_actuals_tell_gains_from_losses(rehearsal: Rehearsal) -> None:
    """Where the truth is known, a flip is a gain or a loss, and the difference has an interval."""
    rows = [row(n) for n in range(40)]
    replay = rehearsal.add()
    rehearsal.log(*rows)
    flips = rehearsal.result(replay)["examples"]
    truth = flips[0]["version"]["label"]
    lines = "length,width,island,species\n" + "".join(
        f"{each['length']},{each['width']},{each['island']},{truth}\n" for each in rows
    )

    result = rehearsal.result(rehearsal.add(dataset=rehearsal.bench.upload(lines)))

    assert (result["rows"], result["actuals"]) == (40, 40)
    assert (result["since"], result["gains"] + result["losses"] > 0) == (None, True)
    score = result["score"]
    assert score["difference"] == pytest.approx((result["gains"] - result["losses"]) / 40)
    assert score["low"] <= score["difference"] <= score["high"]


def test_feedback_on_logged_rows_counts(rehearsal: Rehearsal) -> None:
    """Actuals that came in by prediction id are the truth of the logged rows."""
    prediction = rehearsal.log(row(1), row(2))
    statement = (
        "insert into public.actuals (prediction_id, row_index, model_id, version_id, value, predicted, predicted_at, observed_at, "
        "source) select %s, 1, model_id, id, '\"Gentoo\"', '{}', now(), now(), 'api' from public.versions where id = %s "
        "returning row_index"
    )
    rehearsal.bench.value(statement, prediction, rehearsal.first)

    assert rehearsal.result(rehearsal.add())["actuals"] == 1


def test_without_rows_it_says_what_to_do(rehearsal: Rehearsal) -> None:
    """Nothing was logged: the reason tells the two ways to get rows."""
    replay = rehearsal.add()

    carry_out(replay)

    status, reason = rehearsal.bench.connection.execute(
        "select status, reason from public.replays where id = %s", (replay,)
    ).fetchone()
    assert status == "failed"
    assert "replay the rows of a dataset" in reason


def test_worker_carries_replays_out(rehearsal: Rehearsal) -> None:
    """An insert is enough; one whose job got lost is found."""
    rehearsal.log(row(3))
    replay = rehearsal.add()
    rehearsal.bench.connection.execute("truncate procrastinate.procrastinate_jobs cascade")

    rehearsal.bench.drain()

    assert rehearsal.bench.value("select status from public.replays where id = %s", replay) == "succeeded"
