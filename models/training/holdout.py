"""Which rows judge, and which learn: at random, the latest by a column, or whole groups of a column.

The same rule parts the held-out rows from the others and, among those, the folds of the search: nothing is learned from
the future, nor from a group that is to be judged.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.coercion import numeric_coercion
from models.errors import CoercionError, DatasetRejected
from models.training.facts import cell_text, facts_of
from models.training.kinds import judge
from models.training.options import Holdout
from models.training.target import Target

type Indexes = NDArray[np.intp]

_ORDERED = {"number", "integer", "date", "id"}


@dataclass(frozen=True)
class Fold:
    """Rows to learn from and rows to be judged by, as positions within the training part.

    Folds of one `repeat` judge no row twice; all but the first of a time series judge later rows than they learn from.
    """

    fit: Indexes
    check: Indexes
    repeat: int = 0


@dataclass(frozen=True)
class Division:
    """How rows are parted; `keys` are moments or group numbers, one per row with a target."""

    holdout: Holdout
    keys: NDArray[np.float64] | None = None

    @property
    def by(self) -> str:
        """Random, time or group."""
        return self.holdout.by


def read_division(columns: Mapping[str, Sequence[str]], options: Any, kept: NDArray[np.bool_]) -> Division:
    """Read the column that parts the rows. Raises DatasetRejected."""
    holdout: Holdout = options.holdout
    if holdout.by == "random":
        return Division(holdout)
    if holdout.column not in columns or holdout.column == options.target:
        raise DatasetRejected(f"there is no column named {holdout.column!r} to hold out by")
    cells = [cell for cell, is_kept in zip(columns[holdout.column], kept.tolist(), strict=True) if is_kept]
    if holdout.by == "group":
        texts = np.array([cell_text(cell) for cell in cells])
        groups = np.unique(texts, return_inverse=True)[1].astype(np.float64)
        return Division(holdout, groups)
    return Division(holdout, _moments(holdout.column, cells, options.types.get(holdout.column)))


def _moments(name: str, cells: Sequence[str], correction: str | None) -> NDArray[np.float64]:
    counts: dict[str, int] = {}
    for cell in cells:
        counts[cell] = counts.get(cell, 0) + 1
    verdict = judge(facts_of(name, counts), correction)
    is_counter = verdict.type == "id" and all(cell_text(cell).isdecimal() for cell in counts)
    if verdict.type not in _ORDERED or (verdict.type == "id" and not is_counter):
        raise DatasetRejected(f"column {name!r} cannot order the rows by time: {verdict.evidence}")
    read = numeric_coercion("number" if is_counter else verdict.type, verdict.written)
    moments = {}
    for cell in counts:
        try:
            moments[cell] = read(cell)
        except CoercionError:
            moments[cell] = np.nan
    return np.fromiter((moments[cell] for cell in cells), dtype=np.float64, count=len(cells))


def split(target: Target, seed: int, division: Division) -> tuple[Indexes, Indexes]:
    """Choose the held-out part. Raises DatasetRejected where what is left could not be learned from."""
    rows = np.arange(len(target.answers))
    random = np.random.default_rng(seed)
    if division.by == "random":
        chosen = _of_every_class(target, random, division.holdout.share)
    elif division.by == "time":
        chosen = _latest(_keys(division), division.holdout)
    else:
        chosen = _groups(_keys(division), division.holdout, random)
    train = np.setdiff1d(rows, chosen)
    _check_parts(target, train, chosen, division)
    return train, chosen


def make_folds(
    answers: NDArray[Any],
    count: int,
    *,
    classification: bool,
    seed: int,
    division: Division | None = None,
    rows: Indexes | None = None,
    repeat: int = 0,
) -> list[Fold]:
    """Part rows into folds by the rule that parted off the held-out rows.

    At random, rows are dealt class by class, so that no fold's training part lacks a class that has two rows.
    """
    random = np.random.default_rng([seed, repeat] if repeat else seed)
    everything = np.arange(len(answers))
    if division is not None and division.by != "random":
        keys = _keys(division)[everything if rows is None else rows]
        folds = _time_folds(keys, count) if division.by == "time" else _group_folds(keys, count, random)
        folds = [Fold(one.fit, one.check, repeat) for one in folds]
        return [one for one in folds if len(np.unique(answers[one.fit])) > 1 or not classification]
    groups = [np.flatnonzero(answers == code) for code in np.unique(answers)] if classification else [everything]
    assigned = np.empty(len(answers), dtype=np.intp)
    offset = 0
    for group in groups:
        assigned[random.permutation(group)] = (np.arange(len(group)) + offset) % count
        offset += len(group)
    return [Fold(everything[assigned != fold], everything[assigned == fold], repeat) for fold in range(count)]


def _keys(division: Division) -> NDArray[np.float64]:
    assert division.keys is not None, "rows that are not parted at random have keys"
    return division.keys


def _of_every_class(target: Target, random: np.random.Generator, share: float) -> Indexes:
    groups = (
        [np.flatnonzero(target.answers == code) for code in range(len(target.classes))]
        if target.classes
        else [np.arange(len(target.answers))]
    )
    held_out = [random.permutation(group)[: min(round(len(group) * share), len(group) - 2)] for group in groups]
    chosen: Indexes = np.sort(np.concatenate(held_out))
    if len(chosen) == 0:
        raise DatasetRejected("every class has two rows: add rows, so that some can be held out to judge the model by")
    return chosen


def _latest(keys: NDArray[np.float64], holdout: Holdout) -> Indexes:
    """Take the latest rows; rows of one moment stay together, and rows without one count as early."""
    known = np.sort(keys[~np.isnan(keys)])
    if len(known) == 0 or known[0] == known[-1]:
        raise DatasetRejected(f"column {holdout.column!r} is the same moment in every row: it cannot order them")
    border = known[max(len(known) - max(round(len(keys) * holdout.share), 1) - 1, 0)]
    late = keys > border
    return np.flatnonzero(late if late.any() else keys >= border)


def _groups(keys: NDArray[np.float64], holdout: Holdout, random: np.random.Generator) -> Indexes:
    """Take whole groups until the share is reached."""
    groups = random.permutation(np.unique(keys))
    if len(groups) < 3:  # noqa: PLR2004  # one to judge, two to learn from in turn
        raise DatasetRejected(
            f"column {holdout.column!r} has {len(groups)} groups: holding out by group needs at least 3"
        )
    sizes = np.array([(keys == group).sum() for group in groups])
    count = int(np.clip(np.searchsorted(np.cumsum(sizes), holdout.share * len(keys)) + 1, 1, len(groups) - 2))
    return np.flatnonzero(np.isin(keys, groups[:count]))


def _check_parts(target: Target, train: Indexes, held_out: Indexes, division: Division) -> None:
    if division.by == "random":
        return
    where = f"held out by {division.by}"
    if len(held_out) < 2 or len(train) < 10:  # noqa: PLR2004  # fewer cannot be judged by, or learned from in turn
        raise DatasetRejected(
            f"{where}, {len(train)} rows are left to learn from and {len(held_out)} to judge by: too few"
        )
    if not target.classes:
        return
    counts = np.bincount(target.answers[train].astype(np.int64), minlength=len(target.classes))
    scarce = [label for label, count in zip(target.classes, counts, strict=True) if count < 2]  # noqa: PLR2004
    if scarce:
        raise DatasetRejected(f"{where}, fewer than two rows of {scarce[0]!r} are left to learn from")


def _time_folds(keys: NDArray[np.float64], count: int) -> list[Fold]:
    """Learn from the rows up to a moment, judge by the next ones."""
    order = np.argsort(np.where(np.isnan(keys), -np.inf, keys), kind="stable")
    parts = np.array_split(order, count + 1)
    return [Fold(np.sort(np.concatenate(parts[: index + 1])), np.sort(parts[index + 1])) for index in range(count)]


def _group_folds(keys: NDArray[np.float64], count: int, random: np.random.Generator) -> list[Fold]:
    """Deal groups to folds, the largest first, always to the smallest fold."""
    groups, sizes = np.unique(keys, return_counts=True)
    count = min(count, len(groups))
    order = sorted(range(len(groups)), key=lambda one: (-sizes[one], random.random()))
    filled = np.zeros(count)
    fold_of = np.empty(len(groups), dtype=np.intp)
    for one in order:
        fold_of[one] = filled.argmin()
        filled[fold_of[one]] += sizes[one]
    assigned = fold_of[np.searchsorted(groups, keys)]
    everything = np.arange(len(keys))
    return [Fold(everything[assigned != fold], everything[assigned == fold]) for fold in range(count)]
