"""Looks for the best recipe within a time budget: the plain ones first, then tuned ones, all judged on the same folds."""

import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import optuna
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import Pipeline

from models.training.data import Fold, TrainingData, make_folds
from models.training.metrics import loss, score_from_loss
from models.training.progress import Progress
from models.training.recipes import BASELINE, DEFAULTS, RECIPES, Parameters, Plan, build, suggest

SEARCH_ROWS = 20_000
"""Rows that candidates are compared on; the winner learns from all. Orders of recipes hardly change beyond."""

_ALWAYS_TRIED = ("linear", "hist_gradient_boosting")
_SMALL_TABLE = 5_000
_HOPELESS = 1.3  # times the best plain loss: a recipe beyond it is not tuned
_PRUNED_AFTER = 2  # folds: worse than the best on each of them ends a trial


@dataclass
class Trial:
    """One candidate on the folds. `outputs` holds each row's answer from the fold that did not learn from it, and
    `scores` the raw scores behind it.
    """

    recipe: str
    parameters: Parameters
    losses: list[float] = field(default_factory=list)
    seconds: float = 0.0
    complete: bool = False
    outputs: NDArray[np.float64] | None = None
    scores: NDArray[np.float64] | None = None

    @property
    def loss(self) -> float:
        """Mean loss over the folds."""
        return float(np.mean(self.losses))


@dataclass(frozen=True)
class Found:
    """The outcome of a search: every complete trial, the best one, and the rows and folds they were judged on."""

    trials: list[Trial]
    best: Trial
    rows: NDArray[np.intp]
    folds: list[Fold]


class Search:
    """One search over recipes and parameters."""

    def __init__(self, data: TrainingData, plan: Plan, progress: Progress, seed: int) -> None:
        random = np.random.default_rng(seed)
        self.rows = data.train
        if len(self.rows) > SEARCH_ROWS:
            self.rows = np.sort(_sample(data, SEARCH_ROWS, random))
        self.answers = data.answers(self.rows)
        self.inputs = data.inputs(self.rows)
        count = 5 if len(self.rows) <= _SMALL_TABLE else 3
        self.folds = make_folds(self.answers, count, classification=data.classification, seed=seed)
        self.plan, self.progress, self.seed = plan, progress, seed
        self.trials: list[Trial] = []

    def run(self, until: float) -> Found:
        """Try candidates until the clock of `progress` passes `until` seconds. Raises TrainingStopped."""
        self._until = until
        study = self._study()
        self._plain()
        hopeful = self._hopeful()
        while self.progress.elapsed < until:
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
        return Found(self.trials, self.best, self.rows, self.folds)

    @property
    def best(self) -> Trial:
        """The complete trial with the smallest loss."""
        return min((trial for trial in self.trials if trial.complete), key=lambda trial: trial.loss)

    def _study(self) -> optuna.Study:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        sampler = optuna.samplers.TPESampler(seed=self.seed, n_startup_trials=8)
        return optuna.create_study(sampler=sampler)

    def _plain(self) -> None:
        self._try(BASELINE, {}, None)
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
        outputs: list[NDArray[np.float64]] = []
        scores: list[NDArray[np.float64]] = []
        for number, fold in enumerate(self.folds):
            self.progress.check()
            pipeline = fit(build(recipe, parameters, self.plan), _take(self.inputs, fold.fit), self.answers[fold.fit])
            checked = _take(self.inputs, fold.check)
            outputs.append(predict(pipeline, checked))
            if self.plan.classification:
                scores.append(raw_scores(pipeline, checked))
            value = loss(self.answers[fold.check], outputs[-1], classification=self.plan.classification)
            trial.losses.append(value)
            if asked is not None:
                asked.report(value, number)
                if self._is_beaten(trial.losses):
                    break
        else:
            trial.complete = True
            trial.outputs = _in_order(self.folds, outputs)
            trial.scores = _in_order(self.folds, scores) if scores else None
        trial.seconds = time.monotonic() - started
        self.trials.append(trial)
        self._tell(trial)
        return trial

    def _is_beaten(self, losses: Sequence[float]) -> bool:
        if len(losses) < _PRUNED_AFTER or len(losses) == len(self.folds):
            return False
        return all(mine > best for mine, best in zip(losses, self.best.losses, strict=False))

    def _tell(self, trial: Trial) -> None:
        best = self.best
        share = min(self.progress.elapsed / self._until, 1.0) if self._until > 0 else 1.0
        score = score_from_loss(trial.loss, classification=self.plan.classification)
        self.progress.tell(
            "trial",
            f"{trial.recipe.replace('_', ' ')}: {score:.4f}" + ("" if trial.complete else " (given up early)"),
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


def fit(pipeline: Pipeline, inputs: Any, answers: NDArray[Any]) -> Pipeline:
    """Train a pipeline; one that would like more iterations is judged by its score, not by a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        pipeline.fit(inputs, answers)
    return pipeline


def predict(pipeline: Pipeline, inputs: Any) -> NDArray[np.float64]:
    """Give probabilities [N, K] or values [N]."""
    outputs: NDArray[np.float64] = np.asarray(
        pipeline.predict_proba(inputs) if hasattr(pipeline, "predict_proba") else pipeline.predict(inputs),
        dtype=np.float64,
    )
    return outputs


def raw_scores(pipeline: Pipeline, inputs: Any) -> NDArray[np.float64]:
    """Give the scores that a calibration would start from, [N, 1] for two classes and [N, K] for more."""
    if hasattr(pipeline, "decision_function"):
        scores: NDArray[np.float64] = np.asarray(pipeline.decision_function(inputs), dtype=np.float64)
        return scores.reshape(len(scores), -1)
    probabilities = predict(pipeline, inputs)
    return probabilities[:, 1:] if probabilities.shape[1] == 2 else probabilities  # noqa: PLR2004  # two classes


def _take(inputs: Any, rows: NDArray[np.intp]) -> Any:
    return inputs[rows] if isinstance(inputs, np.ndarray) else inputs.iloc[rows]


def _in_order(folds: Sequence[Fold], outputs: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    rows = np.concatenate([fold.check for fold in folds])
    ordered: NDArray[np.float64] = np.concatenate(outputs)[np.argsort(rows)]
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
