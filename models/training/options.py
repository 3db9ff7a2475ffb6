"""What a caller may choose about a training run."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, Self

from models.contract import Task
from models.errors import DatasetRejected

MAX_THREADS = 2
"""Default limit: training shares its machine with the people who wait for it."""

CLASS_METRICS = ("log_loss", "accuracy", "balanced_accuracy", "f1", "roc_auc")
AMOUNT_METRICS = ("r2", "rmse", "mae")
"""The scores that a search can optimise; the first of each is the default."""

MIN_HELD_OUT_SHARE, MAX_HELD_OUT_SHARE = 0.05, 0.5

_MAX_SECONDS = 86_400


@dataclass(frozen=True)
class Holdout:
    """Which rows judge the model: the latest by a column, whole groups of a column, or any."""

    by: Literal["random", "time", "group"] = "random"
    column: str = ""
    share: float = 0.2


@dataclass(frozen=True)
class Study:
    """Where the workers of one search meet: an Optuna storage and the name of the study in it."""

    storage: str
    name: str


@dataclass(frozen=True)
class TrainOptions:
    """The choices for one run. Everything but the target and the name has a sensible default."""

    target: str
    name: str
    title: str = ""
    description: str = ""
    time_budget_seconds: float = 30
    """About how long a run may take. Every plain recipe is looked at, the best one is tried, and the certificate is never skipped.

    The second fit, on all rows, may take half a minute of a small table's run, and a quarter more than the budget of a large one's.
    """
    seed: int = 0
    drop: tuple[str, ...] = ()
    task: Task | None = None
    source: str | None = None
    licence: str | None = None
    threads: int = min(MAX_THREADS, os.cpu_count() or 1)
    metric: str | None = None
    class_weights: Literal["balanced"] | Mapping[str, float] | None = None
    types: Mapping[str, str] = field(default_factory=dict)
    """What a person says that some columns are."""
    holdout: Holdout = Holdout()
    memory_mb: int | None = None
    """What the table may take; whoever reads the table hands it to `read_table`, too."""
    study: Study | None = None

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Self:
        """Read options from JSON. Raises DatasetRejected naming the option that cannot be."""
        known = {one.name for one in fields(cls)}
        unknown = sorted(given.keys() - known)
        if unknown:
            raise DatasetRejected(f"there is no option {unknown[0]!r}; the options are {', '.join(sorted(known))}")
        checked = {name: _CHECKS[name](value) if name in _CHECKS else value for name, value in given.items()}
        return cls(**{name: value for name, value in checked.items() if value is not None})


def _holdout(given: Any) -> Holdout | None:
    if given is None or isinstance(given, Holdout):
        return given
    if not isinstance(given, Mapping) or given.get("by") not in {"random", "time", "group"}:
        raise DatasetRejected('holdout must be {"by": "time" or "group", "column": …}')
    if given.keys() - {"by", "column", "share"} or (
        given["by"] != "random" and not isinstance(given.get("column"), str)
    ):
        raise DatasetRejected("holdout needs the name of a column, may have a share, and nothing else")
    share = given.get("share", Holdout().share)
    if not isinstance(share, int | float) or not MIN_HELD_OUT_SHARE <= share <= MAX_HELD_OUT_SHARE:
        raise DatasetRejected(f"the share of a holdout must be from {MIN_HELD_OUT_SHARE} to {MAX_HELD_OUT_SHARE}")
    return Holdout(given["by"], given.get("column") or "", float(share))


def _study(given: Any) -> Study | None:
    if given is None or isinstance(given, Study):
        return given
    if not isinstance(given, Mapping) or given.keys() != {"storage", "name"}:
        raise DatasetRejected("study needs a storage and a name")
    return Study(str(given["storage"]), str(given["name"]))


def _metric(given: Any) -> str | None:
    if given is not None and given not in {*CLASS_METRICS, *AMOUNT_METRICS}:
        raise DatasetRejected(f"metric must be one of {', '.join((*CLASS_METRICS, *AMOUNT_METRICS))}")
    return given  # type: ignore[no-any-return]  # one of the names


def _class_weights(given: Any) -> Any:
    if given is None or given == "balanced":
        return given
    if isinstance(given, Mapping) and all(_is_positive(weight) for weight in given.values()):
        return {str(label): float(weight) for label, weight in given.items()}
    raise DatasetRejected('class_weights must be "balanced" or a positive number per class')


def _is_positive(weight: object) -> bool:
    return isinstance(weight, int | float) and not isinstance(weight, bool) and 0 < weight < float("inf")


def _names(given: Any) -> tuple[str, ...] | None:
    if given is None:
        return None
    if isinstance(given, str) or not all(isinstance(name, str) for name in given):
        raise DatasetRejected("drop must be a list of column names")
    return tuple(given)


def _types(given: Any) -> Mapping[str, str] | None:
    if given is not None and not isinstance(given, Mapping):
        raise DatasetRejected("types must give a type per column name")
    return given


def _seconds(given: Any) -> Any:
    if given is not None and not (_is_positive(given) and given <= _MAX_SECONDS):
        raise DatasetRejected(f"time_budget_seconds must be a number up to {_MAX_SECONDS}")
    return given


def _whole(given: Any) -> int | None:
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, int) or not 0 <= given < 2**32:
        raise DatasetRejected("seed and memory_mb must be whole numbers from 0")
    return given


_CHECKS: Mapping[str, Any] = {
    "holdout": _holdout,
    "study": _study,
    "metric": _metric,
    "class_weights": _class_weights,
    "drop": _names,
    "types": _types,
    "time_budget_seconds": _seconds,
    "seed": _whole,
    "memory_mb": _whole,
}
