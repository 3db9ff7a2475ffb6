"""What a search ends in: one recipe, or a weighted blend of a few where their errors cancel."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.contract import Candidate
from models.training.fitting import Outputs
from models.training.holdout import Fold
from models.training.objective import Objective
from models.training.recipes import BASELINE, Parameters
from models.training.rematch import Found
from models.training.trial import Trial

BLEND = "blend"
MAX_MEMBERS = 3

_MAX_LISTED = 30
_PICKS = 10  # weights are tenths
_MIN_GAIN = 0.01  # of the loss: a blend must earn the time and the size of its members
_MIN_ERRORS = 0.5  # standard errors of its gain: weights are chosen on the folds that judge them


@dataclass(frozen=True)
class Choice:
    """The members with their weights, and how they did together on the deciding folds; `outputs` is [R, N, …]."""

    members: list[tuple[float, Trial]]
    losses: list[float]
    outputs: Outputs

    @property
    def loss(self) -> float:
        """Mean loss over the folds."""
        return float(np.mean(self.losses))

    @property
    def recipe(self) -> str:
        """The recipe's name, or "blend"."""
        return self.members[0][1].recipe if len(self.members) == 1 else BLEND

    @property
    def parameters(self) -> Parameters:
        """The recipe's parameters; for a blend each recipe's weight and, behind its name, its parameters."""
        if len(self.members) == 1:
            return self.members[0][1].parameters
        parameters: Parameters = {trial.recipe: weight for weight, trial in self.members}
        for _, trial in self.members:
            parameters |= {f"{trial.recipe}.{name}": value for name, value in trial.parameters.items()}
        return parameters

    @property
    def seconds(self) -> float:
        """How long the members took on the folds."""
        return sum(trial.seconds for _, trial in self.members)

    def candidate(self, objective: Objective) -> Candidate:
        """Write the choice as a line of the leaderboard."""
        return Candidate(
            recipe=self.recipe,
            score=objective.score(self.loss),
            seconds=round(self.seconds, 3),
            chosen=True,
            parameters=self.parameters,
        )


def choose(found: Found, answers: NDArray[np.generic], objective: Objective) -> Choice:
    """Choose the best finalist, or a blend of the recipes' best if it beats the best finalist clearly."""
    judge = _Judge(found.folds, answers, objective)
    single = alone(found)
    if single.recipe == BASELINE:
        return single
    picks = _picks(_firsts(found), judge)
    weights = {id(trial): picks.count(trial) / len(picks) for trial in picks}
    members = [(weights[id(trial)], trial) for trial in _firsts(found) if id(trial) in weights]
    outputs = sum((weight * judge.outputs(trial) for weight, trial in members), np.zeros(()))
    blend = Choice(members, judge.losses(np.asarray(outputs)), np.asarray(outputs))
    gain, error = _gain(found.best.losses, blend.losses)
    earned = gain > max(_MIN_GAIN * found.best.loss, _MIN_ERRORS * error)
    return blend if len(members) > 1 and earned else single


def alone(found: Found) -> Choice:
    """Choose one finalist: the best."""
    best = found.best
    assert best.outputs is not None, "finalists are complete"
    return Choice([(1.0, best)], best.losses, best.outputs)


def _gain(losses: list[float], better: list[float]) -> tuple[float, float]:
    """Give by how much the second losses are smaller on the same folds, and that mean's standard error."""
    differences = np.subtract(losses, better)
    if len(differences) == 1:
        return float(differences[0]), 0.0  # one fold of a large table: thousands of rows, and no telling how it varies
    return float(differences.mean()), float(differences.std(ddof=1) / np.sqrt(len(differences)))


def leaderboard(found: Found, choice: Choice, chosen: Candidate, objective: Objective) -> list[Candidate]:
    """List the choice, then the best trials and every recipe's best, best first; the choice stands for its own trial.

    A finalist is listed with the score that decided.
    """
    firsts = {id(trial) for trial in _firsts(found)}
    own = None if chosen.recipe == BLEND else choice.members[0][1]
    met_again = [(trial.recipe, trial.parameters) for trial in found.finalists]
    others = [trial for trial in found.trials if trial.complete and (trial.recipe, trial.parameters) not in met_again]
    ranked = sorted([*others, *(one for one in found.finalists if one is not own)], key=lambda trial: trial.loss)
    listed = [
        Candidate(
            recipe=trial.recipe,
            score=objective.score(trial.loss),
            seconds=round(trial.seconds, 3),
            chosen=False,
            parameters=trial.parameters,
        )
        for place, trial in enumerate(ranked)
        if place < _MAX_LISTED or id(trial) in firsts or trial.recipe == BASELINE
    ]
    return [chosen, *listed]


@dataclass(frozen=True)
class _Judge:
    folds: list[Fold]
    answers: NDArray[np.generic]
    objective: Objective

    def outputs(self, trial: Trial) -> Outputs:
        assert trial.outputs is not None, "finalists are complete"
        return trial.outputs

    def losses(self, outputs: Outputs) -> list[float]:
        return [self.objective.loss(self.answers[fold.check], outputs[fold.repeat, fold.check]) for fold in self.folds]


def _firsts(found: Found) -> list[Trial]:
    """Give each recipe's best finalist, best first."""
    ranked = sorted(found.finalists, key=lambda trial: trial.loss)
    best = {trial.recipe: trial for trial in reversed(ranked) if trial.recipe != BASELINE}
    return sorted(best.values(), key=lambda trial: trial.loss)


def _picks(trials: list[Trial], judge: _Judge) -> list[Trial]:
    """Add one trial at a time, some more than once, always the one that helps the sum most."""
    picks = [trials[0]]
    total = judge.outputs(trials[0]).copy()
    while len(picks) < _PICKS:
        distinct = {id(trial) for trial in picks}
        allowed = trials if len(distinct) < MAX_MEMBERS else [trial for trial in trials if id(trial) in distinct]
        means = {
            id(trial): float(np.mean(judge.losses((total + judge.outputs(trial)) / (len(picks) + 1))))
            for trial in allowed
        }
        best = min(allowed, key=lambda trial: means[id(trial)])
        total += judge.outputs(best)
        picks.append(best)
    return picks
