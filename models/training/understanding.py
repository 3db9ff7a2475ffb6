"""Tells from a table alone what is asked and which columns can answer it: numpy's time, no scikit-learn.

Whoever is about to send a table away for training asks here first, so that a table that cannot be trained is refused at once.
"""

import numpy as np

from models.errors import DatasetRejected
from models.training.options import TrainOptions
from models.training.profile import Profile, profile_columns
from models.training.table import Table
from models.training.target import Target, read_target


def understand(table: Table, options: TrainOptions) -> tuple[Target, Profile]:
    """Read the target, leave out rows without one, and profile the other columns. Raises DatasetRejected."""
    unknown = [name for name in options.drop if name not in table.columns]
    if unknown:
        raise DatasetRejected(f"there is no column named {unknown[0]!r} to leave out")
    target = read_target(table.columns, options.target, options.task)
    features = {name: cells for name, cells in table.columns.items() if name != options.target}
    if not target.kept.all():
        rows = np.flatnonzero(target.kept).tolist()
        features = {name: [cells[row] for row in rows] for name, cells in features.items()}
    return target, profile_columns(features, options.drop)
