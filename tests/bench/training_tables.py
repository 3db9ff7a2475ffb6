"""The tables that training is compared on: those that scikit-learn ships, generated ones of several characters, own files."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn import datasets

TARGET = "target"

type Maker = Callable[[], pd.DataFrame]


def tables(folder: Path | None = None) -> Iterator[tuple[str, pd.DataFrame]]:
    """Give each table's name and its rows; the column `target` holds texts for classes, numbers for amounts.

    With a folder, its CSV files follow; the last column of each is its target.
    """
    for name, make in _MAKERS.items():
        yield name, make()
    for path in sorted(folder.glob("*.csv")) if folder else ():
        frame = pd.read_csv(path)
        yield path.stem, frame.rename(columns={frame.columns[-1]: TARGET})


def is_classification(frame: pd.DataFrame) -> bool:
    """Tell whether a table's answers are classes."""
    return not pd.api.types.is_numeric_dtype(frame[TARGET])


def _bundled(load: Callable[..., tuple[pd.DataFrame, pd.Series]], *, classes: bool) -> pd.DataFrame:
    features, target = load(return_X_y=True, as_frame=True)
    return features.assign(target=[f"class {code}" for code in target] if classes else target)


def _friedman(rows: int, noise: float) -> pd.DataFrame:
    numbers, target = datasets.make_friedman1(rows, n_features=10, noise=noise, random_state=0)
    return _framed(numbers, target)


def _blobs() -> pd.DataFrame:
    numbers, codes = datasets.make_classification(
        1500, 20, n_informative=6, n_redundant=4, n_clusters_per_class=3, flip_y=0.1, class_sep=0.8, random_state=0
    )
    return _framed(numbers, [f"class {code}" for code in codes])


def _rings() -> pd.DataFrame:
    """Two rings, and six columns of noise."""
    numbers, codes = datasets.make_circles(800, noise=0.2, factor=0.5, random_state=0)
    noise = np.random.default_rng(0).normal(size=(800, 6))
    return _framed(np.column_stack([numbers, noise]), [f"class {code}" for code in codes])


def _sparse() -> pd.DataFrame:
    """Amounts that a few of many numbers explain linearly."""
    numbers, target = datasets.make_regression(300, 60, n_informative=6, noise=40.0, random_state=0)
    return _framed(numbers, target)


def _mixed(*, classes: bool) -> pd.DataFrame:
    """Numbers with gaps, a category of few values and one of many, and an interaction between them."""
    random, rows = np.random.default_rng(1), 3000
    numbers = random.normal(size=(rows, 4))
    plan = random.integers(0, 3, rows)
    city = random.geometric(0.05, rows)
    effects = random.normal(size=city.max() + 1)
    score = numbers[:, 0] + 1.5 * (numbers[:, 1] > 0) * (plan == 1) + effects[city] + numbers[:, 2] * (plan - 1)
    frame = pd.DataFrame(numbers, columns=["a", "b", "c", "d"]).assign(
        plan=[f"plan {code}" for code in plan], city=[f"city {code}" for code in city]
    )
    frame.loc[random.random(rows) < 0.1, "a"] = np.nan
    noisy = score + random.normal(0, 0.8, rows)
    return frame.assign(target=np.where(noisy > 0, "yes", "no") if classes else noisy)


def _rare() -> pd.DataFrame:
    """One row in thirty is what is looked for."""
    numbers, codes = datasets.make_classification(
        8000, 12, n_informative=5, n_redundant=2, weights=[0.97], flip_y=0.005, class_sep=1.2, random_state=3
    )
    return _framed(numbers, [f"class {code}" for code in codes])


def _large(*, classes: bool) -> pd.DataFrame:
    """Twenty columns of thirty thousand rows: steps, products, a category of two hundred values, and noise."""
    random, rows = np.random.default_rng(2), 30_000
    numbers = random.normal(size=(rows, 16))
    shop = random.integers(0, 200, rows)
    kind = random.integers(0, 5, rows)
    score = numbers[:, 0] * numbers[:, 1] + np.sin(2 * numbers[:, 2]) + (numbers[:, 3] > kind / 2 - 1)
    score += random.normal(size=200)[shop] + 0.5 * numbers[:, 4] + random.normal(0, 0.7, rows)
    names = [f"x{place}" for place in range(16)]
    frame = pd.DataFrame(numbers, columns=names).assign(
        shop=[f"shop {code}" for code in shop],
        kind=[f"kind {code}" for code in kind],
        flag=random.random(rows) < 0.5,  # a fair coin
    )
    frame.loc[random.random(rows) < 0.05, "x2"] = np.nan  # one gap in twenty
    codes = np.digitize(score, np.quantile(score, [0.5, 0.8]))
    return frame.assign(target=[("low", "middle", "high")[code] for code in codes] if classes else score)


def _framed(numbers: np.ndarray, target: Any) -> pd.DataFrame:
    names = [f"x{place}" for place in range(numbers.shape[1])]
    return pd.DataFrame(numbers, columns=names).assign(target=target)


_MAKERS: Mapping[str, Maker] = {
    "breast cancer": lambda: _bundled(datasets.load_breast_cancer, classes=True),
    "wine": lambda: _bundled(datasets.load_wine, classes=True),
    "iris": lambda: _bundled(datasets.load_iris, classes=True),
    "digits": lambda: _bundled(datasets.load_digits, classes=True),
    "diabetes": lambda: _bundled(datasets.load_diabetes, classes=False),
    "friedman": lambda: _friedman(1000, 1.0),
    "friedman small": lambda: _friedman(200, 1.0),
    "blobs": _blobs,
    "rings": _rings,
    "sparse": _sparse,
    "mixed classes": lambda: _mixed(classes=True),
    "mixed amounts": lambda: _mixed(classes=False),
    "rare class": _rare,
    "large classes": lambda: _large(classes=True),
    "large amounts": lambda: _large(classes=False),
}
