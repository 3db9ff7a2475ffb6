"""Counting values in the bins of the card."""

import numpy as np
import pytest

from models import tally
from models.encoding import RowEncoder
from models.tally import NumberBins
from tests.api.tiny import build

CARD = build().card


def tally_rows(*rows):
    return tally.tally_inputs(CARD, RowEncoder(CARD).encode(rows))


def test_each_value_is_in_one_bin():
    """Bins hold what lies in them, the ends of the training range included, and what lies outside is seen as such."""
    bins = NumberBins.of([0.1, 1, 2, 3, 4, 5, 6.1])

    counted = bins.tally(np.array([0.1, 6.1, 0.0, 7.0, 3.05, np.nan], dtype=np.float32), 6)

    assert counted.counts.sum() == 5
    assert (counted.counts[0], counted.counts[1], counted.counts[-2], counted.counts[-1]) == (1, 1, 1, 1)
    assert (counted.missing, counted.unseen, counted.seen) == (1, 2, 6)
    assert counted.fine_counts.tolist() == [1, 1, 0, 0, 1, 0, 1, 1]


def test_a_column_of_one_value_has_one_bin():
    """A column that was constant in training counts its value as seen and every other as outside."""
    counted = NumberBins.of([2.0] * 7).tally(np.array([2.0, 1.0, 3.0]), 3)

    assert counted.counts.tolist() == [1, 1, *[0] * 19, 1]
    assert len(counted.fine_counts) == 0


def test_categories_are_counted_in_the_cards_order():
    rows = [{"length": 1, "island": island} for island in ("Dream", "Dream", "Biscoe", None, "Atlantis")]

    island = tally_rows(*rows)["island"]

    assert island.counts.tolist() == [1, 2, 0, 1]
    assert (island.missing, island.unseen, island.seen) == (1, 1, 5)


def test_where_no_values_were_told_none_is_unseen():
    """A file that was made elsewhere need not list a category's values: that must not look like drift."""
    told = [
        feature.model_copy(update={"categories": [], "category_count": 0}) if feature.kind == "category" else feature
        for feature in CARD.features
    ]
    card = CARD.model_copy(update={"features": told})

    island = tally.tally_inputs(card, RowEncoder(card).encode([{"length": 1, "island": "Atlantis"}]))["island"]

    assert (island.counts.tolist(), island.unseen, island.seen) == ([1], 0, 1)


def test_predictions_are_counted_with_their_confidence():
    outputs = [
        {"label": "Gentoo", "probabilities": {"Adelie": 0.1, "Chinstrap": 0.2, "Gentoo": 0.7}},
        {"label": "Adelie", "probabilities": {"Adelie": 0.9, "Chinstrap": 0.1, "Gentoo": 0.0}},
    ]

    counted = tally.tally_outputs(CARD, outputs)

    assert counted.counts.tolist() == [1, 0, 1, 0]
    assert counted.confidence == pytest.approx(1.6)


def test_counts_of_parts_add_up_to_the_whole():
    rows = [{"length": number / 3, "width": number % 7, "island": "Dream"} for number in range(30)]
    whole, first, second = tally_rows(*rows), tally_rows(*rows[:11]), tally_rows(*rows[11:])

    for name, expected in whole.items():
        added = tally.add(first[name], second[name])
        assert added.counts.tolist() == expected.counts.tolist()
        assert (added.seen, added.missing, added.unseen) == (expected.seen, expected.missing, expected.unseen)
