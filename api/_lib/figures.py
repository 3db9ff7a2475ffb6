"""Figures from counts: percentiles from buckets, shares and means with 95 % intervals. The standard library only."""

import math
from collections.abc import Sequence
from typing import NamedTuple

Z = 1.959964
"""Of a normal variable: 95 % lie within so many standard deviations."""


class Figure(NamedTuple):
    """An estimate with its 95 % interval."""

    value: float
    low: float
    high: float


def percentile(counts: Sequence[int], edges: Sequence[float], share: float) -> float | None:
    """Find where this share of the counted values lies below, within a bucket evenly; None where nothing was counted.

    `counts` has one bucket below the first edge and one above the last, whose lower edge is the answer then.
    """
    total = sum(counts)
    if not total:
        return None
    wanted, passed = share * total, 0
    for place, count in enumerate(counts):
        if count and passed + count >= wanted:
            low = edges[place - 1] if place else 0.0
            high = edges[place] if place < len(edges) else low
            return low + (high - low) * (wanted - passed) / count
        passed += count
    return edges[-1]


def proportion(hits: int, total: int) -> Figure | None:
    """Estimate a share (E. B. Wilson, Probable inference, 1927): honest for few rows and near 0 and 1."""
    if not total:
        return None
    share, spread = hits / total, Z**2 / total
    middle = (share + spread / 2) / (1 + spread)
    width = Z * math.sqrt(share * (1 - share) / total + spread / (4 * total)) / (1 + spread)
    return Figure(share, max(0.0, middle - width), min(1.0, middle + width))


def mean(total: float, squares: float, count: int) -> Figure | None:
    """Estimate a mean from the sum of values and the sum of their squares."""
    if not count:
        return None
    value = total / count
    if count == 1:
        return Figure(value, value, value)
    deviation = math.sqrt(max(0.0, squares / count - value**2) * count / (count - 1))
    width = Z * deviation / math.sqrt(count)
    return Figure(value, value - width, value + width)
