"""Rows made to find differences between two engines: missing, unseen, extreme, and on either side of every threshold."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import onnx
from numpy.typing import NDArray

from models.coercion import FLOAT32_MAX
from models.dates import date_text, day_number
from models.training.data import TrainingData

type Kind = Literal["held_out", "missing", "unseen", "extreme", "threshold"]

MAX_HELD_OUT_ROWS = 4_000
MAX_AWKWARD_ROWS = 1_500
"""Per kind: with the held-out rows at most ten thousand, a second of scikit-learn."""

_UNSEEN_WORDS = ("never seen", "Ünsichtbär ✓", "0", "unknown", "x" * 300, " ", "-1", "TRUE")
_RANGES_BEYOND = (1.0, 10.0, 1000.0)


@dataclass(frozen=True)
class Batch:
    """Rows of one kind as packed arrays."""

    kind: Kind
    numeric: NDArray[np.float32]
    text: NDArray[np.object_]


def batches(data: TrainingData, model: bytes, seed: int) -> list[Batch]:
    """Make the rows that a certificate stands on, every one admissible by the coercion table."""
    random = np.random.default_rng(seed)
    held_out = random.permutation(data.held_out)[:MAX_HELD_OUT_ROWS]
    makers: list[tuple[Kind, Callable[[Batch], None]]] = [
        ("missing", lambda batch: _make_missing(batch, random)),
        ("unseen", lambda batch: _make_unseen(batch, data, random)),
        ("extreme", lambda batch: _make_extreme(batch, data, random)),
        ("threshold", lambda batch: _make_adjacent(batch, thresholds(data, model), random)),
    ]
    made = [Batch("held_out", data.numeric[held_out], data.text[held_out])]
    for kind, change in makers:
        if kind == "unseen" and not data.text_columns:
            continue
        if kind in {"extreme", "threshold"} and not data.numeric_columns:
            continue
        rows = random.choice(data.held_out, MAX_AWKWARD_ROWS)
        batch = Batch(kind, data.numeric[rows].copy(), data.text[rows].copy())
        change(batch)
        made.append(Batch(kind, _admissible(batch.numeric, data), batch.text))
    return made


def thresholds(data: TrainingData, model: bytes) -> list[NDArray[np.float32]]:
    """Give per number the values at which the file's trees split; training quantiles where it has none."""
    found: list[list[float]] = [[] for _ in data.numeric_columns]
    for node in onnx.load_from_string(model).graph.node:
        if node.op_type.startswith("TreeEnsemble"):
            given = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
            for feature, mode, value in zip(
                given["nodes_featureids"], given["nodes_modes"], given["nodes_values"], strict=True
            ):
                if mode != b"LEAF" and feature < len(found) and abs(value) < FLOAT32_MAX:
                    found[feature].append(value)
    quantiles = np.linspace(0, 1, 21)
    return [
        np.unique(np.array(values, dtype=np.float32))
        if values
        else np.nanquantile(data.numeric[data.train, position], quantiles).astype(np.float32)
        for position, values in enumerate(found)
    ]


def _make_missing(batch: Batch, random: np.random.Generator) -> None:
    batch.numeric[random.random(batch.numeric.shape) < _shares(len(batch.numeric), random)] = np.nan
    batch.text[random.random(batch.text.shape) < _shares(len(batch.text), random)] = ""


def _shares(rows: int, random: np.random.Generator) -> NDArray[np.float64]:
    """Give each row its own share of changed cells, all of them in the first."""
    shares = random.random((rows, 1)) ** 2
    shares[0] = 1.1
    return shares


def _make_unseen(batch: Batch, data: TrainingData, random: np.random.Generator) -> None:
    chosen = random.random(batch.text.shape) < _shares(len(batch.text), random)
    for position, known in enumerate(data.categories):
        near = [variant for text in known[:20] for variant in (text.swapcase(), f"{text}.", text[:-1])]
        rarer = sorted(set(data.text[:, position].tolist()) - set(known))[:20]
        words = [word.strip() for word in (*_UNSEEN_WORDS, *near, *rarer)]
        rows = np.flatnonzero(chosen[:, position])
        batch.text[rows, position] = random.choice(np.array(words, dtype=object), len(rows))


def _make_extreme(batch: Batch, data: TrainingData, random: np.random.Generator) -> None:
    """One cell far outside in most rows; every cell a range outside in the others."""
    train = data.numeric[data.train]
    low, high = np.nanmin(train, axis=0), np.nanmax(train, axis=0)
    width = np.maximum(high - low, np.float32(1e-6))
    for row in range(len(batch.numeric)):
        beyond = random.choice(_RANGES_BEYOND)
        if row % 10 == 0:
            up = random.random(len(width)) < 0.5  # noqa: PLR2004  # a fair coin
            batch.numeric[row] = np.where(up, high + width, low - width)
        else:
            column = random.integers(len(width))
            sign = random.choice((-1.0, 1.0))
            edge = high[column] if sign > 0 else low[column]
            batch.numeric[row, column] = edge + sign * beyond * width[column]


def _make_adjacent(batch: Batch, splits: list[NDArray[np.float32]], random: np.random.Generator) -> None:
    """Put cells on a threshold or on one of the two float32 numbers next to it."""
    shares = _shares(len(batch.numeric), random)
    for column, values in enumerate(splits):
        rows = np.flatnonzero(random.random(len(batch.numeric)) < np.maximum(shares[:, 0], 1 / len(splits)))
        chosen = random.choice(values, len(rows))
        steps = random.integers(-1, 2, len(rows))
        toward = np.where(steps < 0, -np.inf, np.inf).astype(np.float32)
        batch.numeric[rows, column] = np.where(steps == 0, chosen, np.nextafter(chosen, toward))


def _admissible(numeric: NDArray[np.float32], data: TrainingData) -> NDArray[np.float32]:
    """Bring whole numbers, truth values and dates to what a caller can send, on both sides of a threshold."""
    for position, column in enumerate(data.numeric_columns):
        cells = numeric[:, position]
        if column.kind == "integer":
            numeric[:, position] = np.where(np.arange(len(cells)) % 2, np.floor(cells), np.ceil(cells))
        elif column.kind == "boolean":
            numeric[:, position] = np.where(np.isnan(cells), cells, (cells > 0.5).astype(np.float32))  # noqa: PLR2004
        elif column.kind == "date":
            numeric[:, position] = [cell if np.isnan(cell) else day_number(date_text(cell)) for cell in cells.tolist()]
    return np.clip(numeric, -FLOAT32_MAX, FLOAT32_MAX)
