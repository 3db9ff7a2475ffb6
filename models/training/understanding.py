"""Tells from a table alone what is asked and which columns can answer it: numpy's time, no scikit-learn.

Whoever is about to send a table away for training asks here first, so that a table that cannot be trained is refused at once.
"""

import numpy as np

from models.contract import Task
from models.training.corrections import check_corrections
from models.training.options import TrainOptions
from models.training.profile import Profile, profile_columns
from models.training.table import Table
from models.training.target import Target, read_target


def understand(table: Table, options: TrainOptions) -> tuple[Target, Profile]:
    """Read the target, leave out rows without one, and profile the other columns. Raises DatasetRejected."""
    target = read_target(table.columns, options.target, options.task or _task(options))
    check_corrections(options.types, options.drop, table.columns)
    features = {name: cells for name, cells in table.columns.items() if name != options.target}
    if not target.kept.all():
        rows = np.flatnonzero(target.kept).tolist()
        features = {name: [cells[row] for row in rows] for name, cells in features.items()}
    # Who belongs to which group is learned by heart and of no use for a new group.
    grouping = (options.holdout.column,) if options.holdout.by == "group" else ()
    return target, profile_columns(features, (*options.drop, *grouping), options.types)


def _task(options: TrainOptions) -> Task | None:
    """Settle the task by what a person says that the target is."""
    correction = options.types.get(options.target, "")
    return "regression" if correction.startswith("number") else None
