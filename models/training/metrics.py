"""Scores: per row first, so that a score, its folds and its bootstrap interval come from the same numbers."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from models.contract import Metric
from models.runtime import label_indexes

PRIMARY = {"binary": "log_loss", "multiclass": "log_loss", "regression": "r2"}
"""The score that the search optimises."""

_RESAMPLES = 400
_MAX_RANKED_CELLS = 400_000  # rows x resamples for scores that sort: keeps a bootstrap of AUC below a second
_SMALLEST = 1e-15
_BOUNDS = (0.025, 0.975)

type Floats = NDArray[np.float64]


def log_losses(answers: NDArray[np.int64], probabilities: Floats) -> Floats:
    """Give each row's log loss."""
    chosen = probabilities[np.arange(len(answers)), answers]
    losses: Floats = -np.log(np.clip(chosen, _SMALLEST, 1.0))
    return losses


def loss(answers: NDArray[np.int64] | Floats, outputs: Floats, *, classification: bool) -> float:
    """Give the number that the search makes small: log loss, or the share of the variance left unexplained."""
    if classification:
        return float(log_losses(answers.astype(np.int64), outputs).mean())
    return 1.0 - _r2(answers.astype(np.float64), outputs)


def score_from_loss(value: float, *, classification: bool) -> float:
    """Give the primary score that belongs to a loss."""
    return value if classification else 1.0 - value


def classification_metrics(answers: NDArray[np.int64], probabilities: Floats, seed: int) -> list[Metric]:
    """Score held-out probabilities, each with a 95 % bootstrap interval."""
    losses = log_losses(answers, probabilities)
    right = (label_indexes(probabilities) == answers).astype(np.float64)
    draws = _draws(len(answers), seed)
    metrics = [
        _metric("log_loss", float(losses.mean()), losses[draws].mean(axis=1), better="lower", primary=True),
        _metric("accuracy", float(right.mean()), right[draws].mean(axis=1)),
    ]
    auc = _auc(answers, probabilities)
    if auc is not None:
        few = draws[: max(50, _MAX_RANKED_CELLS // len(answers))]
        sampled = [_auc(answers[draw], probabilities[draw]) for draw in few]
        metrics.append(_metric("roc_auc", auc, np.array([one for one in sampled if one is not None])))
    return metrics


def regression_metrics(answers: Floats, values: Floats, seed: int) -> list[Metric]:
    """Score held-out amounts, each with a 95 % bootstrap interval."""
    draws = _draws(len(answers), seed)
    errors = answers - values
    absolute, squared = np.abs(errors), errors**2
    sampled = np.array([_r2(answers[draw], values[draw]) for draw in draws])
    return [
        _metric("r2", _r2(answers, values), sampled, primary=True),
        _metric("mae", float(absolute.mean()), absolute[draws].mean(axis=1), better="lower"),
        _metric("rmse", float(np.sqrt(squared.mean())), np.sqrt(squared[draws].mean(axis=1)), better="lower"),
    ]


def _draws(rows: int, seed: int) -> NDArray[np.intp]:
    return np.random.default_rng(seed).integers(0, rows, size=(_RESAMPLES, rows), dtype=np.intp)


def _metric(name: str, value: float, sampled: Floats, *, better: str = "higher", primary: bool = False) -> Metric:
    low, high = np.quantile(sampled, _BOUNDS) if len(sampled) else (value, value)
    return Metric.model_validate(
        {"name": name, "value": value, "low": low, "high": high, "better": better, "primary": primary}
    )


def _auc(answers: NDArray[np.int64], probabilities: Floats) -> float | None:
    """Area under the ROC curve; for several classes the mean over one-against-rest. None where a class is absent."""
    if len(np.unique(answers)) != probabilities.shape[1]:
        return None
    if probabilities.shape[1] == 2:  # noqa: PLR2004  # two classes need the second column only
        return float(roc_auc_score(answers, probabilities[:, 1]))
    each = [roc_auc_score(answers == code, probabilities[:, code]) for code in range(probabilities.shape[1])]
    return float(np.mean(each))


def _r2(answers: Floats, values: Floats) -> float:
    """Give the share of variance explained; a constant sample is explained only by itself."""
    spread = float(((answers - answers.mean()) ** 2).sum())
    left = float(((answers - values) ** 2).sum())
    if spread == 0.0:
        return 1.0 if left == 0.0 else 0.0
    return 1.0 - left / spread


Scorer = Callable[[Floats], float]


def primary_scorer(answers: NDArray[np.int64] | Floats, *, classification: bool) -> Scorer:
    """Give a function from outputs to a loss, for comparing outputs on the same rows."""
    return lambda outputs: loss(answers, outputs, classification=classification)
