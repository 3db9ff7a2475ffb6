"""Looks for the best recipe within a time budget: the plain ones first, then tuned ones, all judged on the same folds."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # it ships no types

from models.training.data import TrainingData
from models.training.holdout import Fold
from models.training.objective import Objective
from models.training.options import Study
from models.training.progress import Progress
from models.training.recipes import BASELINE, DEFAULTS, RECIPES, Parameters, Plan, plain_variants, suggest
from models.training.rematch import HOPELESS, Found, Rematch
from models.training.study import SharedStudy
from models.training.trial import Judge, Judged, Trial, in_place

SEARCH_ROWS = 20_000
"""Rows that candidates are compared on; the winner learns from all. Orders of recipes hardly change beyond."""

_ALWAYS_TRIED = ("linear", "hist_gradient_boosting")
_SMALL_TABLE = 5_000
_PRUNED_AFTER = 2  # folds: worse than the best on each of them ends a trial


class Search:
    """One search over recipes and parameters."""

    def __init__(
        self, data: TrainingData, plan: Plan, objective: Objective, progress: Progress, *, seed: int, threads: int
    ) -> None:
        random = np.random.default_rng(seed)
        self.data, self.plan, self.objective, self.progress = data, plan, objective, progress
        self.seed, self.threads = seed, threads
        self.rows = data.train
        if len(self.rows) > SEARCH_ROWS:
            self.rows = np.sort(_sample(data, SEARCH_ROWS, random))
        self.count = 5 if len(self.rows) <= _SMALL_TABLE else 3
        self.folds = data.folds(self.rows, self.count, seed)
        self.trials: list[Trial] = []
        self._to_beat: list[float] = []
        self._rematch = Rematch(data, self.rows, self.folds, seed, self._again)

    def run(self, until: float, study: Study | None = None) -> Found:
        """Try candidates until the clock of `progress` passes `until` seconds. Raises TrainingStopped."""
        self._end = until
        with self._judging():
            shared = SharedStudy.lead(study, self.seed)
            try:
                self._plain()
                self._lead(shared)
                shared.close()
                self._listen(shared, now=True)
            except BaseException:
                with suppress(Exception):  # the reason for the end is what matters
                    shared.close()
                raise
            finally:
                shared.leave()
            return self._rematch.play(self.trials, lambda: until - self.progress.elapsed)

    def assist(self, until: float, study: Study) -> int:
        """Add trials to a search that another worker leads, until it is over; tell how many. Raises TrainingStopped."""
        self._end = until
        with self._judging():
            shared = SharedStudy.join(study, self.seed + 1 + time.time_ns() % 10_000, self.progress.check)
            if shared is None:
                return 0
            until += self.progress.elapsed  # waiting for a leader is no searching
            try:
                while self.progress.elapsed < until and not shared.is_closed:
                    self._to_beat = shared.best_losses
                    asked = shared.ask()
                    recipe = asked.suggest_categorical("recipe", shared.hopeful)
                    shared.tell(asked, self._try(recipe, suggest(recipe, asked, self.plan, len(self.rows)), tuned=True))
            finally:
                shared.leave()
            return len(self.trials)

    def _judging(self) -> Any:
        pool = ThreadPoolExecutor(self.threads, initializer=threadpool_limits, initargs=(1,))
        self._judge = Judge(self.data, self.rows, self.plan, self.objective, pool)
        return pool

    def _lead(self, shared: SharedStudy) -> None:
        hopeful = self._hopeful()
        shared.announce(hopeful, self._to_beat)
        for recipe, parameters in plain_variants(self.plan):
            if self.progress.elapsed < self._until:
                self._try(recipe, parameters)
        while self.progress.elapsed < self._until:
            asked = shared.ask()
            recipe = asked.suggest_categorical("recipe", hopeful)
            if not self._affordable(recipe):
                shared.tell(asked, None)
                if not any(map(self._affordable, hopeful)):
                    break
                continue
            before = self._to_beat
            shared.tell(asked, self._try(recipe, suggest(recipe, asked, self.plan, len(self.rows)), tuned=True))
            self._listen(shared)
            if self._to_beat is not before:
                shared.announce(hopeful, self._to_beat)

    def _listen(self, shared: SharedStudy, *, now: bool = False) -> None:
        """Take in what other workers found."""
        for worker, trial in shared.others(now=now):
            self._add(trial, worker=worker)

    @property
    def _until(self) -> float:
        """When to end trying, so that the finalists can meet again."""
        return self._end - self._rematch.reserve(self.trials, self._end, self.progress.elapsed)

    @property
    def best(self) -> Trial:
        """The complete trial with the smallest loss."""
        return min((trial for trial in self.trials if trial.complete), key=lambda trial: trial.loss)

    def _plain(self) -> None:
        self._try(BASELINE, dict(DEFAULTS[BASELINE]))
        for recipe in RECIPES:
            if recipe in _ALWAYS_TRIED or self.progress.elapsed < self._end:
                self._try(recipe, dict(DEFAULTS[recipe]))

    def _hopeful(self) -> list[str]:
        plain: dict[str, float] = {}
        for trial in self.trials:
            if trial.recipe != BASELINE and trial.complete:
                plain[trial.recipe] = min(trial.loss, plain.get(trial.recipe, np.inf))
        return [recipe for recipe, value in plain.items() if value <= HOPELESS * min(plain.values())]

    def _affordable(self, recipe: str) -> bool:
        last = [trial.seconds for trial in self.trials if trial.recipe == recipe]
        return self.progress.elapsed + min(last) < self._until

    def _try(self, recipe: str, parameters: Parameters, *, tuned: bool = False) -> Trial:
        started = time.monotonic()

        def is_over(judged: Sequence[Judged]) -> bool:
            self.progress.check()
            return self._is_beaten([one.loss for one in judged]) if tuned else self._is_late()

        judged = self._judge.judge(recipe, parameters, self.folds, self.threads, is_over)
        trial = Trial(recipe, parameters, [one.loss for one in judged], plain=not tuned)
        trial.seconds = time.monotonic() - started
        if len(judged) == len(self.folds) and np.isfinite(trial.losses).all():
            trial.complete = True
            trial.outputs = in_place(self.folds, (one.outputs for one in judged), len(self.rows))
            trial.scores = in_place(self.folds, (one.scores for one in judged), len(self.rows))
        self._add(trial)
        return trial

    def _add(self, trial: Trial, **facts: Any) -> None:
        self.trials.append(trial)
        if any(one.complete for one in self.trials) and self.best is trial:
            self._to_beat = trial.losses
        self._tell(trial, **facts)

    def _is_beaten(self, losses: Sequence[float]) -> bool:
        if len(losses) < _PRUNED_AFTER or len(losses) == len(self.folds) or not self._to_beat:
            return False
        return all(mine > best for mine, best in zip(losses, self._to_beat, strict=False))

    def _is_late(self) -> bool:
        """Tell whether the whole budget is spent while there is a model to fall back on."""
        fallback = any(trial.complete and trial.recipe != BASELINE for trial in self.trials)
        return fallback and self.progress.elapsed > self.progress.budget_seconds

    def _again(self, trial: Trial, folds: Sequence[Fold]) -> list[Judged]:
        def is_over(_judged: Sequence[Judged]) -> bool:
            self.progress.check()
            return False

        return self._judge.judge(trial.recipe, trial.parameters, folds, self.threads, is_over)

    def _tell(self, trial: Trial, **facts: Any) -> None:
        best = self.best if any(one.complete for one in self.trials) else trial
        share = min(self.progress.elapsed / self._until, 1.0) if self._until > 0 else 1.0
        score = self.objective.score(trial.loss) if np.isfinite(trial.loss) else None
        shown = "no finite score" if score is None else f"{score:.4f}"
        best_score = self.objective.score(best.loss) if np.isfinite(best.loss) else None
        self.progress.remember(trials=len(self.trials), best=best_score, best_recipe=best.recipe)
        self.progress.tell(
            "trial",
            f"{trial.recipe.replace('_', ' ')}: {shown}" + ("" if trial.complete else " (given up early)"),
            0.05 + 0.6 * share,
            recipe=trial.recipe,
            parameters=trial.parameters,
            score=score,
            best=best_score,
            best_recipe=best.recipe,
            trial=len(self.trials),
            pruned=not trial.complete,
            seconds=round(trial.seconds, 3),
            remaining_seconds=round(max(self._until - self.progress.elapsed, 0.0), 3),
            **facts,
        )


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
