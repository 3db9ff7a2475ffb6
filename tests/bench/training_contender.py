"""One contender on one table, in a process of its own: `training_contender.py WHO FOLDER SECONDS SEED`.

WHO is `ours`, `flaml` or `plain`: each plain default, and as `picked` the one of these that cross-validation prefers. The budget
is counted in CPU seconds. It learns from FOLDER/train.csv and writes its answers to FOLDER/test.csv as FOLDER/WHO.npz. FLAML
may live in another environment: nothing of this project is imported unless WHO is `ours`.
"""

import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

TARGET = "target"
PLAIN = ("linear", "forest", "boosting")

_PICKED_BY = 5_000  # rows


def ours(train: pd.DataFrame, test: pd.DataFrame, seconds: float, seed: int) -> dict[str, Any]:
    """Train as `./rowcast train` does and answer with the served file."""
    from models.contract import Card
    from models.runtime import OnnxModel
    from models.training import TrainOptions, parse_table
    from models.training import train as train_ours

    table = parse_table(train.to_csv(index=False).encode(), "train.csv")
    options = TrainOptions(target=TARGET, name="bench", seed=seed, threads=1, time_budget_seconds=seconds)
    trained = train_ours(table, options)
    card: Card = trained.card
    model = OnnxModel.open(trained.model, card)
    known = [feature.name for feature in card.features]
    rows: list[Any] = test[known].astype(object).where(test[known].notna(), None).to_dict("records")
    encoded = model.encode(rows)
    started = time.perf_counter()
    for _ in range(50):
        model.run(model.encode(rows[:1]))
    per_row = (time.perf_counter() - started) / 50
    answers = model.run(encoded).astype(np.float64)
    if not card.classes:
        answers = answers[:, 0]
    note = f"{card.recipe} {len(card.evaluation.leaderboard)}"
    return {"answers": answers, "classes": card.classes, "note": note, "row": per_row}


def flaml(train: pd.DataFrame, test: pd.DataFrame, seconds: float, seed: int) -> dict[str, Any]:
    """Let FLAML train on one thread, for log loss or R²."""
    from flaml import AutoML  # type: ignore[import-not-found]  # it lives in another environment

    features, target = train.drop(columns=TARGET), train[TARGET]
    amounts = pd.api.types.is_numeric_dtype(target)
    automl = AutoML()
    automl.fit(
        features,
        target,
        task="regression" if amounts else "classification",
        metric="r2" if amounts else "log_loss",
        time_budget=seconds,
        n_jobs=1,
        seed=seed,
        verbose=0,
    )
    asked = test.drop(columns=TARGET)
    if amounts:
        return {"answers": automl.predict(asked), "note": str(automl.best_estimator)}
    return {
        "answers": automl.predict_proba(asked),
        "classes": [str(one) for one in automl.classes_],
        "note": str(automl.best_estimator),
    }


def plain(train: pd.DataFrame, test: pd.DataFrame, seed: int) -> dict[str, dict[str, Any]]:
    """Fit what scikit-learn gives without any option, behind the usual preparation of columns, and pick one by folds."""
    answered = {recipe: _plain(recipe, train, test, seed) for recipe in PLAIN}
    return {**answered, "picked": answered[_picked(train, seed)]}


def _plain(recipe: str, train: pd.DataFrame, test: pd.DataFrame, seed: int) -> dict[str, Any]:
    fitted = _plain_pipeline(recipe, train, seed).fit(train.drop(columns=TARGET), train[TARGET])
    asked = test.drop(columns=TARGET)
    if pd.api.types.is_numeric_dtype(train[TARGET]):
        return {"answers": fitted.predict(asked), "note": recipe}
    return {"answers": fitted.predict_proba(asked), "classes": list(fitted.classes_), "note": recipe}


def _picked(train: pd.DataFrame, seed: int) -> str:
    """Pick one of the plain defaults as a careful person would: by five folds of (some of) what there is to learn from."""
    from sklearn.model_selection import cross_val_score

    train = train.sample(min(len(train), _PICKED_BY), random_state=seed)

    scoring = "r2" if pd.api.types.is_numeric_dtype(train[TARGET]) else "neg_log_loss"
    features, target = train.drop(columns=TARGET), train[TARGET]
    scores = {
        recipe: cross_val_score(_plain_pipeline(recipe, train, seed), features, target, scoring=scoring, cv=5).mean()
        for recipe in PLAIN
    }
    return max(PLAIN, key=lambda recipe: float(np.nan_to_num(scores[recipe], nan=-np.inf)))


def _plain_pipeline(recipe: str, train: pd.DataFrame, seed: int) -> Any:
    from sklearn import ensemble, linear_model
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    features = train.drop(columns=TARGET)
    amounts = pd.api.types.is_numeric_dtype(train[TARGET])
    numbers = [name for name in features if pd.api.types.is_numeric_dtype(features[name])]
    texts = [name for name in features if name not in numbers]
    scaling = [StandardScaler()] if recipe == "linear" else []
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(), *scaling), numbers),
        (make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")), texts),
        sparse_threshold=0,
    )
    model = {
        ("linear", True): linear_model.Ridge(),
        ("linear", False): linear_model.LogisticRegression(max_iter=500),
        ("forest", True): ensemble.RandomForestRegressor(random_state=seed),
        ("forest", False): ensemble.RandomForestClassifier(random_state=seed),
        ("boosting", True): ensemble.HistGradientBoostingRegressor(random_state=seed),
        ("boosting", False): ensemble.HistGradientBoostingClassifier(random_state=seed),
    }[recipe, amounts]
    return make_pipeline(columns, model)


def _count_cpu_time() -> None:
    """Let every clock of this process count its own CPU seconds: on a busy machine the budgets stay equal."""
    wall, steady = time.time(), time.monotonic()
    time.time = lambda: wall + time.process_time()
    time.monotonic = lambda: steady + time.process_time()


def main() -> None:
    """Read the order, answer, and write the answers."""
    who, folder, seconds, seed = sys.argv[1], Path(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
    warnings.simplefilter("ignore")
    train, test = pd.read_csv(folder / "train.csv"), pd.read_csv(folder / "test.csv")
    _count_cpu_time()
    started = time.monotonic()
    if who == "plain":
        answered = plain(train, test, seed)
    else:
        answered = {who: (ours if who == "ours" else flaml)(train, test, seconds, seed)}
    for name, answers in answered.items():
        np.savez(folder / f"{name}.npz", seconds=time.monotonic() - started, **answers)


if __name__ == "__main__":
    main()
