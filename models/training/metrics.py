"""Scores: per row first, so that a score, its folds and its bootstrap interval come from the same numbers."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from models.contract import Metric
from models.runtime import label_indexes

_RESAMPLES = 400
_MIN_RESAMPLES = 50
_RARE_RESAMPLES = 200
_MAX_CELLS = 4_000_000  # rows x resamples: keeps a bootstrap within a second and a hundred megabytes
_SMALLEST = 1e-15
_BOUNDS = (0.025, 0.975)

type Floats = NDArray[np.float64]


def log_losses(answers: NDArray[np.int64], probabilities: Floats) -> Floats:
    """Give each row's log loss."""
    chosen = probabilities[np.arange(len(answers)), answers]
    losses: Floats = -np.log(np.clip(chosen, _SMALLEST, 1.0))
    return losses


def recall_macro(answers: NDArray[np.int64], probabilities: Floats) -> float:
    """Give the mean, over the classes that occur, of the share of their rows that are recognised."""
    right = label_indexes(probabilities) == answers
    return float(np.mean([right[answers == code].mean() for code in np.unique(answers)]))


def f1_macro(answers: NDArray[np.int64], probabilities: Floats) -> float:
    """Give the mean, over the classes that occur or are predicted, of precision and recall in harmony."""
    labels = label_indexes(probabilities)
    scores = []
    for code in np.union1d(answers, labels):
        both = float(((answers == code) & (labels == code)).sum())
        scores.append(2 * both / float((answers == code).sum() + (labels == code).sum()))
    return float(np.mean(scores))


def area_under_curve(answers: NDArray[np.int64], probabilities: Floats) -> float:
    """Give the area under the ROC curve; a half where a class is absent."""
    area = float(_aucs(answers, probabilities, np.ones((1, len(answers)), dtype=np.int64))[0])
    return area if np.isfinite(area) else 0.5


def classification_metrics(
    answers: NDArray[np.int64],
    probabilities: Floats,
    seed: int,
    primary: str = "log_loss",
    weights: Sequence[float] = (),
) -> list[Metric]:
    """Score held-out probabilities, each with a 95 % bootstrap interval.

    Rows count by the weight of their class in the log loss. Rarer scores are given where they are the primary one.
    """
    counts = np.array(weights)[answers] if weights else np.ones(len(answers))
    losses = log_losses(answers, probabilities)
    right = (label_indexes(probabilities) == answers).astype(np.float64)
    draws = _draws(len(answers), seed)
    sampled = (losses * counts)[draws].sum(axis=1) / counts[draws].sum(axis=1)
    metrics = [
        _metric("log_loss", float(np.average(losses, weights=counts)), sampled, better="lower"),
        _metric("accuracy", float(right.mean()), right[draws].mean(axis=1)),
    ]
    once = np.ones((1, len(answers)), dtype=np.int64)
    area = float(_aucs(answers, probabilities, once)[0])
    if np.isfinite(area):
        sampled = _aucs(answers, probabilities, _times(draws))
        metrics.append(_metric("roc_auc", area, sampled[np.isfinite(sampled)]))
    if primary in _RARE:
        rare = _RARE[primary]
        sampled = np.array([rare(answers[draw], probabilities[draw]) for draw in draws[:_RARE_RESAMPLES]])
        metrics.append(_metric(primary, rare(answers, probabilities), sampled))
    return _with_primary(metrics, primary)


def regression_metrics(answers: Floats, values: Floats, seed: int, primary: str = "r2") -> list[Metric]:
    """Score held-out amounts, each with a 95 % bootstrap interval."""
    draws = _draws(len(answers), seed)
    errors = answers - values
    absolute, squared = np.abs(errors), errors**2
    sampled = np.array([r2(answers[draw], values[draw]) for draw in draws])
    metrics = [
        _metric("r2", r2(answers, values), sampled),
        _metric("mae", float(absolute.mean()), absolute[draws].mean(axis=1), better="lower"),
        _metric("rmse", float(np.sqrt(squared.mean())), np.sqrt(squared[draws].mean(axis=1)), better="lower"),
    ]
    return _with_primary(metrics, primary)


_RARE: Mapping[str, Callable[[NDArray[np.int64], Floats], float]] = {
    "balanced_accuracy": recall_macro,
    "f1": f1_macro,
}


def _with_primary(metrics: list[Metric], name: str) -> list[Metric]:
    """Mark one score as the primary one and put it first; the first where the one that was asked for is undefined."""
    chosen = next((metric for metric in metrics if metric.name == name), metrics[0])
    others = [metric for metric in metrics if metric is not chosen]
    return [chosen.model_copy(update={"primary": True}), *others]


def _draws(rows: int, seed: int) -> NDArray[np.intp]:
    """Draw the bootstrap's resamples, fewer of a large table: its intervals are narrow anyway."""
    count = int(np.clip(_MAX_CELLS // rows, _MIN_RESAMPLES, _RESAMPLES))
    return np.random.default_rng(seed).integers(0, rows, size=(count, rows), dtype=np.intp)


def _times(draws: NDArray[np.intp]) -> NDArray[np.int64]:
    """Count how often each resample holds each row."""
    resamples, rows = draws.shape
    flat = (draws + np.arange(resamples)[:, None] * rows).ravel()
    times: NDArray[np.int64] = np.bincount(flat, minlength=resamples * rows).reshape(resamples, rows)
    return times


def _metric(name: str, value: float, sampled: Floats, *, better: str = "higher") -> Metric:
    low, high = np.quantile(sampled, _BOUNDS) if len(sampled) else (value, value)
    return Metric.model_validate(
        {"name": name, "value": value, "low": low, "high": high, "better": better, "primary": False}
    )


def _aucs(answers: NDArray[np.int64], probabilities: Floats, times: NDArray[np.int64]) -> Floats:
    """Give the area under the ROC curve per resample, NaN where a class is absent.

    For several classes it is the mean over one-against-rest. `times` [R, N] says how often a resample holds each row.
    """
    count = probabilities.shape[1]
    codes = [1] if count == 2 else range(count)  # noqa: PLR2004  # of two classes one says all
    each = [_ranked(answers == code, probabilities[:, code], times) for code in codes]
    areas: Floats = np.mean(each, axis=0)
    return areas


def _ranked(positive: NDArray[np.bool_], stated: Floats, times: NDArray[np.int64]) -> Floats:
    """Give the share of pairs of a positive and a negative row that are in order, half a pair for a draw."""
    order = np.argsort(stated, kind="stable")
    starts = np.flatnonzero(np.diff(stated[order], prepend=-np.inf))
    sorted_times = times[:, order].astype(np.float64)
    positives = np.add.reduceat(sorted_times * positive[order], starts, axis=1)
    negatives = np.add.reduceat(sorted_times * ~positive[order], starts, axis=1)
    below = np.cumsum(negatives, axis=1) - negatives / 2
    pairs = positives.sum(axis=1) * negatives.sum(axis=1)
    areas: Floats = np.divide((positives * below).sum(axis=1), pairs, out=np.full(len(times), np.nan), where=pairs > 0)
    return areas


def r2(answers: Floats, values: Floats) -> float:
    """Give the share of variance explained; a constant sample is explained only by itself."""
    spread = float(((answers - answers.mean()) ** 2).sum())
    left = float(((answers - values) ** 2).sum())
    if spread == 0.0:
        return 1.0 if left == 0.0 else 0.0
    return 1.0 - left / spread
