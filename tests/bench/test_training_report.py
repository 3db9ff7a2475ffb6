"""The report on training tells a difference from noise."""

import numpy as np
import pytest
from sklearn.metrics import log_loss, r2_score

from tests.bench.training_report import Outcome, report
from tests.bench.training_significance import amount_losses, class_losses, difference


def losses(shift, seed=0, rows=400):
    return np.random.default_rng(seed).exponential(size=rows) + shift


@pytest.mark.parametrize(("shift", "verdict"), [(0.2, "ahead"), (-0.2, "below"), (0.0, "no difference")])
def test_a_difference_is_told_from_noise(shift, verdict):
    """Two contenders with errors of their own, one of them better by a fifth."""
    noise = np.random.default_rng(1).normal(scale=0.5, size=400)

    found = difference([np.arange(400)], [losses(0.0)], [losses(shift) + noise - noise.mean()])

    assert found.verdict == verdict
    assert found.mean == pytest.approx(shift)


def test_a_row_that_several_seeds_judged_counts_once():
    """The same rows ten times over say no more than once."""
    theirs = losses(0.0) + np.random.default_rng(1).normal(size=400)

    once = difference([np.arange(400)], [losses(0.0)], [theirs])
    often = difference([np.arange(400)] * 10, [losses(0.0)] * 10, [theirs] * 10)

    assert (often.mean, often.error) == pytest.approx((once.mean, once.error))
    assert difference([np.arange(4000)], [np.tile(losses(0.0), 10)], [np.tile(theirs, 10)]).error < once.error / 2


def test_losses_are_those_of_the_scores():
    """Their means are the log loss, and what R² lacks to one."""
    random = np.random.default_rng(0)
    stated, codes = random.dirichlet(np.ones(3), 50), random.integers(0, 3, 50)
    amounts, guesses = random.normal(size=50), random.normal(size=50)

    assert class_losses(codes, stated).mean() == pytest.approx(log_loss(codes, stated, labels=range(3)))
    assert amount_losses(amounts, guesses).mean() == pytest.approx(1 - r2_score(amounts, guesses))


def test_the_report_says_where_it_is_below():
    """With a verdict for each other one, by table and summed up; the best default is chosen with hindsight."""
    shifts = {"ours": 0.0, "flaml": -0.1, "linear": 0.1, "forest": 0.0, "boosting": 0.5, "picked": 0.1}
    given = {who: losses(shift) + 1e-3 * losses(0.0, seed=9) * (who != "ours") for who, shift in shifts.items()}
    outcome = Outcome("t", 1600, 3, 0, True, {who: one.mean() for who, one in given.items()}, given, np.arange(400), "")

    told = report([outcome], 10, "others").splitlines()

    row = next(line for line in told if line.startswith("| t | "))
    assert [cell.split(" (")[0] for cell in row.strip("| ").split(" | ")] == ["t", "below", "ahead", "ahead"]
    assert "| FLAML | 0 | 0 | 1 |" in told
    assert "| random forest | 1 | 0 | 0 |" in told
