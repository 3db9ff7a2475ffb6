"""How often which values came in and went out, counted in the bins of the card.

The bins are the card's own, so that what was seen live can be laid beside what training saw, and counts of different
days can be added.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.contract import Card, Feature
from models.encoding import Encoded

OUTPUT = ""
"""The name under which predictions are counted beside the features."""

BINS = 20

Counts = NDArray[np.int64]


@dataclass
class Tally:
    """Values of one feature, or predictions."""

    counts: Counts
    """Categories or classes in the order of the card and then all others; or the card's 20 bins of a number, with one
    bin below and one above."""
    fine_counts: Counts
    """A number between the seven quantiles of the card, with one bin below and one above; empty where some coincide."""
    seen: int = 0
    missing: int = 0
    unseen: int = 0
    """Categories that training did not know, numbers outside its range."""
    confidence: float | None = None
    """Of classes: the sum of the probabilities stated for those that were predicted."""


@dataclass(frozen=True)
class NumberBins:
    """The bins of a number."""

    edges: NDArray[np.float64] = field(repr=False)
    fine_edges: NDArray[np.float64] = field(repr=False)

    @classmethod
    def of(cls, quantiles: Sequence[float]) -> "NumberBins":
        """Make the bins from the quantiles at 0, 5, 25, 50, 75, 95 and 100 %."""
        known = np.asarray(quantiles, dtype=np.float64)
        is_spread = len(known) > 1 and bool(np.all(np.diff(known.astype(np.float32)) > 0))
        return cls(np.linspace(known[0], known[-1], BINS + 1), known if is_spread else np.empty(0))

    def tally(self, values: NDArray[np.floating[Any]], seen: int) -> Tally:
        """Count what is not NaN."""
        given = values[~np.isnan(values)]
        counts = _count(given, self.edges)
        fine = _count(given, self.fine_edges) if len(self.fine_edges) else np.zeros(0, dtype=np.int64)
        return Tally(counts, fine, seen, seen - len(given), int(counts[0] + counts[-1]))


def bins_of(feature: Feature) -> NumberBins | None:
    """Return the bins of a feature; None for a category, and for a column without a single value in training."""
    return NumberBins.of(feature.quantiles) if feature.quantiles else None


def output_bins(card: Card) -> NumberBins | None:
    """Return the bins of a predicted number; None where classes are predicted, or nothing is known of the target."""
    return NumberBins.of(card.target_quantiles) if card.target_quantiles else None


def tally_inputs(card: Card, encoded: Encoded) -> dict[str, Tally]:
    """Count the rows of a request, feature by feature."""
    seen = len(encoded.numeric)
    tallies = {}
    for feature in card.features:
        if feature.kind == "category":
            tallies[feature.name] = _tally_texts(feature, encoded.text[:, feature.position], seen)
        elif bins := bins_of(feature):
            tallies[feature.name] = bins.tally(encoded.numeric[:, feature.position], seen)
    return tallies


def tally_outputs(card: Card, outputs: Sequence[dict[str, Any]]) -> Tally | None:
    """Count predictions, as they were answered; None where they are numbers that the card has no bins for."""
    if card.task == "regression":
        if (bins := output_bins(card)) is None:
            return None
        values = np.array([output["value"] for output in outputs], dtype=np.float64)
        return bins.tally(values, len(outputs))
    labels = {label: place for place, label in enumerate(card.classes)}
    places = [labels.get(str(output["label"]), len(labels)) for output in outputs]
    confidence = sum(float(output["probabilities"][output["label"]]) for output in outputs)
    counts = np.bincount(places, minlength=len(labels) + 1)
    return Tally(counts, np.zeros(0, dtype=np.int64), len(outputs), confidence=confidence)


def add(one: Tally | None, other: Tally) -> Tally:
    """Add counts of the same bins."""
    if one is None:
        return other
    return Tally(
        one.counts + other.counts,
        one.fine_counts + other.fine_counts,
        one.seen + other.seen,
        one.missing + other.missing,
        one.unseen + other.unseen,
        None if one.confidence is None or other.confidence is None else one.confidence + other.confidence,
    )


def _tally_texts(feature: Feature, texts: NDArray[np.object_], seen: int) -> Tally:
    known = {category.value: place for place, category in enumerate(feature.categories)}
    counts = np.zeros(len(known) + 1, dtype=np.int64)
    missing = 0
    for text in texts:
        if text:
            counts[known.get(text, len(known))] += 1
        else:
            missing += 1
    # Where nobody has told any value, none is unheard of.
    is_listed_in_full = 0 < feature.category_count <= len(known)
    return Tally(counts, np.zeros(0, dtype=np.int64), seen, missing, int(counts[-1]) if is_listed_in_full else 0)


def _count(values: NDArray[np.floating[Any]], edges: NDArray[np.float64]) -> Counts:
    """Count below, in each bin (its lower edge belongs to it, the last upper edge too), and above.

    Compared in the precision of the model, in which the smallest and the largest training value are inside.
    """
    rounded, borders = values.astype(np.float32), edges.astype(np.float32)
    places = np.searchsorted(borders, rounded, side="right")
    places[rounded == borders[-1]] = len(borders) - 1
    if borders[0] == borders[-1]:
        places[rounded == borders[0]] = 1
    return np.bincount(places, minlength=len(borders) + 1)
