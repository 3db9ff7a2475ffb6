"""The pipelines that may be trained: only constructs whose ONNX form is known to answer alike.

Two rules are paid for in parity. Trees take numbers as they are: a scaler in front of them moves values across split
thresholds in float32. Linear models are computed in float64 inside the graph, so that a large mean or a cancelling sum
cannot cost digits. Missing text is "" and is a value of its own; unseen text is all zeros (linear) or -1 (trees). A date
is a day number and, besides, its parts.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
from skl2onnx.sklapi import CastTransformer
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from models.training.data import TrainingData
from models.training.date_parts import DateParts
from models.training.target_means import TargetMeans

type Parameters = dict[str, float | int | str | bool | None]

BASELINE = "baseline"
BOOSTING = "hist_gradient_boosting"
RECIPES = ("linear", BOOSTING, "random_forest", "extra_trees")

ONE_HOT, TARGET_MEANS = "one_hot", "target_means"
"""Forms of categories that trees can be given besides codes, as the parameters that ask for them."""

DEFAULTS: Mapping[str, Parameters] = {
    BASELINE: {"strength": 1e-9},
    "linear": {"strength": 1.0},
    "hist_gradient_boosting": {
        "learning_rate": 0.1,
        "max_iter": 100,
        "max_leaf_nodes": 31,
        "min_samples_leaf": 20,
        "l2_regularization": 0.0,
        "max_features": 1.0,
    },
    "random_forest": {"n_estimators": 100, "min_samples_leaf": 1, "max_features": 0.0},
    "extra_trees": {"n_estimators": 100, "min_samples_leaf": 1, "max_features": 0.0},
}
"""What a plain scikit-learn user gets. `strength` is C, or 1/alpha for amounts; `max_features` 0 is the library's own choice.

The baseline is a linear model held at its intercept, which answers with the training shares or the training mean: when the
columns say nothing about the target it is the best there is, and it can be served like any other.
"""

_MAX_LEAVES = 60_000  # over all trees: beyond it the file passes ten megabytes and conversion takes seconds
_MAX_LEAF_WEIGHTS = 200_000  # a forest's leaf holds a weight per class
_MIN_ITERATIONS = 10
MOST_ITERATIONS = 2_000
"""Where boosting ends at the latest; the folds tell after how many iterations it is best."""

_WIDE = 16  # values of a category, beyond which it can be read as means
_MAX_ONE_HOT = 300  # columns before trees: more take long to learn from and say little each
_LOGISTIC_ITERATIONS = 500
_MANY_ROWS = 5_000  # enough for large trees

_TREES = {
    ("hist_gradient_boosting", True): HistGradientBoostingClassifier,
    ("hist_gradient_boosting", False): HistGradientBoostingRegressor,
    ("random_forest", True): RandomForestClassifier,
    ("random_forest", False): RandomForestRegressor,
    ("extra_trees", True): ExtraTreesClassifier,
    ("extra_trees", False): ExtraTreesRegressor,
}


@dataclass(frozen=True)
class Plan:
    """What a pipeline must know of the data before it sees a row."""

    numeric: int
    categories: tuple[tuple[str, ...], ...]
    classes: int  # 0 for amounts
    seed: int = 0
    dates: tuple[int, ...] = ()  # which of the numbers are day numbers
    weights: tuple[float, ...] = ()  # of the classes; none: all alike

    @property
    def classification(self) -> bool:
        """Tell whether the answers are classes."""
        return self.classes > 0


def plan_for(data: TrainingData, seed: int, weights: tuple[float, ...] = ()) -> Plan:
    """Describe the data to the recipes; missing text counts as a known value where the training part has it."""
    train = data.text[data.train]
    categories = tuple(
        tuple(["", *known] if (train[:, position] == "").any() else known)
        for position, known in enumerate(data.categories)
    )
    dates = tuple(place for place, column in enumerate(data.numeric_columns) if column.kind == "date")
    return Plan(data.numeric.shape[1], categories, len(data.target.classes), seed, dates, weights)


def plain_forms(plan: Plan) -> list[tuple[str, Parameters]]:
    """Give what a plain user would try: each recipe without any option, and trees on other forms of the categories.

    A column per value of a category is what most people do; the mean of the answer for each value is what they do where there
    are many.
    """
    forms = [(recipe, dict(DEFAULTS[recipe])) for recipe in RECIPES]
    if _wide(plan):
        forms.append((BOOSTING, {**DEFAULTS[BOOSTING], TARGET_MEANS: True}))
    if _spread_out(plan):
        forms += [(recipe, {**DEFAULTS[recipe], ONE_HOT: True}) for recipe in RECIPES if recipe != "linear"]
    return forms


def build(recipe: str, parameters: Mapping[str, Any], plan: Plan, *, threads: int = 1) -> Pipeline:
    """Make an untrained pipeline; forests may grow on several threads."""
    if recipe in {BASELINE, "linear"}:
        return Pipeline([("columns", _scaled_columns(plan)), ("model", _linear(parameters, plan))])
    numbers = "passthrough" if recipe == BOOSTING else _imputer()
    if parameters.get(TARGET_MEANS):
        columns = _averaged_columns(plan, numbers)
    else:
        columns = _coded_columns(plan, numbers, one_hot=bool(parameters.get(ONE_HOT)))
    return Pipeline([("columns", columns), ("model", _trees(recipe, parameters, plan, threads))])


def suggest(recipe: str, trial: Any, plan: Plan, rows: int) -> Parameters:
    """Ask Optuna's trial for the parameters of a recipe."""
    if recipe == "linear":
        return {"strength": trial.suggest_float("linear.strength", 1e-3, 1e3, log=True)}
    parameters: Parameters = {}
    if recipe == BOOSTING:
        parameters = {
            "learning_rate": trial.suggest_float("boosting.learning_rate", 0.02, 0.3, log=True),
            "max_iter": MOST_ITERATIONS,
            "max_leaf_nodes": trial.suggest_int("boosting.max_leaf_nodes", 3, 63, log=True),
            "min_samples_leaf": trial.suggest_int(
                "boosting.min_samples_leaf", 2, max(20, min(100, rows // 10)), log=True
            ),
            "l2_regularization": trial.suggest_float("boosting.l2_regularization", 1e-3, 10.0, log=True),
            "max_features": trial.suggest_float("boosting.max_features", 0.3, 1.0),
        }
    else:
        parameters = {
            "n_estimators": trial.suggest_int(f"{recipe}.n_estimators", 50, 200, log=True),
            "min_samples_leaf": trial.suggest_int(f"{recipe}.min_samples_leaf", 1, 20, log=True),
            "max_features": trial.suggest_float(f"{recipe}.max_features", 0.2, 1.0),
        }
    if plan.categories:
        forms = ["codes", *([ONE_HOT] if _spread_out(plan) else []), *([TARGET_MEANS] if _wide(plan) else [])]
        form = trial.suggest_categorical(f"{recipe}.categories", forms)
        parameters |= {form: True} if form != "codes" else {}
    return parameters


def starts(plan: Plan, rows: int) -> list[dict[str, Any]]:
    """Give the points that a search begins with, in the words of `suggest`: what is known to do well on many tables.

    Slow boosting of small trees that see half of the columns at a time, with and without much restraint; forests that average a
    little within their leaves; a straight line that trusts the data less.
    """
    usual = TARGET_MEANS if _wide(plan) else ONE_HOT if _spread_out(plan) else "codes"
    form = {f"{recipe}.categories": usual for recipe in RECIPES[1:]} if plan.categories else {}
    slow = {"recipe": BOOSTING, "boosting.learning_rate": 0.05, "boosting.max_features": 0.5}
    leaves = {"boosting.max_leaf_nodes": 15, "boosting.min_samples_leaf": 10, "boosting.l2_regularization": 1.0}
    stumps = {"boosting.max_leaf_nodes": 4, "boosting.min_samples_leaf": 20, "boosting.l2_regularization": 0.1}
    forest = {"n_estimators": 150, "min_samples_leaf": 3, "max_features": 0.4}
    begun: list[dict[str, Any]] = [
        {**slow, **leaves},
        {"recipe": "linear", "linear.strength": 0.1},
        {**slow, **stumps},
        *({"recipe": one, **{f"{one}.{name}": value for name, value in forest.items()}} for one in RECIPES[2:]),
    ]
    if rows > _MANY_ROWS:
        begun.insert(1, {**slow, **leaves, "boosting.max_leaf_nodes": 63, "boosting.learning_rate": 0.1})
    return [{**one, **{name: value for name, value in form.items() if name.startswith(one["recipe"])}} for one in begun]


def _scaled_columns(plan: Plan) -> ColumnTransformer:
    texts = range(len(plan.categories))
    parts = Pipeline([("take_apart", DateParts()), *_scaling()])
    return _columns(plan, Pipeline(_scaling()), parts, ("texts", _one_hot(plan, texts, np.float64), texts))


def _scaling() -> list[tuple[str, Any]]:
    return [("impute", _imputer()), ("cast", CastTransformer(dtype=np.float64)), ("scale", StandardScaler())]


def _coded_columns(plan: Plan, numbers: Any, *, one_hot: bool) -> ColumnTransformer:
    """Give each text a code; with `one_hot`, categories of fewer values get a column per value instead."""
    few = _spread_out(plan) if one_hot else []
    many = [place for place in range(len(plan.categories)) if place not in few]
    codes = OrdinalEncoder(
        categories=[list(plan.categories[place]) for place in many],
        handle_unknown="use_encoded_value",
        unknown_value=-1,
        dtype=np.float32,
    )
    texts = [("few", _one_hot(plan, few, np.float32), few), ("many", codes, many)]
    return _columns(plan, numbers, _date_parts(numbers), *texts)


def _averaged_columns(plan: Plan, numbers: Any) -> ColumnTransformer:
    """Give a text of many values the mean of the answer for its value, and the others a column per value.

    Few values can have like means and yet be different things, which trees must be able to tell apart.
    """
    wide = _wide(plan)
    few = [place for place in range(len(plan.categories)) if place not in wide]
    means = TargetMeans([plan.categories[place] for place in wide], amounts=not plan.classification, seed=plan.seed)
    texts = [("few", _one_hot(plan, few, np.float32), few), ("wide", means, wide)]
    return _columns(plan, numbers, _date_parts(numbers), *texts)


def _wide(plan: Plan) -> list[int]:
    return [place for place, values in enumerate(plan.categories) if len(values) > _WIDE]


def _date_parts(numbers: Any) -> Any:
    return DateParts() if numbers == "passthrough" else Pipeline([("take_apart", DateParts()), ("impute", _imputer())])


def _spread_out(plan: Plan) -> list[int]:
    """Give the categories that trees can have a column per value of, those of the fewest values first to be counted."""
    sizes = sorted((len(values), place) for place, values in enumerate(plan.categories))
    totals = accumulate(size for size, _ in sizes)
    return sorted(place for (_, place), total in zip(sizes, totals, strict=True) if total <= _MAX_ONE_HOT)


def _columns(plan: Plan, numbers: Any, dates: Any, *texts: tuple[str, Any, Sequence[int]]) -> ColumnTransformer:
    """Send the numbers, which stand first, their dates and the texts through their own steps; columns go by position."""
    parts = [("numbers", numbers, list(range(plan.numeric))), ("dates", dates, list(plan.dates))]
    parts += [(name, steps, [plan.numeric + place for place in places]) for name, steps, places in texts]
    return ColumnTransformer([part for part in parts if part[2]], sparse_threshold=0)


def _imputer() -> SimpleImputer:
    return SimpleImputer(strategy="median", keep_empty_features=True)


def _one_hot(plan: Plan, places: Iterable[int], dtype: type[np.floating[Any]]) -> OneHotEncoder:
    categories = [list(plan.categories[place]) for place in places]
    return OneHotEncoder(categories=categories, handle_unknown="ignore", sparse_output=False, dtype=dtype)


def _linear(parameters: Mapping[str, Any], plan: Plan) -> LogisticRegression | Ridge:
    strength = float(parameters["strength"])
    if plan.classification:
        return LogisticRegression(C=strength, max_iter=_LOGISTIC_ITERATIONS, class_weight=_class_weight(plan))
    return Ridge(alpha=1.0 / strength)


def _trees(recipe: str, parameters: Mapping[str, Any], plan: Plan, threads: int) -> Any:
    given = {name: value for name, value in parameters.items() if name not in {ONE_HOT, TARGET_MEANS}}
    classes = max(plan.classes, 2)
    if recipe == BOOSTING:
        trees = 1 if classes == 2 else classes  # noqa: PLR2004  # per iteration; two classes and amounts need one
        most = max(_MAX_LEAVES // (trees * int(given["max_leaf_nodes"])), _MIN_ITERATIONS)
        given |= {"early_stopping": False, "max_iter": min(int(given["max_iter"]), most)}
    else:
        leaves = min(_MAX_LEAVES, _MAX_LEAF_WEIGHTS // classes)
        given |= {"n_jobs": threads, "max_leaf_nodes": leaves // int(given["n_estimators"])}
        if not given["max_features"]:
            del given["max_features"]
    if plan.classification:
        given["class_weight"] = _class_weight(plan)
    return _TREES[recipe, plan.classification](random_state=plan.seed, **given)


def _class_weight(plan: Plan) -> dict[int, float] | None:
    return dict(enumerate(plan.weights)) or None
