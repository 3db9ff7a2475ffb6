"""A model with a feature of every kind, trained with scikit-learn from a data frame; both are kept, to compare them."""

import hashlib
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from models.contract import Card, CategoryCount, Feature, FeatureKind
from models.runtime import OnnxModel
from tests.api.tiny import CLASSES, build

KINDS: dict[str, FeatureKind] = {
    "amount": "number",
    "count": "integer",
    "is_new": "boolean",
    "day": "date",
    "place": "category",
}
PLACES = ["Dream", "007", "12", "true", "São Tomé"]
_NUMERIC = list(KINDS)[:4]
_EPOCH = pd.Timestamp("1970-01-01")


@dataclass(frozen=True)
class Trained:
    """A pipeline, the file it was converted to, and the file's card."""

    pipeline: Pipeline
    model: bytes
    card: Card

    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        """Ask scikit-learn: the probabilities of the classes for a data frame."""
        return self.pipeline.predict_proba(_packed(frame))

    def open(self) -> OnnxModel:
        """Open the file as the server does."""
        return OnnxModel.open(self.model, self.card)


@cache
def train() -> Trained:
    """Train on made-up rows; a tenth of the cells is missing."""
    frame = _frame(600)
    random = np.random.default_rng(1)
    packed = _packed(frame)
    score = np.nan_to_num(packed[:, :4].astype(float) / [20, 10, 1, 400]).sum(axis=1) + (frame["place"] == "Dream")
    target = np.digitize(score + random.normal(size=len(frame)) / 2, np.quantile(score, [0.35, 0.7]))
    columns = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), [0, 1, 2, 3]),
            ("texts", OneHotEncoder(handle_unknown="ignore", sparse_output=False), [4]),
        ]
    )
    pipeline = make_pipeline(columns, LogisticRegression(max_iter=500)).fit(packed, target)
    inputs = [("numeric", FloatTensorType([None, 4])), ("text", StringTensorType([None, 1]))]
    options = {id(pipeline): {"zipmap": False}}
    made = convert_sklearn(pipeline, initial_types=inputs, options=options, target_opset={"": 18, "ai.onnx.ml": 3})
    del made.graph.output[0]
    content = made.SerializeToString()
    changes = {
        "features": [_feature(frame, packed, name) for name in KINDS],
        "digest": hashlib.sha256(content).hexdigest(),
        "size_bytes": len(content),
        "examples": [],
        "background": [],
        "classes": CLASSES,
        "name": "kinds",
    }
    return Trained(pipeline, content, build("kinds").card.model_copy(update=changes))


def _frame(rows: int) -> pd.DataFrame:
    random = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "amount": (random.normal(size=rows) * 20).round(2),
            "count": random.integers(0, 50, rows).astype(float),
            "is_new": random.choice([0.0, 1.0], rows),
            "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(random.integers(0, 1500, rows), unit="D"),
            "place": random.choice(PLACES, rows),
        }
    )
    return frame.mask(random.random(frame.shape) < 0.1)


def _packed(frame: pd.DataFrame) -> np.ndarray:
    """Turn a frame into what the pipeline reads: float32 numbers, days since 1970, texts with "" where there is none."""
    days = (pd.to_datetime(frame["day"]) - _EPOCH) / pd.Timedelta(days=1)
    numbers = frame.assign(day=days)[_NUMERIC].astype("float32").to_numpy()
    texts = frame["place"].fillna("").to_numpy(object)
    return np.hstack([numbers.astype(object), texts[:, None]])


def _feature(frame: pd.DataFrame, packed: np.ndarray, name: str) -> Feature:
    position = list(KINDS).index(name)
    is_text = KINDS[name] == "category"
    numbers = np.array([] if is_text else packed[:, position].astype(float))
    present = numbers[~np.isnan(numbers)]
    return Feature(
        name=name,
        kind=KINDS[name],
        position=0 if is_text else position,
        missing_share=float(frame[name].isna().mean()),
        required=False,
        minimum=None if is_text else float(present.min()),
        maximum=None if is_text else float(present.max()),
        quantiles=[] if is_text else np.quantile(present, [0, 0.05, 0.25, 0.5, 0.75, 0.95, 1]).tolist(),
        histogram=[] if is_text else [1] * 20,
        categories=[CategoryCount(value=each, share=0.2) for each in PLACES] if is_text else [],
        category_count=len(PLACES) if is_text else 0,
        default=None,
    )
