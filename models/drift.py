"""Whether what comes in or goes out has moved away from training, with a stated rate of false alarms.

Counts of a window of live rows are laid beside the counts of training. How far apart they may be by chance alone is found
by drawing whole months anew from training's shares: a training table, then window after window. The limit is set so that
over all features of a model no more than `FALSE_ALARMS_PER_MONTH` alarms are expected where nothing has changed. (It is not
enough to bound the chance of one window: all windows are compared with the same table, and where that was drawn unluckily,
every window is off in the same way.) Beyond the limit a difference must also be large enough to matter: with enough rows
everything is significant.

The distance is that of Jensen and Shannon, the square root of the divergence in bits: 0 for equal shares, 1 for disjoint
ones (J. Lin, Divergence measures based on the Shannon entropy, 1991). Rows are taken as independent of each other; many
rows of one sender in one window are not, which the demanded size and persistence have to make up for.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models.contract import Card
from models.tally import OUTPUT, bins_of

MIN_ROWS = 200
"""Fewer rows in a window say nothing."""

MIN_DISTANCE = 0.1
"""Smaller differences are not worth an alarm, however certain. A shift of a normal variable by a quarter of its standard
deviation is about this far from where it was."""

PERSISTENCE = 2
"""So many windows in a row must lie beyond the limit."""

FALSE_ALARMS_PER_MONTH = 0.1
"""Expected for one model at most, all its features together: one in ten months."""

WINDOWS_PER_MONTH = 30
DRAWS = 3000
MIN_EXPECTED = 5.0
"""Cells that fewer rows of the window are expected in are taken together."""

QUANTILE_SHARES = (0.05, 0.2, 0.25, 0.25, 0.2, 0.05)
"""Of the training rows between the seven quantiles of a card."""

State = Literal["not_enough_data", "stable", "moved", "drifted"]


@dataclass(frozen=True)
class Reference:
    """What training saw of one feature, or what the model said to held-out rows."""

    feature: str
    shares: tuple[float, ...]
    """Of each cell, the last of which is 'missing'; they add up to 1."""
    rows: int
    is_number: bool = False
    """The tally's outermost bins belong to their neighbours: new rows pass the range of old ones without any change."""
    is_fine: bool = False
    """The cells are those of the tally's fine counts."""

    def cells(self, counts: Sequence[int], missing: int) -> NDArray[np.float64]:
        """Arrange a tally's counts as the shares are."""
        if self.is_number:
            counts = [counts[0] + counts[1], *counts[2:-2], counts[-2] + counts[-1]]
        return np.array([*counts, missing], dtype=np.float64)


@dataclass(frozen=True)
class Comparison:
    """One window beside the reference."""

    feature: str
    rows: int
    distance: float | None
    """None where there are too few rows."""
    limit: float | None

    @property
    def is_beyond(self) -> bool:
        """Whether chance does not explain it and it is large enough to matter."""
        return self.distance is not None and self.limit is not None and self.distance > max(self.limit, MIN_DISTANCE)


def references(card: Card) -> list[Reference]:
    """Find what live values are compared with, for every feature and for the predictions.

    A file that was made elsewhere says nothing of its training: nothing is compared with what nobody knows.
    """
    rows = card.dataset.rows
    if not rows:
        return []
    found = []
    for feature in card.features:
        if feature.kind == "category":
            listed = [category.share for category in feature.categories]
            others = max(0.5 / rows, 1 - feature.missing_share - sum(listed))
            found.append(_reference(feature.name, [*listed, others], feature.missing_share, rows))
        elif bins := bins_of(feature):
            is_fine = len(bins.fine_edges) > 0
            cells = QUANTILE_SHARES if is_fine else feature.histogram
            shares = _scaled(cells, 1 - feature.missing_share)
            found.append(_reference(feature.name, shares, feature.missing_share, rows, is_number=True, is_fine=is_fine))
    evaluation = card.evaluation
    if card.task == "regression":
        said, rest = evaluation.predicted_histogram, []
    else:
        said, rest = [sum(column) for column in zip(*evaluation.confusion, strict=True)], [0.5]
    if sum(said):
        found.append(_reference(OUTPUT, [*said, *rest], 0, sum(said), is_number=not rest))
    return found


def compare(reference: Reference, counts: Sequence[int], missing: int, *, tests: int) -> Comparison:
    """Compare a window with the reference; `tests` says how many things of the model are compared in all."""
    observed = reference.cells(counts, missing)
    rows = int(observed.sum())
    if rows < MIN_ROWS:
        return Comparison(reference.feature, rows, None, None)
    shares = np.array(reference.shares)
    groups = _groups(shares, rows)
    joined = _join(shares, groups)
    distance = float(_distance(_join(observed, groups)[None, :] / rows, joined[None, :])[0])
    limit = _limit(tuple(joined.tolist()), reference.rows, _rounded(rows), FALSE_ALARMS_PER_MONTH / tests)
    return Comparison(reference.feature, rows, distance, limit)


def judge(windows: Sequence[Comparison]) -> State:
    """Say how a feature stands after its windows, oldest first."""
    known = [window for window in windows if window.distance is not None]
    if not known:
        return "not_enough_data"
    if len(known) >= PERSISTENCE and all(window.is_beyond for window in known[-PERSISTENCE:]):
        return "drifted"
    return "moved" if known[-1].is_beyond else "stable"


@lru_cache(maxsize=4096)
def _limit(shares: tuple[float, ...], reference_rows: int, rows: int, alarms: float) -> float:
    """Find the distance that so few months without any change pass in as many windows in a row as make an alarm."""
    random = np.random.default_rng(0)
    expected = np.array(shares) / math.fsum(shares)
    reference = random.multinomial(reference_rows, expected, size=DRAWS) / reference_rows
    months = np.stack(
        [_distance(random.multinomial(rows, expected, size=DRAWS) / rows, reference) for _ in range(WINDOWS_PER_MONTH)],
        axis=1,
    )
    lasting = np.lib.stride_tricks.sliding_window_view(months, PERSISTENCE, axis=1).min(axis=2)
    return float(np.quantile(lasting.max(axis=1), 1 - alarms))


def _distance(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Jensen-Shannon distances of rows of shares."""
    middle = (one + other) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        first = np.where(one > 0, one * np.log2(one / middle), 0).sum(axis=1)
        second = np.where(other > 0, other * np.log2(other / middle), 0).sum(axis=1)
    distances: NDArray[np.float64] = np.sqrt(np.maximum(0, (first + second) / 2))
    return distances


def _groups(shares: NDArray[np.float64], rows: int) -> list[list[int]]:
    """Take neighbouring cells together until enough rows are expected in each group."""
    groups: list[list[int]] = []
    current: list[int] = []
    for place in range(len(shares)):
        current.append(place)
        if shares[current].sum() * rows >= MIN_EXPECTED:
            groups.append(current)
            current = []
    if current:
        groups.append(current)  # last stand what training did not know and what is missing: telling even when rare
    return groups


def _join(values: NDArray[np.float64], groups: Sequence[Sequence[int]]) -> NDArray[np.float64]:
    return np.array([values[list(group)].sum() for group in groups])


def _rounded(rows: int) -> int:
    """Round down to two digits, so that limits are found once: fewer rows scatter more, which errs on the quiet side."""
    size = int(10 ** max(0, len(str(rows)) - 2))
    return rows // size * size


def _reference(
    name: str, cells: Sequence[float], missing: float, rows: int, *, is_number: bool = False, is_fine: bool = False
) -> Reference:
    # What training never saw is rare, not impossible: half a row is what it may have missed by chance.
    shares = _scaled([*cells, max(missing, 0.5 / rows)], 1.0)
    return Reference(name, tuple(shares), rows, is_number, is_fine)


def _scaled(counts: Sequence[float], total: float) -> list[float]:
    whole = sum(counts)
    return [count / whole * total for count in counts] if whole else [0.0 for _ in counts]
