"""The table as a model sees it: two packed arrays, the answers, a held-out part and folds.

Numbers are cast to float32 here, before anything is learned from them, because float32 is what the served file reads.
The held-out part is chosen here, before anything is counted, and no later step learns from it.
"""

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.dates import date_text
from models.errors import DatasetRejected
from models.training.holdout import Division, Fold, Indexes, make_folds, split
from models.training.options import Holdout
from models.training.profile import MAX_CATEGORIES, Column, Profile
from models.training.target import Target


@dataclass(frozen=True)
class TrainingData:
    """Rows with a target, packed as the served file reads them."""

    numeric_columns: list[Column]
    text_columns: list[Column]
    wide: NDArray[np.float64]  # numbers as written
    numeric: NDArray[np.float32]  # numbers as the model sees them
    text: NDArray[np.object_]
    categories: list[list[str]]  # per text column, the values the model knows, most frequent first
    target: Target
    center: float  # of the training amounts; 0 for classes
    spread: float  # standard deviation of the training amounts; 1 for classes
    train: Indexes
    held_out: Indexes
    division: Division

    @property
    def classification(self) -> bool:
        """Tell whether the answers are classes."""
        return self.target.task != "regression"

    def inputs(self, rows: Indexes) -> Any:
        """Give rows in the form the pipelines learn from."""
        return as_inputs(self.numeric[rows], self.text[rows])

    def answers(self, rows: Indexes) -> NDArray[Any]:
        """Give what pipelines learn for rows: class codes, or amounts in units of `spread` around `center`."""
        answers = self.target.answers[rows]
        return answers if self.classification else (answers - self.center) / self.spread

    def folds(self, rows: Indexes, count: int, seed: int, repeat: int = 0) -> list[Fold]:
        """Part some of the training rows into folds, by the rule that parted off the held-out rows."""
        answers = self.answers(rows)
        folds = make_folds(
            answers,
            count,
            classification=self.classification,
            seed=seed,
            division=self.division,
            rows=rows,
            repeat=repeat,
        )
        if not folds:
            raise DatasetRejected(f"held out by {self.division.by}, each part to learn from has one class only")
        return folds

    def sample(self, count: int, seed: int) -> Indexes:
        """Draw training rows, but at least two of every class, so that every class is in every fold's training part."""
        if count >= len(self.train):
            return self.train
        rows = np.random.default_rng(seed).permutation(self.train)
        if not self.classification:
            return np.sort(rows[:count])
        answers = self.answers(rows)
        firsts = np.concatenate([np.flatnonzero(answers == code)[:2] for code in np.unique(answers)])
        rest = np.setdiff1d(np.arange(len(rows)), firsts)[: max(count - len(firsts), 0)]
        return np.sort(rows[np.concatenate([firsts, rest])])

    def joined(self) -> "TrainingData":
        """Let the training part be all rows; the held-out part stays what it was."""
        return replace(self, train=np.sort(np.concatenate([self.train, self.held_out])))

    def row(self, index: int) -> dict[str, float | int | bool | str | None]:
        """Give one row as a caller would send it."""
        row: dict[str, float | int | bool | str | None] = {}
        for column, number in zip(self.numeric_columns, self.wide[index].tolist(), strict=True):
            row[column.name] = typed(number, column)
        for column, text in zip(self.text_columns, self.text[index].tolist(), strict=True):
            row[column.name] = text or None
        return row


def typed(number: float, column: Column) -> float | int | bool | str | None:
    """Give a number in the type of its column; NaN is None."""
    if np.isnan(number):
        return None
    if column.kind == "date":
        return date_text(number)
    if column.kind == "boolean":
        return bool(number)
    return int(number) if column.kind == "integer" else number


def as_inputs(numeric: NDArray[np.float32], text: NDArray[np.object_]) -> Any:
    """Join the two packed arrays in the form the pipelines learn from: columns by position, numbers first."""
    if text.shape[1] == 0:
        return numeric
    frames = [pd.DataFrame(numeric), pd.DataFrame(text, dtype=object)]
    joined = pd.concat(frames, axis=1)
    joined.columns = pd.RangeIndex(joined.shape[1])
    return joined


def prepare(profile: Profile, target: Target, seed: int, division: Division | None = None) -> TrainingData:
    """Pack the columns and choose the held-out part."""
    numeric = [column for column in profile.columns if column.kind != "category"]
    text = [column for column in profile.columns if column.kind == "category"]
    rows = len(target.answers)
    wide = np.column_stack([column.content for column in numeric]) if numeric else np.empty((rows, 0))
    packed: NDArray[np.object_] = np.empty((rows, len(text)), dtype=object)
    for position, column in enumerate(text):
        packed[:, position] = column.content
    division = division or Division(Holdout())
    train, held_out = split(target, seed, division)
    amounts = target.answers[train] if target.task == "regression" else np.zeros(1)
    return TrainingData(
        numeric_columns=numeric,
        text_columns=text,
        wide=wide.astype(np.float64),
        numeric=wide.astype(np.float32),
        text=packed,
        categories=[_known_values(packed[train, position]) for position in range(len(text))],
        target=target,
        center=float(amounts.mean()),
        spread=float(amounts.std()) or 1.0,
        train=train,
        held_out=held_out,
        division=division,
    )


def _known_values(texts: NDArray[np.object_]) -> list[str]:
    counts = Counter(texts.tolist())
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [text for text, _ in ranked if text][:MAX_CATEGORIES]
