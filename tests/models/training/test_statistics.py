"""What intervals and probabilities promise, held against rows that nobody learned from, over hundreds of small tables."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from models.training.blend import Blend
from models.training.calibrate import calibrated_loss, with_calibration
from models.training.choice import alone
from models.training.evaluate import COVERAGE, conformal_interval
from models.training.objective import Objective
from models.training.recipes import DEFAULTS, build, plan_for
from models.training.rematch import Found
from models.training.trial import Judge, Trial, in_place
from tests.models.tables import table
from tests.models.training.fits import understood_table

PEOPLE = 10_000
FRESH = 400
TABLES = 16
COLUMNS = 12


def population(*, amounts):
    """Write many rows of one law; each small table below is drawn from them."""
    random = np.random.default_rng(0)
    numbers = random.normal(size=(PEOPLE, COLUMNS)).round(3)
    score = numbers[:, 0] + 0.7 * numbers[:, 1] * (numbers[:, 2] > 0) - 0.5 * numbers[:, 3]
    noise = random.standard_t(4, size=PEOPLE) * (0.5 + np.abs(numbers[:, 4]))
    answers = (score + noise).round(4).tolist() if amounts else ["b" if one > 0 else "a" for one in score + noise]
    return understood_table(table({**{f"x{n}": numbers[:, n] for n in range(COLUMNS)}, "y": answers}))


def drawn(fits, size, seed):
    """Draw a small table, and fresh rows to judge by."""
    rows = np.random.default_rng(seed).permutation(PEOPLE)[: size + FRESH]
    return replace(fits.data, train=np.sort(rows[:size]), held_out=np.sort(rows[size:]))


def tried(data, recipe, parameters, objective, pool):
    """Judge a candidate on the folds of a small table, as a search does."""
    rows = data.train
    folds = data.folds(rows, 5, 0)
    judged = Judge(data, rows, plan_for(data, 0), objective, pool).judge(recipe, parameters, folds, 1, lambda _: False)
    made = Trial(recipe, parameters, [one.loss for one in judged], complete=True, plain=True)
    made.outputs = in_place(folds, (one.outputs for one in judged), len(rows))
    made.scores = in_place(folds, (one.scores for one in judged), len(rows))
    return Found([made], [made], rows, folds)


def fitted(data, pipeline):
    return Blend([(1.0, pipeline)]).fit(data.inputs(data.train), data.answers(data.train))


@pytest.fixture(scope="module")
def pool():
    with ThreadPoolExecutor(1, initializer=threadpool_limits, initargs=(1,)) as made:
        yield made


@pytest.mark.parametrize(
    ("recipe", "parameters", "tables"),
    [("linear", {}, 100), ("hist_gradient_boosting", {"max_iter": 12, "max_leaf_nodes": 4}, 40)],
)
def test_intervals_cover_what_they_promise(pool, recipe, parameters, tables):
    """Nine answers in ten lie within, from 88 to 92 in a hundred on average; the measured share is that very share."""
    fits, chosen = population(amounts=True), {**DEFAULTS[recipe], **parameters}
    measured = []
    for seed in range(tables):
        data = drawn(fits, 160, seed)
        outputs = alone(tried(data, recipe, chosen, Objective("r2"), pool)).outputs
        blend = fitted(data, build(recipe, chosen, plan_for(data, 0)))
        amounts = blend.predict(data.inputs(data.held_out)) * data.spread + data.center
        residuals = (data.answers(data.train) - outputs).ravel()

        interval = conformal_interval(data, residuals, amounts)

        distances = np.abs(data.target.answers[data.held_out] - amounts)
        assert interval.measured == np.mean(distances <= interval.half_width)
        measured.append(interval.measured)
    print(f"\n{recipe}: {np.mean(measured):.4f} covered, tables {np.quantile(measured, [0.05, 0.95])}")
    assert COVERAGE == 0.9
    assert 0.88 <= np.mean(measured) <= 0.92


def calibration_error(stated, came_true):
    """Sum over ten bins of how far what was stated is from what came true, by the share of the rows."""
    bins = np.minimum((stated * 10).astype(int), 9)
    return sum(
        abs(stated[bins == one].mean() - came_true[bins == one].mean()) * np.mean(bins == one)
        for one in np.unique(bins)
    )


def test_calibration_makes_probabilities_honest(pool):
    """A model that is too sure is found out from its folds alone, and what it states afterwards comes true as often."""
    fits, objective = population(amounts=False), Objective("log_loss")
    sure, plain = (
        {"max_iter": 25, "max_leaf_nodes": 8, "min_samples_leaf": 5, "learning_rate": 0.2},
        DEFAULTS["hist_gradient_boosting"],
    )
    chosen = {**plain, **sure}
    raw, mended, truth, taken = [], [], [], 0
    for seed in range(TABLES):
        data = drawn(fits, 300, seed)
        plan = plan_for(data, 0)
        found = tried(data, "hist_gradient_boosting", chosen, objective, pool)
        helps = calibrated_loss(alone(found), found.folds, data.answers(found.rows), objective) is not None
        pipeline = build("hist_gradient_boosting", chosen, plan)
        asked = data.inputs(data.held_out)
        raw.append(fitted(data, pipeline).predict(asked)[:, 1])
        served = with_calibration(build("hist_gradient_boosting", chosen, plan), found.folds) if helps else pipeline
        mended.append(fitted(data, served).predict(asked)[:, 1])
        truth.append(data.answers(data.held_out) == 1)
        taken += helps
    before, after = (calibration_error(np.concatenate(one), np.concatenate(truth)) for one in (raw, mended))
    print(f"\ncalibration error {before:.4f} before, {after:.4f} after, taken in {taken} of {TABLES}")
    assert taken > TABLES / 2
    assert after < before / 2
    assert after < 0.05
