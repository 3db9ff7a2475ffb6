"""Judges the served file on the held-out rows, with the numbers a reader needs to doubt it."""

import time

import numpy as np
from numpy.typing import NDArray

from models.contract import Candidate, Evaluation, Importance, IntervalNote, Metric, ReliabilityBin
from models.encoding import Encoded
from models.runtime import OnnxModel, label_indexes
from models.tally import BINS
from models.training.data import TrainingData
from models.training.fitting import Outputs
from models.training.metrics import classification_metrics, regression_metrics
from models.training.objective import Objective
from models.training.progress import Progress

COVERAGE = 0.9
QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)

_MAX_SHUFFLED_ROWS = 2_000
_MAX_SHUFFLES = 5
_IMPORTANCE_SECONDS = 2.0
_BINS = 10


def evaluate(
    model: OnnxModel,
    data: TrainingData,
    leaderboard: list[Candidate],
    objective: Objective,
    progress: Progress,
    seed: int,
) -> Evaluation:
    """Score the served file and the baseline on the held-out rows."""
    rows = data.held_out
    outputs = served_outputs(model, data, rows)
    answers = data.target.answers[rows]
    if data.classification:
        codes = answers.astype(np.int64)
        labels = label_indexes(outputs)
        count = len(data.target.classes)
        confusion = np.zeros((count, count), dtype=int)
        np.add.at(confusion, (codes, labels), 1)
        table, bins, residuals, predicted = confusion.tolist(), _reliability(codes, outputs), [], []
    else:
        table, bins = [], []
        residuals = np.quantile(answers - outputs, QUANTILES).tolist()
        predicted = _histogram(outputs, data.target.answers[data.train].astype(np.float64))
    return Evaluation(
        rows=len(rows),
        metrics=_metrics(data, outputs, objective, seed),
        baseline=_metrics(data, _baseline_outputs(data, objective), objective, seed),
        leaderboard=leaderboard,
        importance=_importance(model, data, objective, progress, seed),
        confusion=table,
        reliability=bins,
        residual_quantiles=residuals,
        predicted_histogram=predicted,
    )


def served_outputs(model: OnnxModel, data: TrainingData, rows: NDArray[np.intp]) -> Outputs:
    """Run the served file: probabilities [N, K] or amounts [N]."""
    outputs = model.run(Encoded(data.numeric[rows], data.text[rows], ())).astype(np.float64)
    return outputs if data.classification else outputs[:, 0]


def conformal_interval(data: TrainingData, residuals: Outputs, outputs: Outputs) -> IntervalNote:
    """Take the half width from residuals of rows the folds did not learn from, and measure its coverage on held-out rows."""
    level = min(np.ceil((len(residuals) + 1) * COVERAGE) / len(residuals), 1.0)
    half_width = float(np.quantile(np.abs(residuals) * data.spread, level, method="higher"))
    covered = np.abs(data.target.answers[data.held_out] - outputs) <= half_width
    return IntervalNote(coverage=COVERAGE, half_width=half_width, measured=float(covered.mean()))


def _metrics(data: TrainingData, outputs: Outputs, objective: Objective, seed: int) -> list[Metric]:
    answers = data.target.answers[data.held_out]
    if data.classification:
        return classification_metrics(answers.astype(np.int64), outputs, seed, objective.name, objective.weights)
    return regression_metrics(answers.astype(np.float64), outputs, seed, objective.name)


def _baseline_outputs(data: TrainingData, objective: Objective) -> Outputs:
    """Answer every held-out row with the training shares or the training mean."""
    if not data.classification:
        return np.full(len(data.held_out), data.center)
    codes = data.target.answers[data.train].astype(np.int64)
    weights = np.array(objective.weights)[codes] if objective.weights else None
    counts = np.bincount(codes, weights=weights, minlength=len(data.target.classes))
    return np.tile(counts / counts.sum(), (len(data.held_out), 1))


def _importance(
    model: OnnxModel, data: TrainingData, objective: Objective, progress: Progress, seed: int
) -> list[Importance]:
    """Shuffle one column at a time and see how much the primary score suffers, most important first."""
    random = np.random.default_rng(seed)
    rows = random.permutation(data.held_out)[:_MAX_SHUFFLED_ROWS]
    numeric, text = data.numeric[rows], data.text[rows]
    columns = [*data.numeric_columns, *data.text_columns]
    answers = data.target.answers[rows]
    started = time.perf_counter()
    intact = objective.loss(answers, served_outputs(model, data, rows))
    affordable = _IMPORTANCE_SECONDS / (time.perf_counter() - started) / len(columns)
    shuffles = int(np.clip(affordable, 1, _MAX_SHUFFLES))
    important = []
    for position, column in enumerate(columns):
        progress.check()
        packed, place = (numeric, position) if position < numeric.shape[1] else (text, position - numeric.shape[1])
        kept = packed[:, place].copy()
        losses = []
        for _ in range(shuffles):
            packed[:, place] = random.permutation(kept)
            outputs = model.run(Encoded(numeric, text, ())).astype(np.float64)
            losses.append(objective.loss(answers, outputs if data.classification else outputs[:, 0]) - intact)
        packed[:, place] = kept
        important.append(Importance(feature=column.name, mean=float(np.mean(losses)), deviation=float(np.std(losses))))
    return sorted(important, key=lambda one: -one.mean)


def _histogram(outputs: Outputs, answers: NDArray[np.float64]) -> list[int]:
    """Count predictions in the bins of the training answers."""
    low, high = answers.min(), answers.max()
    counts: list[int] = np.histogram(np.clip(outputs, low, high), bins=BINS, range=(low, high))[0].tolist()
    return counts


def _reliability(codes: NDArray[np.int64], probabilities: Outputs) -> list[ReliabilityBin]:
    """Compare stated with observed frequencies: of the second class, or of the chosen one where there are more than two."""
    if probabilities.shape[1] == 2:  # noqa: PLR2004  # binary
        stated, came_true = probabilities[:, 1], codes == 1
    else:
        labels = label_indexes(probabilities)
        stated, came_true = probabilities[np.arange(len(labels)), labels], labels == codes
    bins = np.minimum((stated * _BINS).astype(int), _BINS - 1)
    return [
        ReliabilityBin(
            predicted=float(stated[bins == one].mean()),
            observed=float(came_true[bins == one].mean()),
            count=int((bins == one).sum()),
        )
        for one in np.unique(bins)
    ]
