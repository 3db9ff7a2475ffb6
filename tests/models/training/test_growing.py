"""Boosting grows as long as it gets better, and all folds are judged after as many iterations."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.pipeline import Pipeline

from models.training.growing import Stage, common_iterations, grow, scores_behind
from models.training.objective import Objective
from models.training.recipes import BOOSTING, DEFAULTS, MOST_ITERATIONS
from models.training.trial import Judge
from tests.models.tables import mixed, table
from tests.models.training.fits import understood_table


def rows(count=300):
    random = np.random.default_rng(1)
    inputs = random.normal(size=(count, 4))
    return inputs, (inputs[:, 0] + random.normal(size=count) > 0).astype(np.int64)


def grown(most, *, is_over=lambda: False, to_the_end=False, rate=0.3):
    inputs, answers = rows()
    model = HistGradientBoostingClassifier(max_iter=most, learning_rate=rate, early_stopping=False, random_state=0)
    pipeline = Pipeline([("columns", "passthrough"), ("model", model)])
    return grow(
        pipeline,
        inputs[:200],
        answers[:200],
        inputs[200:],
        classes=2,
        loss=lambda outputs: Objective("log_loss").loss(answers[200:], outputs),
        is_over=is_over,
        to_the_end=to_the_end,
    )


def test_it_ends_when_it_only_gets_worse():
    """A third of the iterations brought nothing: fast boosting of noise is best after a few."""
    stages = grown(2000)

    best = min(stages, key=lambda stage: stage.loss)
    assert best.iterations < stages[-1].iterations < 100


def test_a_stage_is_what_a_fit_of_as_many_iterations_answers():
    """It is the same model, not an approximation."""
    inputs, answers = rows()
    stage = grown(2000, rate=0.05)[-1]

    assert stage.iterations > 25  # it was continued
    alone = HistGradientBoostingClassifier(
        max_iter=stage.iterations, learning_rate=0.05, early_stopping=False, random_state=0
    ).fit(inputs[:200], answers[:200])

    assert np.abs(alone.predict_proba(inputs[200:]) - stage.outputs).max() < 1e-5


def test_time_ends_it_after_some_iterations():
    """There is always something to go by."""
    assert grown(2000, is_over=lambda: True)[-1].iterations == 25


def test_to_the_end_is_what_the_library_does():
    """A plain form is judged as it is, however much it overfits, unless time ends it."""
    assert [stage.iterations for stage in grown(100, to_the_end=True)][-1] == 100
    assert grown(100, to_the_end=True, is_over=lambda: True)[-1].iterations == 25


def test_amounts_grow_too():
    """The other task."""
    inputs, answers = rows()
    model = HistGradientBoostingRegressor(max_iter=50, early_stopping=False)
    stages = grow(
        Pipeline([("columns", "passthrough"), ("model", model)]),
        inputs,
        inputs[:, 1],
        inputs,
        classes=0,
        loss=lambda outputs: float(((outputs - inputs[:, 1]) ** 2).mean()),
        is_over=lambda: False,
    )

    assert stages[-1].iterations == 50
    assert stages[-1].outputs.shape == answers.shape


def test_folds_agree_on_the_smallest_mean():
    """One fold's luck does not decide; only what all have reached counts."""

    def path(*losses):
        return [Stage(number, loss, np.empty(0)) for number, loss in enumerate(losses, 1)]

    assert common_iterations([path(5, 1, 2, 2), path(5, 4, 2, 3), path(5, 4, 2)]) == 3


@pytest.mark.parametrize("count", [2, 4])
def test_scores_give_the_probabilities_back(count):
    """By a sigmoid or a softmax, as a calibration will do."""
    outputs = np.random.default_rng(0).dirichlet(np.ones(count), 20)

    scores = scores_behind(outputs)

    if count == 2:
        assert np.allclose(1 / (1 + np.exp(-scores[:, 0])), outputs[:, 1])
    else:
        assert np.allclose(np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True), outputs)


def test_a_trial_is_judged_after_one_number_of_iterations():
    """Which is what a fit with that number answers on every fold."""
    fits = understood_table(table(mixed(200)))
    data = fits.data
    folds = data.folds(data.train, 3, 0)
    with ThreadPoolExecutor(1) as pool:
        judge = Judge(data, data.train, fits.plan, Objective("log_loss"), pool)
        judged = judge.judge(BOOSTING, {**DEFAULTS[BOOSTING], "max_iter": MOST_ITERATIONS}, folds, 1, lambda _: False)
        number = judged[0].path[-1].iterations
        again = judge.judge(BOOSTING, {**DEFAULTS[BOOSTING], "max_iter": number}, folds, 1, lambda _: False)

    assert {one.path[-1].iterations for one in judged} == {number}
    assert [one.loss for one in judged] == pytest.approx([one.loss for one in again], abs=1e-4)
    assert 0 < judged[0].needed <= 1
