"""What may be asked of a training: which rows judge, what counts, what columns are."""

import numpy as np
import pytest

from models.errors import DatasetRejected
from models.training import TrainOptions, train
from models.training.options import Holdout
from tests.models.tables import table
from tests.models.training.test_trainer import options, small


def ordered(rows=300):
    random = np.random.default_rng(0)
    x = random.normal(size=rows)
    moved = x + np.arange(rows) / rows
    when = [f"2026-{1 + index // 28 % 12:02}-{1 + index % 28:02}" for index in range(rows)]
    who = [f"p{number}" for number in random.integers(0, 25, rows)]
    answers = np.where(moved > 0.5, "yes", "no")
    return table({"x": x.round(3), "when": when, "who": who, "y": answers})


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_a_holdout_by_time_judges_by_the_latest_rows(task):
    """Neither the held-out part nor a fold learns from what came later."""
    made = ordered()
    if task == "regression":
        made = table({**made.columns, "y": [float(cell) * 2 + 1 for cell in made.columns["x"]]})

    card = train(made, options(holdout=Holdout("time", "when"), time_budget_seconds=1)).card

    assert 50 <= card.evaluation.rows <= 70
    shown = [example["when"] for example in card.examples]
    assert min(shown) > sorted(made.columns["when"])[len(made.columns["when"]) // 2]


def test_a_holdout_by_group_keeps_groups_together():
    """And the group itself is nothing to learn from."""
    card = train(ordered(), options(holdout=Holdout("group", "who"), time_budget_seconds=1)).card

    assert "who" in card.ignored_columns
    assert "who" not in [feature.name for feature in card.features]


def test_class_weights_and_metrics_reach_the_card():
    """A rare class that counts ten times is answered more often, and the score asked for is the primary one."""
    random = np.random.default_rng(0)
    x = random.normal(size=600)
    rare = table({"x": x.round(3), "y": np.where(x + random.normal(size=600) > 2, "rare", "usual")})

    plain = train(rare, options(metric="f1")).card
    weighed = train(rare, options(class_weights={"rare": 10.0})).card

    assert plain.evaluation.metrics[0].name == "f1"
    assert plain.evaluation.metrics[0].primary
    assert sum(row[0] for row in weighed.evaluation.confusion) > sum(row[0] for row in plain.evaluation.confusion)


def test_corrections_are_followed():
    """A code of digits becomes a category, a column marked as an id is left out."""
    random = np.random.default_rng(0)
    made = small(zone=random.integers(1, 5, 80), ticket=random.integers(1, 9, 80))

    card = train(made, options(types={"zone": "category", "ticket": "id"})).card

    assert {feature.name: feature.kind for feature in card.features}["zone"] == "category"
    assert "ticket" in card.ignored_columns


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"metrics": "f1"}, "there is no option 'metrics'"),
        ({"metric": "beauty"}, "metric must be one of"),
        ({"holdout": {"by": "luck"}}, "holdout must be"),
        ({"holdout": {"by": "time"}}, "needs the name of a column"),
        ({"holdout": {"by": "time", "column": "x", "share": 0.9}}, "share of a holdout"),
        ({"class_weights": {"a": -1}}, "class_weights must be"),
        ({"drop": "x"}, "drop must be a list"),
        ({"types": ["x"]}, "types must give"),
        ({"time_budget_seconds": 0}, "time_budget_seconds must be"),
        ({"seed": -1}, "whole numbers"),
        ({"study": {"name": "s"}}, "study needs a storage"),
    ],
    ids=str,
)
def test_options_from_json_are_checked(given, reason):
    """Each refusal names the option."""
    with pytest.raises(DatasetRejected, match=reason):
        TrainOptions.from_json({"target": "y", "name": "n", **given})


def test_options_are_read_from_json():
    """As an API or a job sends them; null is the default."""
    read = TrainOptions.from_json(
        {
            "target": "y",
            "name": "n",
            "drop": ["a"],
            "holdout": {"by": "group", "column": "who", "share": 0.3},
            "study": {"storage": "sqlite://", "name": "s"},
            "class_weights": {"a": 2},
            "metric": None,
        }
    )

    assert read.drop == ("a",)
    assert read.holdout == Holdout("group", "who", 0.3)
    assert read.study.name == "s"
    assert read.class_weights == {"a": 2.0}
    assert read.metric is None


@pytest.mark.parametrize(
    ("holdout", "reason"),
    [
        (Holdout("time", "who"), "cannot order the rows by time"),
        (Holdout("time", "nothing"), "no column named 'nothing' to hold out by"),
        (Holdout("group", "y"), "no column named 'y' to hold out by"),
    ],
    ids=str,
)
def test_a_holdout_that_cannot_be_is_refused(holdout, reason):
    """With the column's name."""
    with pytest.raises(DatasetRejected, match=reason):
        train(ordered(), options(holdout=holdout))
