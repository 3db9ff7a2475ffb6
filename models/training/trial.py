"""One candidate on the folds, and what the folds told of it."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import batched
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.training.data import TrainingData
from models.training.fitting import Outputs, predict, raw_scores, take
from models.training.holdout import Fold
from models.training.objective import Objective
from models.training.recipes import BASELINE, Parameters, Plan, build


@dataclass(eq=False)
class Trial:
    """One candidate. `outputs` [R, N, …] holds each row's answer by the fold of each repeat that did not learn from it, NaN
    where there is none; `scores` the raw scores behind it. `plain` is what a library gives without any option.
    """

    recipe: str
    parameters: Parameters
    losses: list[float] = field(default_factory=list)
    seconds: float = 0.0
    complete: bool = False
    plain: bool = False
    outputs: Outputs | None = None
    scores: Outputs | None = None

    @property
    def loss(self) -> float:
        """Mean loss over the folds."""
        return float(np.mean(self.losses))


@dataclass(frozen=True)
class Judged:
    """What one fold told."""

    loss: float
    outputs: Outputs
    scores: Outputs


class Judge:
    """Trains candidates on some rows and judges them on their folds.

    Folds run side by side, each on one thread: threads that share one fit wait for each other at every step, which on a busy
    machine makes boosting ten times slower.
    """

    def __init__(
        self, data: TrainingData, rows: NDArray[np.intp], plan: Plan, objective: Objective, pool: ThreadPoolExecutor
    ) -> None:
        self.answers = data.answers(rows)
        self._inputs = data.inputs(rows)
        self._plan, self._objective, self._pool = plan, objective, pool

    def judge(
        self,
        recipe: str,
        parameters: Parameters,
        folds: Sequence[Fold],
        threads: int,
        is_over: Callable[[Sequence[Judged]], bool],
    ) -> list[Judged]:
        """Judge a candidate fold by fold, until all are done or the caller has seen enough."""
        judged: list[Judged] = []
        for wave in batched(folds, threads):
            judged += self._pool.map(lambda fold: self._one(recipe, parameters, fold), wave)
            if is_over(judged):
                break
        return judged

    def _one(self, recipe: str, parameters: Parameters, fold: Fold) -> Judged:
        """Learn from a fold's training part and answer its other rows."""
        answers, classes = self.answers[fold.check], self._plan.classes
        if recipe == BASELINE:
            outputs = self._shares(fold)
            return Judged(self._objective.loss(answers, outputs), outputs, outputs[:, 1:] if classes == 2 else outputs)  # noqa: PLR2004
        pipeline = build(recipe, parameters, self._plan).fit(take(self._inputs, fold.fit), self.answers[fold.fit])
        asked = take(self._inputs, fold.check)
        outputs = predict(pipeline, asked, classes)
        scores = raw_scores(pipeline, asked, classes) if classes else outputs
        return Judged(self._objective.loss(answers, outputs), outputs, scores)

    def _shares(self, fold: Fold) -> Outputs:
        """Answer as the baseline does, without training it: the shares of the classes, or the mean."""
        answers = self.answers[fold.fit]
        if not self._plan.classification:
            return np.full(len(fold.check), answers.mean())
        weights = np.array(self._plan.weights)[answers] if self._plan.weights else None
        counts = np.bincount(answers, weights=weights, minlength=self._plan.classes)
        return np.tile(counts / counts.sum(), (len(fold.check), 1))


def in_place(folds: Sequence[Fold], judged: Iterable[Any], rows: int) -> Outputs:
    """Put the answers of folds where their rows stand, repeat by repeat."""
    answers = list(judged)
    repeats = max(fold.repeat for fold in folds) + 1
    placed = np.full((repeats, rows, *answers[0].shape[1:]), np.nan)
    for fold, answer in zip(folds, answers, strict=True):
        placed[fold.repeat, fold.check] = answer
    return placed
