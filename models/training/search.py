"""Looks for the best recipe within a time budget: the plain ones first, then tuned ones, all judged on the same folds."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import batched
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # it ships no types

from models.training.data import TrainingData
from models.training.holdout import Fold
from models.training.objective import Objective
from models.training.opening import (
    LOOK_ROWS,
    SHARE,
    SHARE_OF_A_LOOK,
    Look,
    Scale,
    look_at,
    promising,
    scale_of_folds,
    scale_of_sample,
)
from models.training.options import Study
from models.training.progress import Progress
from models.training.recipes import BASELINE, DEFAULTS, Parameters, Plan, plain_forms, starts, suggest
from models.training.rematch import HOPELESS, Found, Rematch
from models.training.study import SharedStudy
from models.training.trial import Judge, Judged, Trial, in_place

SEARCH_ROWS = 20_000
"""Rows that candidates are compared on at most; the winner learns from all. Orders of recipes hardly change beyond."""

_SMALL_TABLE = 5_000
_PRUNED_AFTER = 2  # folds: worse than the best on each of them ends a trial
_LEAST_SECONDS = 0.5  # what a trial gets at the very end
_WORTH_A_SAMPLE = 2  # times the rows of a first look
_FITS_AFTER = 2.25  # times what learning from all takes: once to be judged, once more to be served
_OVERHEAD = 0.15  # of the budget: the file, its certificate, and the judging


class Search:
    """One search over recipes and parameters."""

    def __init__(
        self, data: TrainingData, plan: Plan, objective: Objective, progress: Progress, *, seed: int, threads: int
    ) -> None:
        self.data, self.plan, self.objective, self.progress = data, plan, objective, progress
        self.seed, self.threads = seed, threads
        self.trials: list[Trial] = []
        self._to_beat: list[float] = []
        self._end = np.inf
        rows = min(len(data.train), SEARCH_ROWS)
        self.count = 5 if rows <= _SMALL_TABLE else 3
        self._compare_on(Scale(rows, self.count))

    def _compare_on(self, scale: Scale) -> None:
        """Choose the rows and the folds, which are the same for all workers of a search."""
        self.scale = scale
        self.rows = self.data.sample(scale.rows, self.seed)
        self.folds = self.data.folds(self.rows, self.count, self.seed)[: scale.folds]
        self._rematch = Rematch(self.data, self.rows, self.folds, self.seed, self._again, self.count)

    def run(self, until: float, study: Study | None = None) -> Found:
        """Try candidates until the clock of `progress` passes `until` seconds. Raises TrainingStopped."""
        self._end = until
        with self._pool() as pool:
            shared = SharedStudy.lead(study, self.seed)
            try:
                self._open(pool)
                self._lead(shared)
                shared.close()
                self._listen(shared, now=True)
            except BaseException:
                with suppress(Exception):  # the reason for the end is what matters
                    shared.close()
                raise
            finally:
                shared.leave()
            return self._rematch.play(self.trials, lambda: self._latest - self.progress.elapsed)

    def assist(self, until: float, study: Study) -> int:
        """Add trials to a search that another worker leads, until it is over; tell how many. Raises TrainingStopped."""
        self._end = until
        with self._pool() as pool:
            shared = SharedStudy.join(study, self.seed + 1 + time.time_ns() % 10_000, self.progress.check)
            if shared is None:
                return 0
            self._end = until = until + self.progress.elapsed  # waiting for a leader is no searching
            self._compare_on(Scale(*shared.scale))
            self._judge = self._judge_on(self.rows, pool)
            try:
                while self.progress.elapsed < until and not shared.is_closed:
                    self._to_beat = shared.best_losses
                    asked = shared.ask()
                    recipe = asked.suggest_categorical("recipe", shared.hopeful)
                    shared.tell(asked, self._try(recipe, suggest(recipe, asked, self.plan, len(self.rows)), tuned=True))
            finally:
                shared.leave()
            return len(self.trials)

    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self.threads, initializer=threadpool_limits, initargs=(1,))

    def _judge_on(self, rows: NDArray[np.intp], pool: ThreadPoolExecutor) -> Judge:
        def is_late() -> bool:
            self.progress.check()
            return self.progress.elapsed > self._latest

        return Judge(self.data, rows, self.plan, self.objective, pool, is_late)

    def _open(self, pool: ThreadPoolExecutor) -> None:
        """Look at every plain form, then try the promising ones on as much as there is time for."""
        is_sampled = self.data.division.by == "random" and len(self.rows) > _WORTH_A_SAMPLE * LOOK_ROWS
        rows = self.data.sample(LOOK_ROWS, self.seed) if is_sampled else self.rows
        self._judge = self._judge_on(rows, pool)
        fold = self.data.folds(rows, self.count, self.seed)[0] if is_sampled else self.folds[0]
        looks = self._look(fold, self._end * SHARE_OF_A_LOOK if is_sampled else np.inf, pool)
        seconds = min(SHARE * self._end, self._latest - self.progress.elapsed)
        if is_sampled:
            chosen = promising(looks)
            self._compare_on(scale_of_sample(chosen, len(self.rows), self.count, seconds))
            self._judge = self._judge_on(self.rows, pool)
        else:
            chosen = sorted(looks, key=lambda look: look.judged.loss)
            self._compare_on(scale_of_folds(looks, len(self.rows), len(self.folds), seconds))
        self._try(BASELINE, dict(DEFAULTS[BASELINE]))
        for look in chosen:
            left = look.seconds_for(len(self.rows) / len(rows)) * (len(self.folds) - (not is_sampled))
            if look is chosen[0] or self.progress.elapsed + left < self._latest:
                self._try(look.recipe, look.parameters, begun=[] if is_sampled else [look.judged])

    def _look(self, fold: Fold, most_seconds: float, pool: ThreadPoolExecutor) -> list[Look]:
        looks: list[Look] = []
        forms = plain_forms(self.plan)
        for wave in batched(forms, self.threads):
            self.progress.check()
            for look in pool.map(lambda form: look_at(form, self._judge, fold, most_seconds), wave):
                looks.append(look)
                said, facts = look.told(self.objective)
                said = f"A first look, {len(looks)} of {len(forms)}: {said}, learned from {len(fold.fit)} rows"
                self.progress.tell("look", said, 0.05, **facts)
        return looks

    def _lead(self, shared: SharedStudy) -> None:
        hopeful = self._hopeful()
        shared.announce(hopeful, self._to_beat, (self.scale.rows, self.scale.folds))
        for start in starts(self.plan, len(self.rows)):
            if start["recipe"] in hopeful:
                shared.suggest(start)
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
                shared.announce(hopeful, self._to_beat, (self.scale.rows, self.scale.folds))

    def _listen(self, shared: SharedStudy, *, now: bool = False) -> None:
        """Take in what other workers found."""
        for worker, trial in shared.others(now=now):
            self._add(trial, worker=worker)

    @property
    def _latest(self) -> float:
        """When the search is over: early enough for the best one to learn from everything, be judged, and learn once more."""
        after = _FITS_AFTER * self._fit_seconds + _OVERHEAD * self.progress.budget_seconds
        return min(self._end, max(self.progress.budget_seconds - after, self._end / 2))

    @property
    def _fit_seconds(self) -> float:
        """Estimate how long the best trial so far takes to learn from the whole training part."""
        if not any(trial.complete for trial in self.trials):
            return 0.0
        learned = sum(len(fold.fit) for fold in self.folds)
        return self.best.seconds * len(self.data.train) / learned

    @property
    def _until(self) -> float:
        """When to end trying, so that the finalists can meet again."""
        return self._latest - self._rematch.reserve(self.trials, self._latest, self.progress.elapsed)

    @property
    def best(self) -> Trial:
        """The complete trial with the smallest loss."""
        return min((trial for trial in self.trials if trial.complete), key=lambda trial: trial.loss)

    def _hopeful(self) -> list[str]:
        plain: dict[str, float] = {}
        for trial in self.trials:
            if trial.recipe != BASELINE and trial.complete:
                plain[trial.recipe] = min(trial.loss, plain.get(trial.recipe, np.inf))
        return [recipe for recipe, value in plain.items() if value <= HOPELESS * min(plain.values())]

    def _affordable(self, recipe: str) -> bool:
        last = [trial.seconds for trial in self.trials if trial.recipe == recipe]
        return self.progress.elapsed + min(last) < self._until

    def _try(self, recipe: str, parameters: Parameters, *, tuned: bool = False, begun: Sequence[Judged] = ()) -> Trial:
        """Judge a candidate; `begun` is what is known of the first folds."""
        started = time.monotonic()

        def is_over(judged: Sequence[Judged]) -> bool:
            self.progress.check()
            return self._is_beaten([one.loss for one in judged]) if tuned else self._is_late()

        rest = self.folds[len(begun) :]
        left = max(self._until - self.progress.elapsed, _LEAST_SECONDS)
        judged = [*begun, *self._judge.judge(recipe, parameters, rest, self.threads, is_over, left)]
        if judged[-1].path:
            parameters = {**parameters, "max_iter": judged[-1].path[-1].iterations}
        trial = Trial(recipe, parameters, [one.loss for one in judged], plain=not tuned)
        trial.seconds = (
            (time.monotonic() - started) * len(judged) / max(len(judged) - len(begun), 1) * judged[-1].needed
        )
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
