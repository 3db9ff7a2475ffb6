"""One candidate on the folds, and what the folds told of it."""

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import batched
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.training.data import TrainingData
from models.training.fitting import Outputs, predict, raw_scores, take
from models.training.growing import Stage, common_iterations, grow, scores_behind
from models.training.holdout import Fold
from models.training.objective import Objective
from models.training.recipes import BASELINE, BOOSTING, MOST_ITERATIONS, Parameters, Plan, build


@dataclass(eq=False)
class Trial:
    """One candidate. `outputs` [R, N, …] holds each row's answer by the fold of each repeat that did not learn from it, NaN
    where there is none; `scores` the raw scores behind it. `plain` is what a library gives without any option.
    """

    recipe: str
    parameters: Parameters
    losses: list[float] = field(default_factory=list)
    seconds: float = 0.0  # that all its folds would take again
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
    path: Sequence[Stage] = ()
    """How boosting grew, where the number of its iterations was asked for."""
    needed: float = 1.0
    """Which share of that it takes to come to the same answers again."""


class Judge:
    """Trains candidates on some rows and judges them on their folds.

    Folds run side by side, each on one thread: threads that share one fit wait for each other at every step, which on a busy
    machine makes boosting ten times slower. Boosting ends growing when `is_late`.
    """

    def __init__(
        self,
        data: TrainingData,
        rows: NDArray[np.intp],
        plan: Plan,
        objective: Objective,
        pool: ThreadPoolExecutor,
        is_late: Callable[[], bool] = lambda: False,
    ) -> None:
        self.answers = data.answers(rows)
        self._inputs = data.inputs(rows)
        self._plan, self._objective, self._pool, self._is_late = plan, objective, pool, is_late

    def judge(
        self,
        recipe: str,
        parameters: Parameters,
        folds: Sequence[Fold],
        threads: int,
        is_over: Callable[[Sequence[Judged]], bool],
        seconds: float = np.inf,
    ) -> list[Judged]:
        """Judge a candidate fold by fold, until all are done or the caller has seen enough.

        Boosting with `MOST_ITERATIONS` grows as long as that is good for it, within its share of the seconds; all folds are then
        judged by the number of iterations that is best for all.
        """
        judged: list[Judged] = []
        one = self._one
        if recipe == BOOSTING and parameters["max_iter"] == MOST_ITERATIONS:
            share = seconds / len(list(batched(folds, threads)))
            one = partial(self._grown, seconds=share)
        for wave in batched(folds, threads):
            judged += self._pool.map(lambda fold: one(recipe, parameters, fold), wave)
            if is_over(judged):
                break
        return self._settled(judged, folds) if judged[0].path else judged

    def look(
        self, recipe: str, parameters: Parameters, fold: Fold, most_seconds: float = np.inf
    ) -> tuple[Judged, float]:
        """Judge a candidate on one fold, boosting only as long as it may take; tell how long all of it takes."""
        started = time.monotonic()
        if recipe != BOOSTING or np.isinf(most_seconds):
            return self._one(recipe, parameters, fold), time.monotonic() - started
        judged = self._grown(recipe, parameters, fold, seconds=most_seconds, to_the_end=True)
        share = judged.path[-1].iterations / int(parameters["max_iter"] or 1)
        return replace(judged, path=()), (time.monotonic() - started) / share

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

    def _grown(
        self, recipe: str, parameters: Parameters, fold: Fold, *, seconds: float, to_the_end: bool = False
    ) -> Judged:
        """Let boosting grow to where it is best, or to its end, unless that takes too long."""
        answers, started = self.answers[fold.check], time.monotonic()
        pipeline = build(recipe, parameters, self._plan)
        path = grow(
            pipeline,
            take(self._inputs, fold.fit),
            self.answers[fold.fit],
            take(self._inputs, fold.check),
            classes=self._plan.classes,
            loss=lambda outputs: self._objective.loss(answers, outputs),
            is_over=lambda: self._is_late() or time.monotonic() - started > seconds,
            to_the_end=to_the_end,
        )
        return self._at(path, min(path, key=lambda stage: stage.loss), fold)

    def _at(self, path: Sequence[Stage], stage: Stage, fold: Fold) -> Judged:
        outputs = stage.outputs.astype(np.float64)
        scores = scores_behind(outputs) if self._plan.classes else outputs
        return Judged(self._objective.loss(self.answers[fold.check], outputs), outputs, scores, path)

    def _settled(self, judged: Sequence[Judged], folds: Sequence[Fold]) -> list[Judged]:
        """Judge all folds after the same number of iterations, which is then the only stage that they have."""
        number = common_iterations([one.path for one in judged])
        needed = number / float(np.mean([one.path[-1].iterations for one in judged]))
        stages = [next(stage for stage in one.path if stage.iterations == number) for one in judged]
        return [
            replace(self._at([stage], stage, fold), needed=needed) for stage, fold in zip(stages, folds, strict=False)
        ]

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
