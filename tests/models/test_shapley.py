"""The mathematics of contributions, on functions one can reason about."""

from itertools import combinations
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.shapley import Game, share_out


def game_of(function, row, references) -> Game:
    """Make the game of a function of rows [E, W] → [E]."""
    row, references = np.asarray(row, float), np.asarray(references, float)

    def value(indexes, masks):
        return function(np.where(masks, row, references[indexes]))

    return Game(references != row, function(references), float(function(row[None])[0]), value)


def brute_force(function, row, references) -> np.ndarray:
    """Compute Shapley values from their definition."""
    row, references = np.asarray(row, float), np.asarray(references, float)
    width = len(row)

    def worth(coalition) -> float:
        mixed = references.copy()
        mixed[:, list(coalition)] = row[list(coalition)]
        return float(function(mixed).mean())

    return np.array(
        [
            sum(
                (worth([*coalition, player]) - worth(coalition)) / (width * comb(width - 1, size))
                for size in range(width)
                for coalition in combinations([other for other in range(width) if other != player], size)
            )
            for player in range(width)
        ]
    )


def tangled(rows):
    """Mix products, thresholds and a sine."""
    return rows[:, 0] * rows[:, 1] + (rows[:, 2] > 0) * rows[:, 3] ** 2 + np.sin(rows.sum(axis=1))


def test_shares_equal_the_definition_when_played_out():
    """Few features: every coalition is asked for, and the result is the Shapley value."""
    random = np.random.default_rng(1)
    row, references = random.normal(size=5), random.normal(size=(7, 5))
    references[2, :3] = row[:3]  # one opponent that differs in less

    shares = share_out(game_of(tangled, row, references), max_evaluations=10_000, seed=0)

    assert shares.is_exact
    assert shares.evaluations == 6 * (2**5 - 2) + (2**2 - 2)
    np.testing.assert_allclose(shares.contributions, brute_force(tangled, row, references), atol=1e-12)


def test_shares_approach_the_definition_when_sampled():
    """Many features: the sampled values lie within a few standard errors of the true ones."""
    random = np.random.default_rng(2)
    row, references = random.normal(size=8), random.normal(size=(6, 8))
    expected = brute_force(tangled, row, references)

    shares = share_out(game_of(tangled, row, references), max_evaluations=1500, seed=0)

    assert not shares.is_exact
    distance = np.abs(shares.contributions - expected) / np.maximum(shares.standard_errors, 1e-12)
    assert np.percentile(distance, 75) < 3
    assert distance.max() < 6


def test_shares_are_exact_when_the_function_is_additive():
    """A sum of one-feature functions needs two orders to be told exactly, however many features there are."""
    random = np.random.default_rng(3)
    weights, row, references = random.normal(size=40), random.normal(size=40), random.normal(size=(50, 40))

    shares = share_out(game_of(lambda rows: np.exp(rows) @ weights, row, references), max_evaluations=8000, seed=0)

    assert shares.is_exact
    assert not shares.standard_errors.any()
    np.testing.assert_allclose(
        shares.contributions, weights * (np.exp(row) - np.exp(references).mean(axis=0)), rtol=1e-9
    )


def test_majority_is_not_taken_for_additive():
    """Forwards and backwards agree in every single order of a majority vote; two orders tell that it is no sum."""
    row, references = np.ones(15), np.zeros((20, 15))

    shares = share_out(
        game_of(lambda rows: (rows.sum(axis=1) > 7) * 1.0, row, references), max_evaluations=4000, seed=0
    )

    assert not shares.is_exact
    np.testing.assert_allclose(shares.contributions, 1 / 15, atol=0.05)


@pytest.mark.parametrize("max_evaluations", [300, 100_000])
def test_a_feature_without_influence_gets_nothing(max_evaluations: int):
    """The dummy axiom, played out and sampled."""
    random = np.random.default_rng(4)
    row, references = random.normal(size=9), random.normal(size=(10, 9))

    shares = share_out(game_of(tangled_but_last, row, references), max_evaluations=max_evaluations, seed=0)

    assert shares.contributions[8] == pytest.approx(0, abs=1e-12)
    assert shares.standard_errors[8] == pytest.approx(0, abs=1e-12)


def tangled_but_last(rows):
    """Leave the ninth feature out."""
    return tangled(rows[:, :8])


def test_interchangeable_features_get_the_same():
    """The symmetry axiom."""
    row, references = np.array([1.0, 1.0, 2.0]), np.array([[0.0, 0.0, 0.0], [0.5, 0.5, 1.0]])

    shares = share_out(
        game_of(lambda rows: rows[:, 0] * rows[:, 1] * rows[:, 2], row, references), max_evaluations=99, seed=0
    )

    assert shares.contributions[0] == pytest.approx(shares.contributions[1], abs=1e-15)


@settings(max_examples=60, deadline=None)
@given(
    width=st.integers(1, 24),
    count=st.integers(1, 12),
    max_evaluations=st.sampled_from([1, 10, 200, 3000]),
    seed=st.integers(0, 2**32),
)
def test_shares_add_up_and_cost_is_bounded(width: int, count: int, max_evaluations: int, seed: int):
    """Whatever the size and the budget: contributions sum to answer minus mean reference answer, within the budget."""
    random = np.random.default_rng(seed)
    row = random.integers(0, 3, size=width)
    references = random.integers(0, 3, size=(count, width))
    weights = random.normal(size=width)
    game = game_of(lambda rows: np.tanh(rows @ weights) + rows[:, 0] * rows[:, -1], row, references)

    shares = share_out(game, max_evaluations=max_evaluations, seed=seed)

    baseline = game.at_references[shares.references].mean()
    assert shares.contributions.sum() == pytest.approx(game.at_row - baseline, abs=1e-9)
    assert shares.evaluations <= max(max_evaluations, 4 * (width - 1))
    assert len(set(shares.references.tolist())) == len(shares.references)
    assert shares.contributions[(references == row).all(axis=0)] == pytest.approx(0, abs=1e-12)


def test_the_same_seed_gives_the_same_bits():
    """Sampling is reproducible to the last bit; another seed is another sample."""
    random = np.random.default_rng(5)
    row, references = random.normal(size=20), random.normal(size=(30, 20))
    game = game_of(tangled, row, references)

    first, again, other = (share_out(game, max_evaluations=3000, seed=seed) for seed in (7, 7, 8))

    assert first.contributions.tobytes() == again.contributions.tobytes()
    assert first.contributions.tobytes() != other.contributions.tobytes()


def test_a_row_among_the_references_needs_no_game():
    """Where nothing differs there is nothing to share out."""
    shares = share_out(game_of(tangled, np.ones(5), np.ones((3, 5))), max_evaluations=100, seed=0)

    assert shares.evaluations == 0
    assert not shares.contributions.any()
