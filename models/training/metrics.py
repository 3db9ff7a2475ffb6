"""Scores: per row first, so that a score, its folds and its bootstrap interval come from the same numbers."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from models.contract import Metric
from models.runtime import label_indexes

PRIMARY = {"binary": "log_loss", "multiclass": "log_loss", "regression": "r2"}
"""The score that the search optimises."""

_RESAMPLES = 400
_MIN_RESAMPLES = 50
_MAX_CELLS = 4_000_000  # rows x resamples: keeps a bootstrap within a second and a hundred megabytes
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
    once = np.ones((1, len(answers)), dtype=np.int64)
    area = float(_aucs(answers, probabilities, once)[0])
    if np.isfinite(area):
        sampled = _aucs(answers, probabilities, _times(draws))
        metrics.append(_metric("roc_auc", area, sampled[np.isfinite(sampled)]))
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
    """Draw the bootstrap's resamples, fewer of a large table: its intervals are narrow anyway."""
    count = int(np.clip(_MAX_CELLS // rows, _MIN_RESAMPLES, _RESAMPLES))
    return np.random.default_rng(seed).integers(0, rows, size=(count, rows), dtype=np.intp)


def _times(draws: NDArray[np.intp]) -> NDArray[np.int64]:
    """Count how often each resample holds each row."""
    resamples, rows = draws.shape
    flat = (draws + np.arange(resamples)[:, None] * rows).ravel()
    times: NDArray[np.int64] = np.bincount(flat, minlength=resamples * rows).reshape(resamples, rows)
    return times


def _metric(name: str, value: float, sampled: Floats, *, better: str = "higher", primary: bool = False) -> Metric:
    low, high = np.quantile(sampled, _BOUNDS) if len(sampled) else (value, value)
    return Metric.model_validate(
        {"name": name, "value": value, "low": low, "high": high, "better": better, "primary": primary}
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
