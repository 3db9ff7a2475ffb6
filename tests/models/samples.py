"""Small models trained for real, once per session and task."""

from functools import cache

from models.runtime import OnnxModel
from models.training import Trained, TrainOptions, train
from tests.models.tables import mixed, table


def trained(task: str = "multiclass") -> Trained:
    """Train on the mixed table."""
    return _trained(task)


def opened(task: str = "multiclass") -> OnnxModel:
    """Open what was trained."""
    return _opened(task)


@cache
def _trained(task: str) -> Trained:
    return train(table(mixed(600, task=task)), TrainOptions(target="y", name=f"mixed-{task}", time_budget_seconds=1))


@cache
def _opened(task: str) -> OnnxModel:
    made = _trained(task)
    return OnnxModel.open(made.model, made.card)


def good_row(task: str = "multiclass") -> dict[str, object]:
    """A row with nothing odd about it."""
    return {
        "age": 40.5,
        "income": 20_000.5,
        "load": 0.5,
        "timestamp": 1_705_000_000,
        "visits": 4,
        "member": True,
        "city": "Oslo",
        "plan": "pro",
        "shop": opened(task).card.features[8].categories[0].value,
        "zone": opened(task).card.features[9].categories[0].value,
    }
