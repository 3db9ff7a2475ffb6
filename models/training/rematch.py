"""The best of many trials looks better than it is: the finalists of a search meet again, on folds that it has not seen.

Where data is scarce that matters most, so small tables get more rounds. What plain recipes do without any tuning is always
among the finalists; all meet on the same folds, and only these decide.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.training.data import TrainingData
from models.training.holdout import Fold
from models.training.recipes import BASELINE, RECIPES
from models.training.trial import Judged, Trial, in_place

HOPELESS = 1.3
"""Times the best loss: beyond it nothing is tuned or judged again."""

_REPEATS = ((600, 4), (2_500, 2), (5_000, 1))  # rows up to which the finalists meet again, and how often at most
_SHARE = 0.35  # of the search's time
_SHARE_OF_ONE = 0.5  # of the search's time, where less is not enough for one round
_TUNED = 2  # finalists per recipe, besides the plain ones


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


@dataclass(frozen=True)
class Rematch:
    """Rounds of fresh folds for the finalists; `again` judges a trial on folds."""

    data: TrainingData
    rows: NDArray[np.intp]
    folds: list[Fold]
    seed: int
    again: Callable[[Trial, Sequence[Fold]], list[Judged]]
    parts: int = 0
    """Into how many the rows are parted, where there is no time to judge on each."""

    @property
    def rounds(self) -> int:
        """How often the finalists may meet: never where rows have an order or groups, as there are no other folds then."""
        if self.data.division.by != "random":
            return 0
        return next((rounds for rows, rounds in _REPEATS if len(self.rows) <= rows), 0)

    def reserve(self, trials: Sequence[Trial], seconds: float, elapsed: float) -> float:
        """Tell how many of the search's seconds to keep for the rounds: none where the plain ones alone take too long."""
        meeting = finalists(trials)
        if _cost(_indispensable(meeting)) > min(_SHARE_OF_ONE * seconds, seconds - elapsed):
            return 0.0
        cost = _cost(meeting)
        return min(self.rounds * cost, max(_SHARE * seconds, min(cost, _SHARE_OF_ONE * seconds)))

    def play(self, trials: list[Trial], seconds_left: Callable[[], float]) -> Found:
        """Let the finalists meet while there is time; otherwise the folds of the search decide."""
        meeting = _affordable(finalists(trials), seconds_left()) if self.rounds else finalists(trials)
        fresh: list[Fold] = []
        judged: dict[int, list[Judged]] = {id(trial): [] for trial in meeting}
        for repeat in range(self.rounds):
            if _cost(meeting) > seconds_left():
                break
            parts = self.parts or len(self.folds)
            folds = self.data.folds(self.rows, parts, self.seed, repeat + 1)[: len(self.folds)]
            for trial in meeting:
                judged[id(trial)] += self.again(trial, folds)
            fresh += [replace(fold, repeat=repeat) for fold in folds]
        if not fresh:
            meeting = finalists(trials)
            judged = {id(one): [] if one.outputs is not None else self.again(one, self.folds) for one in meeting}
        decided = [self._decided(trial, judged[id(trial)], fresh or self.folds) for trial in meeting]
        return Found(trials, [trial for trial in decided if trial.complete], self.rows, fresh or self.folds)

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


def finalists(trials: Sequence[Trial]) -> list[Trial]:
    """Take the plain trials and per recipe the best tuned ones that beat its plain form, as far as they are complete.

    Plain ones are measured by the best of their kind, not by what luck may have made of a tuned one.
    """
    plain = [trial for trial in trials if trial.plain and trial.complete]
    limit = HOPELESS * min((trial.loss for trial in plain), default=0.0)
    chosen = [trial for trial in plain if trial.loss <= limit or trial.recipe == BASELINE]
    for recipe in RECIPES:
        to_beat = min((trial.loss for trial in plain if trial.recipe == recipe), default=np.inf)
        tuned = [one for one in trials if one.recipe == recipe and one.complete and not one.plain]
        better = sorted((one for one in tuned if one.loss < to_beat), key=lambda trial: trial.loss)
        chosen += [trial for trial in better[:_TUNED] if trial.loss <= limit]
    return chosen


def _indispensable(chosen: Sequence[Trial]) -> list[Trial]:
    """Give those without whom a round would say little: the plain ones, and the best."""
    best = min(chosen, key=lambda trial: trial.loss, default=None)
    return [trial for trial in chosen if trial.plain or trial is best]


def _affordable(chosen: list[Trial], seconds: float) -> list[Trial]:
    """Leave out the worst tuned ones until a round fits."""
    kept = list(chosen)
    needed = {id(trial) for trial in _indispensable(chosen)}
    for trial in sorted(chosen, key=lambda trial: -trial.loss):
        if _cost(kept) > seconds and id(trial) not in needed:
            kept.remove(trial)
    return kept


def _cost(trials: Sequence[Trial]) -> float:
    return sum(trial.seconds for trial in trials)
