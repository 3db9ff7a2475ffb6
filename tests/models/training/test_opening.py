"""Cheapest information first: every plain form is looked at, and what a table allows is compared on."""

import numpy as np
import pytest

from models.training import TrainOptions, train
from models.training.opening import Look, Scale, promising, scale_of_folds, scale_of_sample
from models.training.recipes import BOOSTING, ONE_HOT, TARGET_MEANS
from models.training.trial import Judged
from tests.models.tables import table


def look(loss, seconds=1.0, recipe="random_forest"):
    return Look(recipe, {}, Judged(loss, np.empty(0), np.empty(0)), seconds)


def test_the_better_half_goes_on_and_what_is_close():
    """More rows may turn the order of those that are close; what is far behind is not worth more rows."""
    looks = [look(loss) for loss in (1.2, 1.0, 1.04, 1.4, 1.03, 1.02)]

    assert [one.judged.loss for one in promising(looks)] == [1.0, 1.02, 1.03, 1.04]
    assert [one.judged.loss for one in promising([look(9.0), look(1.0), look(2.0)])] == [1.0]


@pytest.mark.parametrize(
    ("seconds", "wanted"), [(60, Scale(20_000, 3)), (15, Scale(20_000, 1)), (6, Scale(8437, 1)), (0.1, Scale(6000, 1))]
)
def test_little_time_costs_folds_first_and_then_rows(seconds, wanted):
    """Two forms of one second for 3,000 rows each."""
    assert scale_of_sample([look(1.0), look(1.0)], 20_000, 3, seconds) == wanted


def test_boosting_does_not_take_ten_times_as_long_for_ten_times_the_rows():
    """Growing trees takes its time whatever the rows are."""
    assert look(1.0, recipe=BOOSTING).seconds_for(10) < look(1.0).seconds_for(10)
    assert look(1.0, recipe=BOOSTING).seconds_for(0.5) == 0.5


@pytest.mark.parametrize(("seconds", "folds"), [(100, 5), (6, 4), (0.0, 2)])
def test_a_small_table_is_compared_on_as_many_folds_as_there_is_time_for(seconds, folds):
    """The first of them is the look, at two seconds for all forms."""
    assert scale_of_folds([look(1.0), look(1.0)], 500, 5, seconds) == Scale(500, folds)


@pytest.fixture(scope="module")
def large():
    """Train for a moment on more rows than a look takes; the sixty shops are what matters."""
    random = np.random.default_rng(3)
    rows = 8_000
    shop, x = random.integers(0, 60, rows), random.normal(size=rows).round(3)
    score = 2 * random.normal(size=60)[shop] + x + random.normal(size=rows)
    columns = {"x": x, "shop": [f"s{one}" for one in shop], "y": ["yes" if one > 0 else "no" for one in score]}
    told = []
    card = train(table(columns), TrainOptions(target="y", name="large", time_budget_seconds=1), told.append).card
    return told, card


def test_no_budget_ends_before_every_plain_form_was_looked_at(large):
    """A second is not enough to try one of them on all folds, and yet each has been judged."""
    told, card = large
    looks = [event for event in told if event["kind"] == "look"]
    forms = {(one["recipe"], *sorted(one["parameters"].keys() & {ONE_HOT, TARGET_MEANS})) for one in looks}

    trees = {(recipe, *form) for recipe in (BOOSTING, "random_forest", "extra_trees") for form in ((), (ONE_HOT,))}
    assert forms == {("linear",), *trees, (BOOSTING, TARGET_MEANS)}
    assert all(one["score"] is not None and "rows" in one["message"] for one in looks)
    best = min(looks, key=lambda one: one["score"])
    trials = [event for event in told if event["kind"] == "trial"]
    assert (trials[1]["recipe"], trials[1]["parameters"]) == (best["recipe"], best["parameters"])
    assert card.parity.passed


def test_what_was_chosen_learned_from_all_rows(large):
    """Once it has been judged."""
    _, card = large

    assert card.evaluation.refitted
