"""What a search makes small: one loss for every score that may be asked for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.errors import DatasetRejected
from models.runtime import label_indexes
from models.training.metrics import Floats, area_under_curve, f1_macro, log_losses, r2, recall_macro
from models.training.options import AMOUNT_METRICS, CLASS_METRICS, TrainOptions
from models.training.target import Target

type Codes = NDArray[np.int64]


@dataclass(frozen=True)
class Objective:
    """One score. `weights` counts the rows of each class in the log loss; `spread` is the unit of the amounts learned."""

    name: str
    weights: tuple[float, ...] = ()
    spread: float = 1.0

    @property
    def classification(self) -> bool:
        """Tell whether the answers are classes."""
        return self.name in CLASS_METRICS

    def loss(self, answers: NDArray[np.generic], outputs: Floats) -> float:
        """Give the number that is to be small."""
        if self.name == "log_loss":
            return self.log_loss(answers.astype(np.int64), outputs)
        if self.classification:
            return 1.0 - _CLASS_SCORES[self.name](answers.astype(np.int64), outputs)
        return _AMOUNT_LOSSES[self.name](answers.astype(np.float64), outputs)

    def score(self, loss: float) -> float:
        """Give the score that belongs to a loss, in the units that people read."""
        if self.name in {"rmse", "mae"}:
            return loss * self.spread
        return loss if self.name == "log_loss" else 1.0 - loss

    def log_loss(self, answers: Codes, outputs: Floats) -> float:
        """Give the mean log loss, rows counted by the weight of their class."""
        losses = log_losses(answers, outputs)
        if not self.weights:
            return float(losses.mean())
        return float(np.average(losses, weights=np.array(self.weights)[answers]))


def objective_for(target: Target, options: TrainOptions, answers: NDArray[np.generic], spread: float) -> Objective:
    """Choose the score that was asked for, or the usual one. Raises DatasetRejected where it does not fit the target."""
    names = CLASS_METRICS if target.classes else AMOUNT_METRICS
    name = options.metric or names[0]
    if name not in names:
        raise DatasetRejected(
            f"the metric {name} does not fit {target.name!r}, a {target.task} target: choose one of {', '.join(names)}"
        )
    return Objective(name, _weights(target, options, answers), spread)


def _weights(target: Target, options: TrainOptions, answers: NDArray[np.generic]) -> tuple[float, ...]:
    given = options.class_weights
    if given is None:
        return ()
    if not target.classes:
        raise DatasetRejected(f"class weights need classes, and {target.name!r} holds amounts")
    if isinstance(given, Mapping):
        unknown = [label for label in given if label not in target.classes]
        if unknown:
            raise DatasetRejected(
                f"there is no class {unknown[0]!r} to weigh; the classes are {', '.join(target.classes)}"
            )
        return tuple(float(given.get(label, 1.0)) for label in target.classes)
    counts = np.bincount(answers.astype(np.int64), minlength=len(target.classes))
    return tuple((len(answers) / (len(counts) * np.maximum(counts, 1))).tolist())


_CLASS_SCORES: Mapping[str, Callable[[Codes, Floats], float]] = {
    "accuracy": lambda answers, outputs: float((label_indexes(outputs) == answers).mean()),
    "balanced_accuracy": recall_macro,
    "f1": f1_macro,
    "roc_auc": area_under_curve,
}
_AMOUNT_LOSSES: Mapping[str, Callable[[Floats, Floats], float]] = {
    "r2": lambda answers, values: 1.0 - r2(answers, values),
    "rmse": lambda answers, values: float(np.sqrt(((answers - values) ** 2).mean())),
    "mae": lambda answers, values: float(np.abs(answers - values).mean()),
}
