"""What a model is, in data: the card that travels with every ONNX file.

A card is complete enough to build a form, check a row, run the file and judge the result, without
scikit-learn and without the training data. Pydantic and the standard library only.
"""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from models.coercion import MISSING_WORDS, NUMERIC_COERCIONS, Written, canonical_row, coerce_category
from models.errors import CoercionError

__all__ = [
    "CONTRACT_VERSION",
    "MISSING_WORDS",
    "NUMERIC_COERCIONS",
    "BrowserParity",
    "Candidate",
    "Card",
    "CategoryCount",
    "CoercionError",
    "DatasetNote",
    "Evaluation",
    "Feature",
    "FeatureKind",
    "Importance",
    "IntervalNote",
    "Metric",
    "ParityCertificate",
    "ParityKind",
    "ReliabilityBin",
    "Task",
    "Written",
    "canonical_row",
    "coerce_category",
]

CONTRACT_VERSION = 2
"""The version of the card's format.

To change the format: raise this number, keep reading the old one, and add a card of the old format to the tests.
2 adds dates, ways of writing (`Feature.written`), and what a certificate says of versions and of the browser.
"""

Task = Literal["binary", "multiclass", "regression"]
FeatureKind = Literal["number", "integer", "boolean", "category", "date"]


class _Frozen(BaseModel):
    # Deferred: most parts of a card are only ever read as parts of a card.
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="null", defer_build=True)


class CategoryCount(_Frozen):
    """One known value of a category and how often training saw it."""

    value: str
    share: float = Field(description="Share of the training rows, 0 to 1", examples=[0.44])


class Feature(_Frozen):
    """One column that a row must or may carry.

    `number`, `integer`, `boolean` and `date` travel in the packed float32 tensor `numeric` [N, F] (missing is NaN, true is
    1, a date is its days since 1970-01-01, and so are a date's quantiles and range); `category` travels in the packed string tensor `text` [N, C] (missing is "").
    """

    name: str = Field(description="Column name as in the training data", examples=["bill_length_mm"])
    kind: FeatureKind
    position: int = Field(description="Column index within its packed tensor, from 0")
    missing_share: float = Field(description="Share of training rows without a value, 0 to 1")
    required: bool = Field(description="True: the key must be present (null still says 'unknown')")
    minimum: float | None = Field(description="Smallest training value; null for categories")
    maximum: float | None = Field(description="Largest training value; null for categories")
    quantiles: list[float] = Field(
        description="Training quantiles at 0, 5, 25, 50, 75, 95, 100 %; empty for categories"
    )
    histogram: list[int] = Field(description="Counts in 20 equal bins from minimum to maximum; empty for categories")
    categories: list[CategoryCount] = Field(description="Known values, most frequent first, at most 200")
    category_count: int = Field(description="How many distinct values training saw (categories may list fewer)")
    default: float | int | bool | str | None = Field(
        description="Median or most frequent value: a sensible start for a form"
    )
    written: Written | None = Field(
        default=None, description="How texts of this column are written, where it is not the usual way"
    )


class Metric(_Frozen):
    """One held-out score with a 95 % bootstrap interval."""

    name: str = Field(examples=["accuracy", "log_loss", "roc_auc", "r2", "mae", "rmse"])
    value: float
    low: float
    high: float
    better: Literal["higher", "lower"]
    primary: bool = Field(description="True for the one score that the search optimised")


class Candidate(_Frozen):
    """One line of the leaderboard: a recipe that was tried on the same folds."""

    recipe: str = Field(examples=["baseline", "linear", "hist_gradient_boosting", "random_forest"])
    score: float = Field(description="Cross-validated primary score")
    seconds: float
    chosen: bool
    parameters: dict[str, float | int | str | bool | None]


class Importance(_Frozen):
    """How much the primary score suffers when one column is shuffled on held-out rows."""

    feature: str
    mean: float
    deviation: float


class ReliabilityBin(_Frozen):
    """Rows with about the same stated probability, and how often it came true.

    Of the second class for two classes, of the chosen class for more.
    """

    predicted: float
    observed: float
    count: int


class Evaluation(_Frozen):
    """What held-out rows said. `confusion[i][j]` counts true class i predicted as j; empty for regression."""

    rows: int
    metrics: list[Metric]
    baseline: list[Metric]
    leaderboard: list[Candidate]
    importance: list[Importance]
    confusion: list[list[int]]
    reliability: list[ReliabilityBin]
    residual_quantiles: list[float] = Field(description="Regression residuals at 0, 5, 25, 50, 75, 95, 100 %")
    refitted: bool = Field(
        default=False,
        description="True: these scores are of the file's twin, trained in the same way without the held-out rows; the file "
        "itself has learned from all rows",
    )
    predicted_histogram: list[int] = Field(
        default=[],
        description="Regression predictions of the held-out rows in the bins of `target_histogram`; what lies outside is in "
        "the first or the last",
    )


class ParityKind(_Frozen):
    """One kind of row in the certificate and how far the two engines were apart on it."""

    kind: Literal["held_out", "missing", "unseen", "extreme", "threshold"]
    rows: int
    label_flips: int
    max_error: float = Field(description="Largest absolute difference; for regression relative to the target's spread")


class BrowserParity(_Frozen):
    """How far the browser's runtime was from the served file's answers."""

    engine: str = Field(examples=["onnxruntime-web 1.30.0 (wasm)"])
    rows: int
    label_flips: int
    max_error: float


class ParityCertificate(_Frozen):
    """Proof that the ONNX file answers as the trained pipeline did. No version exists without one that passed."""

    passed: bool
    tolerance: float = Field(examples=[1e-5])
    rows: int
    label_flips: int
    max_error: float
    kinds: list[ParityKind]
    worst_row: dict[str, float | int | bool | str | None]
    engines: list[str] = Field(examples=[["scikit-learn 1.8.0", "onnxruntime 1.32.0"]])
    basis: Literal["scikit-learn", "runtime to runtime"] = Field(
        default="scikit-learn",
        description="What the served file was compared with: the pipeline it was made from or, of a file that was made "
        "elsewhere, another runtime",
    )
    digest: str = Field(default="", description="SHA-256 of the file that was compared")
    versions: dict[str, str] = Field(default={}, description="Libraries that took part, by name")
    browser: BrowserParity | None = Field(
        default=None, description="The same rows in the browser's runtime; null where it was not there to be asked"
    )
    browser_missing: str | None = Field(
        default=None,
        description="Why the browser's runtime was not asked",
        examples=["onnxruntime-web is not installed"],
    )

    @property
    def browser_sentence(self) -> str:
        """Say in one sentence what is known of the browser's runtime."""
        if self.browser is not None:
            return (
                f"{self.browser.engine} answered {self.browser.rows} of these rows: {self.browser.label_flips} changed labels, "
                f"largest difference {self.browser.max_error:.2g}."
            )
        return "Not compared in a browser's runtime" + (f": {self.browser_missing}." if self.browser_missing else ".")


class DatasetNote(_Frozen):
    """Where the training rows came from."""

    name: str
    sha256: str
    rows: int
    columns: int
    source: str | None
    licence: str | None


class IntervalNote(_Frozen):
    """Split-conformal interval of a regression: value ± half_width covers `coverage` of unseen rows."""

    coverage: float
    half_width: float
    measured: float = Field(description="Coverage measured on held-out rows")


class Card(_Frozen):
    """The machine-readable contract of one version."""

    contract_version: int
    name: str = Field(description="Slug of the model", examples=["penguins"])
    title: str
    description: str
    task: Task
    target: str
    features: list[Feature]
    classes: list[str] = Field(description="Class labels in the order of the probability columns; empty for regression")
    class_shares: list[float]
    target_quantiles: list[float] = Field(description="Regression target at 0, 5, 25, 50, 75, 95, 100 %")
    target_histogram: list[int] = Field(description="Regression target counts in 20 equal bins")
    interval: IntervalNote | None
    ignored_columns: list[str] = Field(description="Columns of the training data that rows may carry and nobody reads")
    examples: list[dict[str, float | int | bool | str | None]] = Field(
        description="A few real held-out rows, features only"
    )
    background: list[dict[str, float | int | bool | str | None]] = Field(
        description="Reference rows for explanations, at most 50"
    )
    recipe: str
    parameters: dict[str, float | int | str | bool | None]
    evaluation: Evaluation
    parity: ParityCertificate
    dataset: DatasetNote
    warnings: list[str] = Field(description="What training found suspicious in the data, in plain words")
    digest: str = Field(description="SHA-256 of model.onnx, hexadecimal")
    size_bytes: int
    libraries: dict[str, str]
    seed: int
    training_seconds: float
    trained_at: datetime

    @property
    def is_brought(self) -> bool:
        """Whether the file was made elsewhere: nobody here knows what its training saw, or has judged it."""
        return self.parity.basis == "runtime to runtime"
