"""Writes down what was learned, from what and how well: the card that travels with the file."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.contract import (
    CONTRACT_VERSION,
    Card,
    CategoryCount,
    DatasetNote,
    Evaluation,
    Feature,
    ParityCertificate,
)
from models.training.data import TrainingData, typed
from models.training.evaluate import QUANTILES
from models.training.options import TrainOptions
from models.training.profile import Column, Profile
from models.training.table import Table

HISTOGRAM_BINS = 20
MAX_BACKGROUND_ROWS = 50
MAX_EXAMPLES = 6

_LIBRARIES = ("scikit-learn", "skl2onnx", "onnx", "onnxruntime", "numpy")

_UNKNOWN_EVALUATION = Evaluation(
    rows=0,
    metrics=[],
    baseline=[],
    leaderboard=[],
    importance=[],
    confusion=[],
    reliability=[],
    residual_quantiles=[],
)
_NO_PARITY = ParityCertificate(
    passed=False, tolerance=0.0, rows=0, label_flips=0, max_error=0.0, kinds=[], worst_row={}, engines=[]
)


def draft_card(
    table: Table, profile: Profile, data: TrainingData, options: TrainOptions, recipe: str, content: bytes
) -> Card:
    """Describe a file before it is judged: enough to open and run it."""
    target = data.target
    train = target.answers[data.train]
    shares = (
        (np.bincount(train.astype(np.int64), minlength=len(target.classes)) / len(train)) if target.classes else None
    )
    return Card(
        contract_version=CONTRACT_VERSION,
        name=options.name,
        title=options.title or options.name,
        description=options.description,
        task=target.task,
        target=target.name,
        features=_features(profile, data),
        classes=target.classes,
        class_shares=[] if shares is None else shares.tolist(),
        target_quantiles=[] if target.classes else np.quantile(train, QUANTILES).tolist(),
        target_histogram=[] if target.classes else _histogram(train.astype(np.float64)),
        interval=None,
        ignored_columns=[name for name in profile.left_out if name != target.name],
        examples=[data.row(index) for index in _examples(data)],
        background=[data.row(index) for index in _background(data, options.seed)],
        recipe=recipe,
        parameters={},
        evaluation=_UNKNOWN_EVALUATION,
        parity=_NO_PARITY,
        dataset=_note(table, options),
        warnings=[],
        digest=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        libraries={name: version(name) for name in _LIBRARIES},
        seed=options.seed,
        training_seconds=0.0,
        trained_at=datetime.now(UTC),
    )


def _note(table: Table, options: TrainOptions) -> DatasetNote:
    return DatasetNote(
        name=table.name,
        sha256=table.sha256,
        rows=table.rows,
        columns=len(table.columns),
        source=options.source,
        licence=options.licence,
    )


def _features(profile: Profile, data: TrainingData) -> list[Feature]:
    """Describe the features in the order of the table's columns."""
    described = {
        column.name: _number(column, position, data.wide[data.train, position])
        for position, column in enumerate(data.numeric_columns)
    }
    described |= {column.name: _category(column, position, data) for position, column in enumerate(data.text_columns)}
    return [described[column.name] for column in profile.columns]


def _number(column: Column, position: int, train: NDArray[np.float64]) -> Feature:
    known = train[~np.isnan(train)]
    return Feature(
        name=column.name,
        kind=column.kind,
        position=position,
        missing_share=1 - len(known) / len(train),
        required=column.missing == 0,
        minimum=float(known.min()) if len(known) else None,
        maximum=float(known.max()) if len(known) else None,
        quantiles=np.quantile(known, QUANTILES).tolist() if len(known) else [],
        histogram=_histogram(known) if len(known) else [],
        categories=[],
        category_count=len(np.unique(known)),
        default=typed(float(np.quantile(known, 0.5, method="lower")), column) if len(known) else None,
        written=column.written,
    )


def _category(column: Column, position: int, data: TrainingData) -> Feature:
    texts = data.text[data.train, position].tolist()
    counts = Counter(texts)
    missing = counts.pop("", 0)
    known = data.categories[position]
    return Feature(
        name=column.name,
        kind="category",
        position=position,
        missing_share=missing / len(texts),
        required=column.missing == 0,
        minimum=None,
        maximum=None,
        quantiles=[],
        histogram=[],
        categories=[CategoryCount(value=text, share=counts[text] / len(texts)) for text in known],
        category_count=len(counts),
        default=known[0] if known else None,
    )


def _histogram(numbers: NDArray[np.float64]) -> list[int]:
    counts: list[int] = np.histogram(numbers, bins=HISTOGRAM_BINS)[0].tolist()
    return counts


def _examples(data: TrainingData) -> Sequence[int]:
    """Choose held-out rows that show something: one of each class, or amounts from low to high."""
    answers = data.target.answers[data.held_out]
    if data.classification:
        firsts = [int(np.flatnonzero(answers == code)[0]) for code in np.unique(answers)[:MAX_EXAMPLES]]
        chosen = firsts + [place for place in range(len(answers)) if place not in firsts]
    else:
        ranked = np.argsort(answers, kind="stable")
        chosen = ranked[np.unique(np.linspace(0, len(ranked) - 1, MAX_EXAMPLES).astype(int))].tolist()
    rows: list[Any] = data.held_out[chosen[:MAX_EXAMPLES]].tolist()
    return rows


def _background(data: TrainingData, seed: int) -> Sequence[int]:
    rows: list[Any] = np.random.default_rng(seed).permutation(data.train)[:MAX_BACKGROUND_ROWS].tolist()
    return rows
