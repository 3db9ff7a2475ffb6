"""Scores and their intervals against scikit-learn's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference

from models.training.metrics import classification_metrics, loss, regression_metrics


def by_name(metrics):
    return {metric.name: metric for metric in metrics}


@given(st.integers(0, 2**32 - 1), st.integers(2, 4), st.integers(20, 60))
def test_classification_scores_are_those_of_scikit_learn(seed, classes, rows):
    """Log loss, accuracy and AUC, ties between probabilities included."""
    random = np.random.default_rng(seed)
    probabilities = random.dirichlet(np.ones(classes), rows).round(1) + 0.01
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    answers = np.concatenate([np.arange(classes), random.integers(0, classes, rows - classes)])

    scores = by_name(classification_metrics(answers, probabilities, 0))

    assert scores["log_loss"].value == pytest.approx(reference.log_loss(answers, probabilities))
    assert scores["accuracy"].value == pytest.approx((probabilities.argmax(axis=1) == answers).mean())
    given_to_auc = probabilities[:, 1] if classes == 2 else probabilities
    assert scores["roc_auc"].value == pytest.approx(reference.roc_auc_score(answers, given_to_auc, multi_class="ovr"))
    assert all(score.low <= score.high for score in scores.values())


@given(st.integers(0, 2**32 - 1))
def test_regression_scores_are_those_of_scikit_learn(seed):
    """R², mean absolute error and root mean squared error."""
    random = np.random.default_rng(seed)
    answers, values = random.normal(5, 3, size=(2, 40))

    scores = by_name(regression_metrics(answers, values, 0))

    assert scores["r2"].value == pytest.approx(reference.r2_score(answers, values))
    assert scores["mae"].value == pytest.approx(reference.mean_absolute_error(answers, values))
    assert scores["rmse"].value == pytest.approx(reference.root_mean_squared_error(answers, values))


def test_auc_is_left_out_where_a_class_is_absent():
    """It is not defined there."""
    scores = by_name(classification_metrics(np.zeros(30, dtype=np.int64), np.full((30, 2), 0.5), 0))

    assert set(scores) == {"log_loss", "accuracy"}


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    """A fair coin guessed at random: nineteen intervals in twenty hold one half."""
    random = np.random.default_rng(0)
    covered = 0
    for seed in range(200):
        answers = random.integers(0, 2, 150)
        stated = random.random(150)
        scores = by_name(classification_metrics(answers, np.column_stack([1 - stated, stated]), seed))
        covered += scores["accuracy"].low <= 0.5 <= scores["accuracy"].high

    assert 180 <= covered <= 199


def test_certain_and_wrong_is_finite():
    """A probability of zero for what happened costs much, not infinitely much."""
    assert np.isfinite(loss(np.array([0]), np.array([[0.0, 1.0]]), classification=True))


def test_a_constant_sample_has_a_score():
    """R² of rows that are all alike: one for the truth, zero for anything else."""
    assert loss(np.ones(5), np.ones(5), classification=False) == 0
    assert loss(np.ones(5), np.zeros(5), classification=False) == 1
