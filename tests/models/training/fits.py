"""Recipes fitted on the mixed table, without a search."""

from dataclasses import dataclass
from functools import cache
from typing import Any

from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from models.runtime import OnnxModel
from models.training.blend import Blend
from models.training.card import draft_card
from models.training.data import TrainingData, prepare
from models.training.export import export
from models.training.options import TrainOptions
from models.training.profile import Profile
from models.training.recipes import DEFAULTS, Plan, build, plan_for
from models.training.table import Table
from models.training.understanding import understand
from tests.models.tables import mixed, table

OPTIONS = TrainOptions(target="y", name="fits")


@dataclass(frozen=True)
class Understood:
    """A table, ready to be learned from."""

    table: Table
    profile: Profile
    data: TrainingData
    plan: Plan

    def pipeline(self, recipe: str, **parameters: Any) -> Pipeline:
        """Make an untrained pipeline; forests are kept small."""
        small = {"n_estimators": 30} if recipe in {"random_forest", "extra_trees"} else {}
        return build(recipe, {**DEFAULTS[recipe], **small, **parameters}, self.plan)

    def fitted(self, *members: tuple[float, Pipeline]) -> Blend:
        """Train pipelines as one blend."""
        with threadpool_limits(1):
            return Blend(members).fit(self.data.inputs(self.data.train), self.data.answers(self.data.train))

    def opened(self, content: bytes) -> OnnxModel:
        """Open an exported file with a card for it."""
        return OnnxModel.open(content, draft_card(self.table, self.profile, self.data, OPTIONS, "by hand", content))

    def exported(self, blend: Blend) -> bytes:
        """Export a blend in the target's own units."""
        return export(blend, self.plan, center=self.data.center, spread=self.data.spread)


@cache
def understood(task: str, rows: int = 700) -> Understood:
    """Read the mixed table for a task."""
    return understood_table(table(mixed(rows, task=task)))


def understood_table(read: Table) -> Understood:
    """Read any table whose target is `y`."""
    target, profile = understand(read, OPTIONS)
    data = prepare(profile, target, 0)
    return Understood(read, profile, data, plan_for(data, 0))
