"""Looks for the best recipe within a time budget: the plain ones first, then tuned ones, all judged on the same folds.

The best of many trials looks better than it is. On small tables, where that matters, the finalists meet once more on folds
that the search has not seen, and only those decide.
"""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # it ships no types

from models.training.data import TrainingData
from models.training.holdout import Fold
from models.training.objective import Objective
from models.training.options import Study
from models.training.progress import Progress
from models.training.recipes import BASELINE, DEFAULTS, RECIPES, Parameters, Plan, suggest
from models.training.study import SharedStudy
from models.training.trial import Judge, Judged, Trial, in_place

SEARCH_ROWS = 20_000
"""Rows that candidates are compared on; the winner learns from all. Orders of recipes hardly change beyond."""

_ALWAYS_TRIED = ("linear", "hist_gradient_boosting")
_SMALL_TABLE = 5_000
_HOPELESS = 1.3  # times the best plain loss: a recipe beyond it is not tuned
_PRUNED_AFTER = 2  # folds: worse than the best on each of them ends a trial
_FINAL_REPEATS = ((600, 4), (2_500, 2))  # rows up to which the finalists meet again, and how often
_FINAL_SHARE = 0.35  # of the search's time
_FINALISTS = 2  # per recipe, besides the plain ones


@dataclass(frozen=True)
class Found:
    """The outcome of a search: all trials, the finalists with their answers, and the rows and folds these rest on."""

    trials: list[Trial]
    finalists: list[Trial]
    rows: NDArray[np.intp]
    folds: list[Fold]

    @property
    def best(self) -> Trial:
        """The finalist with the smallest loss."""
        return min(self.finalists, key=lambda trial: trial.loss)


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

    def run(self, until: float, study: Study | None = None) -> Found:
        """Try candidates until the clock of `progress` passes `until` seconds. Raises TrainingStopped."""
        repeats = self._final_repeats()
        self._until = until * (1 - _FINAL_SHARE) if repeats else until
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
            return self._finals(repeats, until)

    def assist(self, until: float, study: Study) -> int:
        """Add trials to a search that another worker leads, until it is over; tell how many. Raises TrainingStopped."""
        self._until = until
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
    def best(self) -> Trial:
        """The complete trial with the smallest loss."""
        return min((trial for trial in self.trials if trial.complete), key=lambda trial: trial.loss)

    def _plain(self) -> None:
        self._try(BASELINE, dict(DEFAULTS[BASELINE]))
        for recipe in RECIPES:
            if recipe in _ALWAYS_TRIED or self.progress.elapsed < self._until:
                self._try(recipe, dict(DEFAULTS[recipe]))

    def _hopeful(self) -> list[str]:
        plain = {trial.recipe: trial.loss for trial in self.trials if trial.recipe != BASELINE and trial.complete}
        return [recipe for recipe, value in plain.items() if value <= _HOPELESS * min(plain.values())]

    def _affordable(self, recipe: str) -> bool:
        last = [trial.seconds for trial in self.trials if trial.recipe == recipe]
        return self.progress.elapsed + min(last) < self._until

    def _try(self, recipe: str, parameters: Parameters, *, tuned: bool = False) -> Trial:
        started = time.monotonic()

        def is_over(judged: Sequence[Judged]) -> bool:
            self.progress.check()
            return self._is_beaten([one.loss for one in judged]) if tuned else self._is_late()

        judged = self._judge.judge(recipe, parameters, self.folds, self.threads, is_over)
        trial = Trial(recipe, parameters, [one.loss for one in judged])
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

    def _final_repeats(self) -> int:
        if self.data.division.by != "random":
            return 0
        return next((repeats for rows, repeats in _FINAL_REPEATS if len(self.rows) <= rows), 0)

    def _finals(self, repeats: int, until: float) -> Found:
        """Let the finalists meet on fresh folds while there is time; otherwise the folds of the search decide."""
        finalists = self._finalists()
        fresh: list[list[Fold]] = []
        judged: dict[int, list[Judged]] = {id(trial): [] for trial in finalists}
        cost = sum(trial.seconds for trial in finalists)
        for repeat in range(repeats):
            if self.progress.elapsed + cost > until:
                break
            folds = self.data.folds(self.rows, self.count, self.seed, repeat + 1)
            for trial in finalists:
                judged[id(trial)] += self._again(trial, folds)
            fresh.append([replace(fold, repeat=repeat) for fold in folds])
        folds = [fold for some in fresh for fold in some] or self.folds
        if not fresh:
            for trial in finalists:
                judged[id(trial)] = [] if trial.outputs is not None else self._again(trial, folds)
        decided = [self._decided(trial, judged[id(trial)], folds) for trial in finalists]
        return Found(self.trials, [trial for trial in decided if trial.complete], self.rows, folds)

    def _again(self, trial: Trial, folds: Sequence[Fold]) -> list[Judged]:
        def is_over(_judged: Sequence[Judged]) -> bool:
            self.progress.check()
            return False

        return self._judge.judge(trial.recipe, trial.parameters, folds, self.threads, is_over)

    def _decided(self, trial: Trial, judged: list[Judged], folds: list[Fold]) -> Trial:
        if not judged:
            return trial
        losses = [one.loss for one in judged]
        return replace(
            trial,
            losses=losses,
            complete=bool(np.isfinite(losses).all()),
            outputs=in_place(folds, (one.outputs for one in judged), len(self.rows)),
            scores=in_place(folds, (one.scores for one in judged), len(self.rows)),
        )

    def _finalists(self) -> list[Trial]:
        """Take the plain trials and the best tuned ones of every recipe, as far as they are complete."""
        plain = [trial for trial in self.trials if trial.parameters == DEFAULTS[trial.recipe] and trial.complete]
        chosen = list(plain)
        for recipe in RECIPES:
            tuned = [trial for trial in self.trials if trial.recipe == recipe and trial.complete and trial not in plain]
            chosen += sorted(tuned, key=lambda trial: trial.loss)[:_FINALISTS]
        limit = _HOPELESS * self.best.loss
        return [trial for trial in chosen if trial.loss <= limit or trial.recipe == BASELINE]

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
