"""Tells a difference from noise: the losses of two contenders on the same rows, paired.

Every seed puts another quarter of a table's rows aside, so a row may be judged by several seeds. Its differences are not
independent of each other and count as one observation: the standard error is that of a mean over clusters.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_BOUND = 1.96  # standard errors: 95 %
_SMALLEST = 1e-15


@dataclass(frozen=True)
class Difference:
    """By how much one is better than another in the mean over the rows, and its standard error."""

    mean: float
    error: float

    @property
    def verdict(self) -> str:
        """Ahead, below, or no difference that could be told from noise."""
        if abs(self.mean) <= _BOUND * self.error or self.mean == 0.0:
            return "no difference"
        return "ahead" if self.mean > 0 else "below"

    @property
    def shown(self) -> str:
        """Write it with its 95 % interval."""
        return f"{self.verdict} ({self.mean:+.4f} ± {_BOUND * self.error:.4f})"


def class_losses(codes: NDArray[np.int64], stated: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give each row's log loss."""
    clipped = np.clip(stated, _SMALLEST, 1)
    losses: NDArray[np.float64] = -np.log(clipped[np.arange(len(codes)), codes] / clipped.sum(axis=1))
    return losses


def amount_losses(answers: NDArray[np.float64], stated: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give each row's squared error as a share of the variance: the mean is what R² lacks to one."""
    losses: NDArray[np.float64] = (answers - stated) ** 2 / answers.var()
    return losses


def difference(
    rows: Sequence[NDArray[np.intp]], ours: Sequence[NDArray[np.float64]], theirs: Sequence[NDArray[np.float64]]
) -> Difference:
    """Compare the losses of several seeds; `rows` says which row of the table each loss belongs to."""
    gains = np.concatenate(theirs) - np.concatenate(ours)
    _, cluster = np.unique(np.concatenate(rows), return_inverse=True)
    sums, counts = np.bincount(cluster, gains), np.bincount(cluster)
    mean = float(gains.mean())
    left = sums - mean * counts
    error = np.sqrt((left**2).sum() * len(sums) / max(len(sums) - 1, 1)) / len(gains)
    return Difference(mean, float(error))
