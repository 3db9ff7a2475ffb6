"""The plain forms, cheapest information first: a look at each on little, then the most promising ones on more.

So no budget ends before each has been judged somehow, however large the table is. On a small table a look is the first fold of
the search itself, and nothing is wasted; on a large one it is a fold of a sample, and tells which forms are worth the time that
all folds of all rows take, and on how many rows candidates can be compared at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.training.holdout import Fold
from models.training.objective import Objective
from models.training.recipes import BOOSTING, Parameters
from models.training.trial import Judge, Judged

LOOK_ROWS = 3_000
"""Rows of a look, two thirds to learn from: two to five seconds for all forms of a table of twenty columns. On half of them
the order of forms says little where a category has two hundred values.
"""

SHARE = 0.4
"""Of the search's time: what the plain forms may take after the looks; the rest is for tuning and for deciding."""

SHARE_OF_A_LOOK = 0.06
"""Of the search's time: where boosting on many columns ends growing in a look."""

_HOPELESS = 1.3  # times the smallest loss of the looks
_CLOSE = 1.05  # times the smallest loss: more rows may turn the order
_FEWEST_ROWS = 6_000
_FEWEST_FOLDS = 2
_ALREADY_THERE = 0.7  # of what boosting takes for a few rows: growing trees, whatever the rows are


@dataclass(frozen=True)
class Look:
    """What one plain form did on one fold; `judged` counts as that fold of a trial where it is one of the search's."""

    recipe: str
    parameters: Parameters
    judged: Judged
    seconds: float

    def seconds_for(self, growth: float) -> float:
        """Estimate what a fold takes that has so many times the rows of the look."""
        if self.recipe == BOOSTING and growth > 1:
            return self.seconds * (_ALREADY_THERE + (1 - _ALREADY_THERE) * growth)
        return self.seconds * growth

    def told(self, objective: Objective) -> tuple[str, dict[str, object]]:
        """Say it in words, and as the facts of an event."""
        score = objective.score(self.judged.loss)
        is_known = bool(np.isfinite(score))
        said = f"{self.recipe.replace('_', ' ')} {f'{score:.4f}' if is_known else 'no finite score'}"
        facts = {"recipe": self.recipe, "parameters": self.parameters, "score": score if is_known else None}
        return said, {**facts, "seconds": round(self.seconds, 3)}


def look_at(form: tuple[str, Parameters], judge: Judge, fold: Fold, most_seconds: float) -> Look:
    """Judge one form on one fold; boosting ends growing after so many seconds."""
    judged, seconds = judge.look(*form, fold, most_seconds)
    return Look(*form, judged, seconds)


@dataclass(frozen=True)
class Scale:
    """On how many rows and how many folds of them candidates are compared."""

    rows: int
    folds: int


def promising(looks: Sequence[Look]) -> list[Look]:
    """Give the forms that are worth more rows, best first: the better half, and whatever is close to the best."""
    ranked = sorted(looks, key=lambda look: look.judged.loss)
    best = ranked[0].judged.loss
    half = (len(ranked) + 1) // 2
    return [
        look
        for place, look in enumerate(ranked)
        if look.judged.loss <= (_HOPELESS if place < half else _CLOSE) * best or place == 0
    ]


def scale_of_sample(chosen: Sequence[Look], rows: int, folds: int, seconds: float) -> Scale:
    """Choose how many rows to compare on after looks at a sample: all folds of all rows, one fold, or one of fewer rows."""

    def cost(some: int) -> float:
        return sum(look.seconds_for(some / LOOK_ROWS) for look in chosen)

    if folds * cost(rows) <= seconds:
        return Scale(rows, folds)
    while cost(rows) > seconds and rows > _FEWEST_ROWS:
        rows = max(rows * 3 // 4, _FEWEST_ROWS)
    return Scale(rows, 1)


def scale_of_folds(looks: Sequence[Look], rows: int, folds: int, seconds: float) -> Scale:
    """Choose how many folds to compare on after looks at the first of them."""
    cost = sum(look.seconds for look in looks)
    return Scale(rows, min(max(1 + int(seconds / max(cost, 1e-9)), _FEWEST_FOLDS), folds))
