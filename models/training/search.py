"""Looks for the best recipe within a time budget: the plain ones first, then tuned ones, all judged on the same folds."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import batched

import numpy as np
import optuna
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # it ships no types

from models.training.data import Fold, TrainingData, make_folds
from models.training.fitting import Outputs, predict, raw_scores, take
from models.training.metrics import loss, score_from_loss
from models.training.progress import Progress
from models.training.recipes import BASELINE, DEFAULTS, RECIPES, Parameters, Plan, build, suggest

SEARCH_ROWS = 20_000
"""Rows that candidates are compared on; the winner learns from all. Orders of recipes hardly change beyond."""

_ALWAYS_TRIED = ("linear", "hist_gradient_boosting")
_SMALL_TABLE = 5_000
_HOPELESS = 1.3  # times the best plain loss: a recipe beyond it is not tuned
_PRUNED_AFTER = 2  # folds: worse than the best on each of them ends a trial


@dataclass(eq=False)
class Trial:
    """One candidate on the folds. `outputs` holds each row's answer from the fold that did not learn from it, and
    `scores` the raw scores behind it.
    """

    recipe: str
    parameters: Parameters
    losses: list[float] = field(default_factory=list)
    seconds: float = 0.0
    complete: bool = False
    outputs: Outputs | None = None
    scores: Outputs | None = None

    @property
    def loss(self) -> float:
        """Mean loss over the folds."""
        return float(np.mean(self.losses))


@dataclass(frozen=True)
class _Judged:
    loss: float
    outputs: Outputs
    scores: Outputs


@dataclass(frozen=True)
class Found:
    """The outcome of a search: every complete trial, the best one, and the rows and folds they were judged on."""

    trials: list[Trial]
    best: Trial
    rows: NDArray[np.intp]
    folds: list[Fold]


class Search:
    """One search over recipes and parameters."""

    def __init__(self, data: TrainingData, plan: Plan, progress: Progress, *, seed: int, threads: int) -> None:
        random = np.random.default_rng(seed)
        self.rows = data.train
        if len(self.rows) > SEARCH_ROWS:
            self.rows = np.sort(_sample(data, SEARCH_ROWS, random))
        self.answers = data.answers(self.rows)
        self.inputs = data.inputs(self.rows)
        count = 5 if len(self.rows) <= _SMALL_TABLE else 3
        self.folds = make_folds(self.answers, count, classification=data.classification, seed=seed)
        self.plan, self.progress, self.seed, self.threads = plan, progress, seed, threads
        self.trials: list[Trial] = []

    def run(self, until: float) -> Found:
        """Try candidates until the clock of `progress` passes `until` seconds. Raises TrainingStopped.

        Folds run side by side, each on one thread: threads that share one fit wait for each other at every step, which
        on a busy machine makes boosting ten times slower.
        """
        self._until = until
        with ThreadPoolExecutor(self.threads, initializer=threadpool_limits, initargs=(1,)) as self._pool:
            self._search()
        return Found(self.trials, self.best, self.rows, self.folds)

    def _search(self) -> None:
        study = self._study()
        self._plain()
        hopeful = self._hopeful()
        while self.progress.elapsed < self._until:
            asked = study.ask()
            recipe = asked.suggest_categorical("recipe", hopeful)
            if not self._affordable(recipe):
                study.tell(asked, state=optuna.trial.TrialState.FAIL)
                hopeful_left = [name for name in hopeful if self._affordable(name)]
                if not hopeful_left:
                    break
                continue
            trial = self._try(recipe, suggest(recipe, asked, self.plan, len(self.rows)), asked)
            if trial.complete:
                study.tell(asked, trial.loss)
            else:
                study.tell(asked, state=optuna.trial.TrialState.PRUNED)

    @property
    def best(self) -> Trial:
        """The complete trial with the smallest loss."""
        return min((trial for trial in self.trials if trial.complete), key=lambda trial: trial.loss)

    def _study(self) -> optuna.Study:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        sampler = optuna.samplers.TPESampler(seed=self.seed, n_startup_trials=8)
        return optuna.create_study(sampler=sampler)

    def _plain(self) -> None:
        self._try(BASELINE, dict(DEFAULTS[BASELINE]), None)
        for recipe in RECIPES:
            if recipe in _ALWAYS_TRIED or self.progress.elapsed < self._until:
                self._try(recipe, dict(DEFAULTS[recipe]), None)

    def _hopeful(self) -> list[str]:
        plain = {trial.recipe: trial.loss for trial in self.trials if trial.recipe != BASELINE}
        return [recipe for recipe, value in plain.items() if value <= _HOPELESS * min(plain.values())]

    def _affordable(self, recipe: str) -> bool:
        last = [trial.seconds for trial in self.trials if trial.recipe == recipe]
        return self.progress.elapsed + min(last) < self._until

    def _try(self, recipe: str, parameters: Parameters, asked: optuna.Trial | None) -> Trial:
        trial = Trial(recipe, parameters)
        started = time.monotonic()
        judged: list[_Judged] = []
        for wave in batched(self.folds, self.threads):
            self.progress.check()
            for one in self._pool.map(lambda fold: self._judge(recipe, parameters, fold), wave):
                if asked is not None and np.isfinite(one.loss):
                    asked.report(one.loss, len(judged))
                judged.append(one)
            trial.losses = [one.loss for one in judged]
            if self._is_beaten(trial.losses) if asked is not None else self._is_late():
                break
        if len(judged) == len(self.folds) and np.isfinite(trial.losses).all():
            trial.complete = True
            trial.outputs = _in_order(self.folds, [one.outputs for one in judged])
            trial.scores = _in_order(self.folds, [one.scores for one in judged]) if self.plan.classification else None
        trial.seconds = time.monotonic() - started
        self.trials.append(trial)
        self._tell(trial)
        return trial

    def _judge(self, recipe: str, parameters: Parameters, fold: Fold) -> _Judged:
        """Learn from a fold's training part and answer its other rows."""
        answers = self.answers[fold.check]
        if recipe == BASELINE:
            outputs = self._shares(fold)
            return _Judged(loss(answers, outputs, classification=self.plan.classification), outputs, outputs)
        pipeline = build(recipe, parameters, self.plan).fit(take(self.inputs, fold.fit), self.answers[fold.fit])
        asked = take(self.inputs, fold.check)
        outputs = predict(pipeline, asked)
        value = loss(answers, outputs, classification=self.plan.classification)
        return _Judged(value, outputs, raw_scores(pipeline, asked) if self.plan.classification else outputs)

    def _shares(self, fold: Fold) -> Outputs:
        """Answer as the baseline does, without training it: the shares of the classes, or the mean."""
        answers = self.answers[fold.fit]
        if not self.plan.classification:
            return np.full(len(fold.check), answers.mean())
        return np.tile(np.bincount(answers, minlength=self.plan.classes) / len(answers), (len(fold.check), 1))

    def _is_beaten(self, losses: Sequence[float]) -> bool:
        if len(losses) < _PRUNED_AFTER or len(losses) == len(self.folds):
            return False
        return all(mine > best for mine, best in zip(losses, self.best.losses, strict=False))

    def _is_late(self) -> bool:
        """Tell whether the whole budget is spent while there is a model to fall back on."""
        fallback = any(trial.complete and trial.recipe != BASELINE for trial in self.trials)
        return fallback and self.progress.elapsed > self.progress.budget_seconds

    def _tell(self, trial: Trial) -> None:
        best = self.best
        share = min(self.progress.elapsed / self._until, 1.0) if self._until > 0 else 1.0
        score = (
            score_from_loss(trial.loss, classification=self.plan.classification) if np.isfinite(trial.loss) else None
        )
        shown = "no finite score" if score is None else f"{score:.4f}"
        self.progress.tell(
            "trial",
            f"{trial.recipe.replace('_', ' ')}: {shown}" + ("" if trial.complete else " (given up early)"),
            0.05 + 0.6 * share,
            recipe=trial.recipe,
            parameters=trial.parameters,
            score=score,
            best=score_from_loss(best.loss, classification=self.plan.classification),
            best_recipe=best.recipe,
            trial=len(self.trials),
            pruned=not trial.complete,
            seconds=round(trial.seconds, 3),
            remaining_seconds=round(max(self._until - self.progress.elapsed, 0.0), 3),
        )


def _in_order(folds: Sequence[Fold], outputs: Sequence[Outputs]) -> Outputs:
    rows = np.concatenate([fold.check for fold in folds])
    ordered: Outputs = np.concatenate(outputs)[np.argsort(rows)]
    return ordered


def _sample(data: TrainingData, count: int, random: np.random.Generator) -> NDArray[np.intp]:
    """Draw rows, but at least two of every class, so that every class is in every fold's training part."""
    rows = random.permutation(data.train)
    if not data.classification:
        return rows[:count]
    answers = data.answers(rows)
    firsts = np.concatenate([np.flatnonzero(answers == code)[:2] for code in np.unique(answers)])
    rest = np.setdiff1d(np.arange(len(rows)), firsts)[: count - len(firsts)]
    chosen: NDArray[np.intp] = rows[np.concatenate([firsts, rest])]
    return chosen
