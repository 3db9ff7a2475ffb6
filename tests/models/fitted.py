"""Small pipelines fitted on made-up rows, converted and opened as served models with cards of their own."""

import hashlib
from datetime import UTC, datetime
from functools import cache

import numpy as np
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from models.contract import CONTRACT_VERSION, Card, CategoryCount, DatasetNote, Evaluation, Feature, ParityCertificate
from models.runtime import OnnxModel

ISLANDS = ["Biscoe", "Dream", "Torgersen"]
CLASSES = ["Adelie", "Chinstrap", "Gentoo"]
ESTIMATORS = {
    "ridge": lambda: Ridge(alpha=0.1),
    "forest_regression": lambda: RandomForestRegressor(12, max_depth=5, random_state=0),
    "logistic": LogisticRegression,
    "forest": lambda: RandomForestClassifier(12, max_depth=5, random_state=0),
}


@cache
def fit(estimator: str, *, numbers: int = 3, categories: int = 1, references: int = 12, seed: int = 0) -> OnnxModel:
    """Fit one of `ESTIMATORS` on made-up rows and open what it becomes; n1 is whole, some of n0 and c0 are missing."""
    random = np.random.default_rng(seed)
    numeric = random.normal(size=(240, numbers)).astype(np.float32)
    if numbers > 1:
        numeric[:, 1] = numeric[:, 1].round()
    text = random.choice(ISLANDS, size=(240, categories)).astype(object)
    score = numeric.sum(axis=1) + numeric[:, 0] * numeric[:, -1] + (text == "Dream").sum(axis=1)
    numeric[::9, 0] = np.nan
    text[::7, :1] = ""
    is_regression = estimator in {"ridge", "forest_regression"}
    classes = [] if is_regression else CLASSES
    target = 100 + 10 * score if is_regression else np.digitize(score, np.quantile(score, [0.4, 0.7]))
    pipeline = _pipeline(estimator, numbers, categories).fit(np.hstack([numeric.astype(object), text]), target)
    content = _convert(pipeline, numbers, categories, is_regression=is_regression)
    rows = _rows(numeric, text)
    card = _card(content, rows, numeric, classes, categories, rows[-references:])
    return OnnxModel.open(content, card)


def _pipeline(estimator: str, numbers: int, categories: int) -> Pipeline:
    text = list(range(numbers, numbers + categories))
    columns = [("numbers", make_pipeline(SimpleImputer(), StandardScaler()), list(range(numbers)))]
    if categories:
        columns.append(("text", OneHotEncoder(handle_unknown="ignore", sparse_output=False), text))
    return make_pipeline(ColumnTransformer(columns), ESTIMATORS[estimator]())


def _convert(pipeline: Pipeline, numbers: int, categories: int, *, is_regression: bool) -> bytes:
    inputs = [("numeric", FloatTensorType([None, numbers]))]
    if categories:
        inputs.append(("text", StringTensorType([None, categories])))
    options = None if is_regression else {id(pipeline): {"zipmap": False}}
    made = convert_sklearn(pipeline, initial_types=inputs, options=options, target_opset={"": 18, "ai.onnx.ml": 3})
    if not is_regression:
        del made.graph.output[0]
    return made.SerializeToString()


def _rows(numeric, text) -> list[dict[str, object]]:
    return [
        {f"n{index}": None if np.isnan(number) else float(str(number)) for index, number in enumerate(numbers)}
        | {f"c{index}": word or None for index, word in enumerate(words)}
        for numbers, words in zip(numeric, text, strict=True)
    ]


def _feature(rows, name: str, position: int) -> Feature:
    cells = [row[name] for row in rows]
    present = [cell for cell in cells if cell is not None]
    missing_share = 1 - len(present) / len(cells)
    is_text = name.startswith("c")
    return Feature(
        name=name,
        kind="category" if is_text else "integer" if name == "n1" else "number",
        position=position,
        missing_share=missing_share,
        required=not missing_share,
        minimum=None if is_text else min(present),
        maximum=None if is_text else max(present),
        quantiles=[] if is_text else np.quantile(present, [0, 0.05, 0.25, 0.5, 0.75, 0.95, 1]).tolist(),
        histogram=[] if is_text else [1] * 20,
        categories=[CategoryCount(value=island, share=1 / 3) for island in ISLANDS] if is_text else [],
        category_count=3 if is_text else 0,
        default=present[0],
    )


def _card(content: bytes, rows, numeric, classes, categories: int, references) -> Card:
    names = [(f"n{index}", index) for index in range(numeric.shape[1])]
    names += [(f"c{index}", index) for index in range(categories)]
    return Card(
        contract_version=CONTRACT_VERSION,
        name="fitted",
        title="Fitted",
        description="",
        task="multiclass" if classes else "regression",
        target="y",
        features=[_feature(rows, name, position) for name, position in names],
        classes=classes,
        class_shares=[0.4, 0.3, 0.3] if classes else [],
        target_quantiles=[],
        target_histogram=[],
        interval=None,
        ignored_columns=[],
        examples=rows[:3],
        background=references,
        recipe="by_hand",
        parameters={},
        evaluation=Evaluation(
            rows=0,
            metrics=[],
            baseline=[],
            leaderboard=[],
            importance=[],
            confusion=[],
            reliability=[],
            residual_quantiles=[],
        ),
        parity=ParityCertificate(
            passed=True, tolerance=1e-5, rows=0, label_flips=0, max_error=0, kinds=[], worst_row={}, engines=[]
        ),
        dataset=DatasetNote(name="made up", sha256="0" * 64, rows=240, columns=4, source=None, licence=None),
        warnings=[],
        digest=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        libraries={},
        seed=0,
        training_seconds=0,
        trained_at=datetime(2026, 11, 23, tzinfo=UTC),
    )
