"""Sigmoid calibration, where it makes the probabilities of unseen rows better.

Only the sigmoid: its ONNX form is exact, those of the isotonic and temperature methods are not.
"""

import numpy as np
from numpy.typing import NDArray
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from models.training.choice import Choice
from models.training.fitting import Outputs
from models.training.holdout import Fold
from models.training.objective import Objective

CALIBRATED = frozenset({"linear", "hist_gradient_boosting", "random_forest"})
"""Recipes whose calibrated form the converter knows."""

_MIN_ROWS = 200  # below it two more parameters per class cost more than they bring
_MIN_GAIN = 0.005  # of the loss: less is noise


def calibrated_loss(
    choice: Choice, folds: list[Fold], answers: NDArray[np.int64], objective: Objective
) -> float | None:
    """Estimate the loss after calibration by fitting it on all folds but one; None if calibration would not help.

    It must help by more than the noise of the folds. A blend is left alone: averaging calibrates. So are models whose classes
    are weighed, because calibration would undo that, and those that are not judged by their probabilities.
    """
    scores = choice.members[0][1].scores
    if choice.recipe not in CALIBRATED or scores is None or len(answers) < _MIN_ROWS:
        return None
    if objective.name != "log_loss" or objective.weights:
        return None
    losses = []
    for fold in folds:
        known = fold.fit[np.isfinite(scores[fold.repeat, fold.fit]).all(axis=1)]
        if len(np.unique(answers[known])) < len(np.unique(answers)):
            return None  # too few folds were judged to learn a calibration from the others
        asked = scores[fold.repeat, fold.check]
        losses.append(
            objective.loss(answers[fold.check], _calibrated(scores[fold.repeat, known], answers[known], asked))
        )
    gains = np.subtract(choice.losses, losses)
    error = float(gains.std(ddof=1) / np.sqrt(len(gains)))
    return float(np.mean(losses)) if gains.mean() > max(_MIN_GAIN * choice.loss, error) else None


def with_calibration(pipeline: Pipeline, folds: list[Fold]) -> Pipeline:
    """Wrap an untrained pipeline's model so that training also learns a sigmoid per class from the given folds."""
    wrapped = CalibratedClassifierCV(
        pipeline[-1], method="sigmoid", cv=[(fold.fit, fold.check) for fold in folds], ensemble=False
    )
    return Pipeline([*pipeline.steps[:-1], ("model", wrapped)])


def _calibrated(scores: Outputs, answers: NDArray[np.int64], asked: Outputs) -> Outputs:
    if scores.shape[1] == 1:
        return _sigmoid(scores, answers == 1, asked)
    each = [_sigmoid(scores[:, [code]], answers == code, asked[:, [code]])[:, 1] for code in range(scores.shape[1])]
    stacked = np.column_stack(each)
    shares: Outputs = stacked / stacked.sum(axis=1, keepdims=True)
    return shares


def _sigmoid(scores: Outputs, positive: NDArray[np.bool_], asked: Outputs) -> Outputs:
    spread = float(scores.std()) or 1.0
    fitted = LogisticRegression(C=1e4).fit(scores / spread, positive)
    probabilities: Outputs = fitted.predict_proba(asked / spread)
    return probabilities
