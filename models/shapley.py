"""Shapley values of one row against reference rows, for any function of rows.

Against each reference row a game is played: its players are the features in which the two rows differ, and a coalition is
worth what the function answers when those features come from the row and all others from the reference row. A feature's
contribution is its Shapley value, averaged over the games; so the contributions add up to the answer for the row minus the
mean answer for the reference rows.

Few players are played out in full. Otherwise features are moved from the reference row to the row one after another, in
random orders and each order also backwards (antithetic pairs: what one way over-counts, the other under-counts). Where
every order gives the same contributions the function adds its features up on these rows, as a linear model does, and the
result is exact as well. The orders come from raw PCG64 words, whose stream numpy keeps for ever: the same question has the
same answer, bit by bit.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from math import comb

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]
Masks = NDArray[np.bool_]

Value = Callable[[Integers, Masks], Floats]
"""Answers for mixed rows: reference row by index [E], and which features come from the explained row [E, W]."""

ADDITIVE_TOLERANCE = 4e-6
"""Contributions closer than this share of the largest answer are equal: the answers themselves are float32."""

_FEWEST_PAIRS = 2  # below it nothing tells how far off a result is


@dataclass(frozen=True, slots=True)
class Game:
    """One row against reference rows: where they differ, and what the function answers for each of them."""

    differs: Masks  # [M, W]
    at_references: Floats  # [M]
    at_row: float
    value: Value


@dataclass(frozen=True, slots=True)
class Shares:
    """Contributions by feature, how far off each may be, and what they cost."""

    contributions: Floats  # [W]
    standard_errors: Floats  # [W]
    references: Integers
    evaluations: int
    is_exact: bool


def share_out(game: Game, *, max_evaluations: int, seed: int) -> Shares:
    """Share the difference between the answers out among the features.

    Args:
        game: The row and the reference rows.
        max_evaluations: How many mixed rows may be answered. Where that is too few for two orders and their reverses
            against every reference row, fewer reference rows take part, down to one.
        seed: Chooses the orders.
    """
    players = game.differs.sum(axis=1)
    if players.max(initial=0) < max_evaluations.bit_length():
        evaluations = int((2**players - 2).clip(0).sum())
        if evaluations <= max_evaluations:
            return _play_out(game, players, evaluations)
    references = _affordable(players, max_evaluations)
    kept = Game(game.differs[references], game.at_references[references], game.at_row, _only(game.value, references))
    return _sample(kept, references, max_evaluations=max_evaluations, seed=seed)


def _play_out(game: Game, players: Integers, evaluations: int) -> Shares:
    """Ask for every coalition of every game."""
    count, width = game.differs.shape
    groups = [(np.flatnonzero(players == size), int(size)) for size in np.unique(players[players > 0])]
    asked_references, asked_masks = [np.empty(0, np.intp)], [np.empty((0, width), bool)]
    seats = []
    for references, size in groups:
        subsets = _subsets(size)[1:-1]  # nobody is the reference row, everybody the row: both answers are known
        seat = np.nonzero(game.differs[references])[1].reshape(len(references), size)
        masks = np.zeros((len(references), len(subsets), width), dtype=bool)
        np.put_along_axis(masks, seat[:, None, :], subsets[None], axis=2)
        seats.append(seat)
        asked_references.append(np.repeat(references, len(subsets)))
        asked_masks.append(masks.reshape(-1, width))
    answers = game.value(np.concatenate(asked_references), np.concatenate(asked_masks))
    total, start = np.zeros(width), 0
    for (references, size), seat in zip(groups, seats, strict=True):
        end = start + len(references) * (2**size - 2)
        worth = np.full((len(references), 2**size), game.at_row)
        worth[:, 0] = game.at_references[references]
        worth[:, 1:-1] = answers[start:end].reshape(len(references), -1)
        np.add.at(total, seat, worth @ _weights(size).T)
        start = end
    return Shares(total / count, np.zeros(width), np.arange(count), evaluations, is_exact=True)


def _sample(game: Game, references: Integers, *, max_evaluations: int, seed: int) -> Shares:
    """Move features over in random orders; stop early where the order makes no difference."""
    count, width = game.differs.shape
    per_pair = int(2 * (game.differs.sum(axis=1) - 1).clip(0).sum())
    pairs = max(_FEWEST_PAIRS, max_evaluations // per_pair if per_pair else 0)
    words = np.random.PCG64(seed).random_raw(count * pairs * width).reshape(count, pairs, width)
    both_ways = _walk(game, words[:, :_FEWEST_PAIRS])
    evaluations = per_pair * _FEWEST_PAIRS
    scale = max(np.abs(game.at_references).max(), abs(game.at_row))
    is_exact = bool(np.ptp(both_ways, axis=(1, 2)).max() <= ADDITIVE_TOLERANCE * scale)
    if not is_exact and pairs > _FEWEST_PAIRS:
        both_ways = np.concatenate([both_ways, _walk(game, words[:, _FEWEST_PAIRS:])], axis=1)
        evaluations = per_pair * pairs
    by_pair = both_ways.mean(axis=2)  # [M, R, W]
    variances = by_pair.var(axis=1, ddof=1) / by_pair.shape[1] * (not is_exact)
    errors = np.sqrt(variances.sum(axis=0)) / count
    return Shares(by_pair.mean(axis=(0, 1)), errors, references, evaluations, is_exact=is_exact)


def _walk(game: Game, words: NDArray[np.uint64]) -> Floats:
    """Move the features over in the order of their words, forwards and backwards: what each adds, [M, R, 2, W]."""
    count, pairs, width = words.shape
    players = game.differs.sum(axis=1)
    last = np.where(game.differs[:, None, :], words >> np.uint64(1), np.uint64(2**63))
    order = last.argsort(axis=2, kind="stable")  # players first
    place = order.argsort(axis=2, kind="stable")
    steps = np.arange(1, max(width, 1))
    moved = (place[:, :, None, :] < steps[:, None]) & game.differs[:, None, None, :]  # [M, R, K, W]
    left = ~moved & game.differs[:, None, None, :]
    is_asked = np.broadcast_to((steps < players[:, None])[:, None, :], (count, pairs, len(steps)))
    reference = np.nonzero(is_asked)[0]
    answers = game.value(np.concatenate([reference, reference]), np.concatenate([moved[is_asked], left[is_asked]]))
    # worth[..., k] with the first k features moved, and with all but the first k moved; everybody moved is the row.
    worth = np.empty((2, count, pairs, width + 1))
    worth[0], worth[1] = game.at_row, game.at_references[:, None, None]
    worth[0, :, :, 0], worth[1, :, :, 0] = game.at_references[:, None], game.at_row
    for way, answered in enumerate(np.split(answers, 2)):
        worth[way, :, :, 1:width][is_asked] = answered
    added = np.stack([np.diff(worth[0], axis=2), -np.diff(worth[1], axis=2)], axis=2)  # in the order of moving
    return np.take_along_axis(added, place[:, :, None, :], axis=3)


def _affordable(players: Integers, max_evaluations: int) -> Integers:
    """Choose the reference rows that take part, evenly spread over all."""
    per_reference = _FEWEST_PAIRS * 2 * max(int(players.max()) - 1, 1)
    count = min(len(players), max(1, max_evaluations // per_reference))
    return np.linspace(0, len(players) - 1, count).round().astype(np.intp)


def _only(value: Value, references: Integers) -> Value:
    return lambda indexes, masks: value(references[indexes], masks)


@cache
def _subsets(size: int) -> Masks:
    """List all subsets of `size` players [2^size, size], nobody first and everybody last."""
    subsets: Masks = (np.arange(2**size)[:, None] >> np.arange(size)) & 1 == 1
    return subsets


@cache
def _weights(size: int) -> Floats:
    """Give each subset's weight in each player's Shapley value [size, 2^size]."""
    subsets = _subsets(size)
    members = subsets.sum(axis=1)
    alone = np.array([1 / (size * comb(size - 1, others)) for others in range(size)])
    return np.where(subsets, alone[members - 1][:, None], -alone[members.clip(max=size - 1)][:, None]).T
