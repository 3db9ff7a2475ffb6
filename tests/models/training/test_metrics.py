"""Scores and their intervals against scikit-learn's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference

from models.errors import DatasetRejected
from models.training.metrics import classification_metrics, regression_metrics
from models.training.objective import Objective, objective_for
from models.training.options import AMOUNT_METRICS, CLASS_METRICS, TrainOptions
from models.training.target import read_target


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
    assert np.isfinite(Objective("log_loss").loss(np.array([0]), np.array([[0.0, 1.0]])))


def test_a_constant_sample_has_a_score():
    """R² of rows that are all alike: one for the truth, zero for anything else."""
    assert Objective("r2").loss(np.ones(5), np.ones(5)) == 0
    assert Objective("r2").loss(np.ones(5), np.zeros(5)) == 1


@given(st.integers(0, 2**32 - 1), st.integers(2, 4))
def test_every_class_metric_is_that_of_scikit_learn(seed, classes):
    """The loss that a search makes small leads back to the score that people know."""
    random = np.random.default_rng(seed)
    probabilities = random.dirichlet(np.ones(classes), 60)
    answers = np.concatenate([np.arange(classes), random.integers(0, classes, 60 - classes)])
    labels = probabilities.argmax(axis=1)
    expected = {
        "log_loss": reference.log_loss(answers, probabilities),
        "accuracy": reference.accuracy_score(answers, labels),
        "balanced_accuracy": reference.balanced_accuracy_score(answers, labels),
        "f1": reference.f1_score(answers, labels, average="macro"),
        "roc_auc": reference.roc_auc_score(
            answers, probabilities[:, 1] if classes == 2 else probabilities, multi_class="ovr"
        ),
    }

    for name in CLASS_METRICS:
        objective = Objective(name)
        listed = by_name(classification_metrics(answers, probabilities, 0, name))
        assert objective.score(objective.loss(answers, probabilities)) == pytest.approx(expected[name]), name
        assert listed[name].value == pytest.approx(expected[name])
        assert [one for one in listed if listed[one].primary] == [name]


@pytest.mark.parametrize("name", AMOUNT_METRICS)
def test_every_amount_metric_comes_back_to_its_units(name):
    """What is learned in standard units is told in those of the target."""
    random = np.random.default_rng(0)
    answers, values = random.normal(size=(2, 50))
    listed = by_name(regression_metrics(answers * 7 + 3, values * 7 + 3, 0, name))
    objective = Objective(name, spread=7.0)

    assert objective.score(objective.loss(answers, values)) == pytest.approx(listed[name].value)
    assert [one for one in listed if listed[one].primary] == [name]


def test_class_weights_count_rows():
    """A weighted log loss is scikit-learn's with sample weights."""
    random = np.random.default_rng(0)
    probabilities, answers = random.dirichlet(np.ones(3), 40), random.integers(0, 3, 40)
    weights = (1.0, 5.0, 0.5)
    expected = reference.log_loss(answers, probabilities, sample_weight=np.array(weights)[answers], labels=[0, 1, 2])

    assert Objective("log_loss", weights).loss(answers, probabilities) == pytest.approx(expected)
    listed = by_name(classification_metrics(answers, probabilities, 0, "log_loss", weights))
    assert listed["log_loss"].value == pytest.approx(expected)


def target(cells):
    return read_target({"y": cells, "x": cells}, "y")


def test_balanced_weights_are_those_of_scikit_learn():
    """Inverse to the share of each class in the part that is learned from."""
    asked = target(["a"] * 30 + ["b"] * 10)
    options = TrainOptions(target="y", name="n", class_weights="balanced")

    assert objective_for(asked, options, asked.answers, 1.0).weights == pytest.approx((40 / 60, 2.0))


@pytest.mark.parametrize(
    ("changes", "cells", "reason"),
    [
        ({"metric": "rmse"}, ["a", "b"] * 20, "the metric rmse does not fit"),
        ({"metric": "f1"}, [f"{index}.5" for index in range(40)], "the metric f1 does not fit"),
        ({"class_weights": {"z": 2.0}}, ["a", "b"] * 20, "no class 'z' to weigh"),
        ({"class_weights": "balanced"}, [f"{index}.5" for index in range(40)], "class weights need classes"),
    ],
    ids=str,
)
def test_wishes_that_do_not_fit_the_target_are_refused(changes, cells, reason):
    """In one line."""
    asked = target(cells)
    with pytest.raises(DatasetRejected, match=reason):
        objective_for(asked, TrainOptions(target="y", name="n", **changes), asked.answers, 1.0)
