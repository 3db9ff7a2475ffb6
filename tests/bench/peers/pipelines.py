"""The two pipelines that everybody serves: fitted once with scikit-learn, kept for the peers, exported for Rowcast.

M1: 100 trees of a random forest on 30 numbers. M2: imputers and one-hot codes before HistGradientBoosting, on 6 numbers and 5
strings. Neither has a scaler: before trees it changes nothing but the rounding of the exported file, whose answers would
then differ from scikit-learn's on some rows. Numbers are float32, as the served file reads them.
"""

import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder

from api._commands.bench.registry import Sample
from models.runtime import OnnxModel
from models.training.foreign import check

OPSETS = {"": 18, "ai.onnx.ml": 3}
_ROWS = 4000

type Row = dict[str, Any]


@dataclass(frozen=True)
class Fitted:
    """A pipeline, the rows it is asked with, and what scikit-learn answers to them."""

    name: str
    pipeline: Pipeline
    rows: list[Row]
    expected: np.ndarray
    classes: list[str]

    @property
    def numbers(self) -> list[str]:
        """Name the columns that are numbers."""
        return [name for name, value in self.rows[0].items() if isinstance(value, float)]

    def save(self, folder: Path) -> None:
        """Write what the peers load: the pipeline, and some rows."""
        joblib.dump(self.pipeline, folder / "model.joblib")
        (folder / "rows.json").write_text(json.dumps(self.rows[:20]), encoding="utf-8")

    def export(self, folder: Path) -> Sample:
        """Bring the pipeline to Rowcast as one would bring any file that was made elsewhere."""
        given = [
            (name, FloatTensorType([None, 1]) if name in self.numbers else StringTensorType([None, 1]))
            for name in self.rows[0]
        ]
        options = {id(self.pipeline): {"zipmap": False}}
        made = convert_sklearn(self.pipeline, initial_types=given, options=options, target_opset=OPSETS)
        file = folder / "export.onnx"
        file.write_bytes(made.SerializeToString())
        features = [{"name": name, "kind": "number" if name in self.numbers else "category"} for name in self.rows[0]]
        said = {"name": self.name, "task": "binary", "target": "answer", "classes": self.classes, "features": features}
        card = check(file, {**said, "examples": self.rows[:6]}, folder / "checked")
        return Sample((folder / "checked" / "model.onnx").read_bytes(), card)


def fit_m1() -> Fitted:
    """Fit the forest on a public table that comes with scikit-learn."""
    table = load_breast_cancer(as_frame=True)
    frame = table.data.astype(np.float32).astype(float).rename(columns=lambda name: name.replace(" ", "_"))
    columns = ColumnTransformer([("numbers", "passthrough", list(frame.columns))])
    pipeline = make_pipeline(columns, RandomForestClassifier(100, random_state=0))
    return _fit("m1", pipeline, frame, table.target, [str(name) for name in table.target_names])


def fit_m2() -> Fitted:
    """Fit boosted trees on a made-up table with numbers and words."""
    random = np.random.default_rng(0)
    frame = pd.DataFrame({f"number_{n}": random.normal(size=_ROWS).astype(np.float32).astype(float) for n in range(6)})
    for position, size in enumerate((3, 5, 8, 12, 20)):
        frame[f"word_{position}"] = random.choice([f"value {letter}" for letter in range(size)], _ROWS)
    score = frame["number_0"] - frame["number_1"] * frame["number_2"] + (frame["word_0"] == "value 1")
    target = (score + random.normal(size=_ROWS) > 0).astype(int)
    numbers, words = list(frame.columns[:6]), list(frame.columns[6:])
    columns = ColumnTransformer(
        [
            ("numbers", SimpleImputer(strategy="median"), numbers),
            ("words", OneHotEncoder(handle_unknown="ignore", sparse_output=False), words),
        ]
    )
    pipeline = make_pipeline(columns, HistGradientBoostingClassifier(random_state=0))
    return _fit("m2", pipeline, frame, target, ["no", "yes"])


def _fit(name: str, pipeline: Pipeline, frame: pd.DataFrame, target: pd.Series, classes: list[str]) -> Fitted:
    train, test, train_target, _ = train_test_split(frame, target, random_state=0)
    pipeline.fit(train, train_target)
    rows = test.to_dict("records")
    return Fitted(name, pipeline, rows, pipeline.predict_proba(test), classes)


class Feed:
    """Rows that nobody was asked before: a remembered answer would flatter."""

    def __init__(self, fitted: Fitted) -> None:
        self._rows = fitted.rows
        self._varied = fitted.numbers[0]
        self._given: Iterator[int] = count(1)

    def take(self, number: int) -> list[Row]:
        """Give so many new rows."""
        taken = []
        for index in (next(self._given) for _ in range(number)):
            row = self._rows[index % len(self._rows)]
            taken.append({**row, self._varied: round(row[self._varied] * (1 + index * 1e-8), 10)})
        return taken


def answers_of(sample: Sample, rows: list[Row]) -> np.ndarray:
    """Ask the exported file directly."""
    said = OnnxModel.open(sample.model, sample.card).predict(rows)
    return np.array([list(one["probabilities"].values()) for one in said])


def write_samples(folder: Path) -> None:
    """Write both as files that Rowcast serves: `m1/model.onnx`, `m1/card.json`, and so on."""
    for fitted in (fit_m1(), fit_m2()):
        with tempfile.TemporaryDirectory() as place:
            sample = fitted.export(Path(place))
        target = folder / fitted.name
        target.mkdir(parents=True)
        (target / "model.onnx").write_bytes(sample.model)
        (target / "card.json").write_text(sample.card.model_dump_json(), encoding="utf-8")


if __name__ == "__main__":
    write_samples(Path(sys.argv[1]))
