"""How good a model is, in words and numbers that people can compare. Pure: no network, no page."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

LABELS = {
    "accuracy": "Accuracy",
    "log_loss": "Log loss",
    "roc_auc": "ROC AUC",
    "r2": "R²",
    "mae": "Mean absolute error",
    "rmse": "Root mean squared error",
}
RECIPES = {
    "baseline": "Baseline",
    "linear": "Linear",
    "hist_gradient_boosting": "Gradient boosting",
    "random_forest": "Random forest",
    "extra_trees": "Extra trees",
}
TASKS = {"binary": "Yes or no", "multiclass": "One of several", "regression": "Amount"}

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+!|~$:&@.-])")
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


@dataclass(frozen=True)
class Score:
    """A held-out score beside what the baseline reaches on the same rows."""

    name: str
    value: float
    low: float
    high: float
    better: str
    baseline: float | None

    @property
    def label(self) -> str:
        """The score's name for people."""
        return LABELS.get(self.name, self.name)

    @property
    def error_removed(self) -> float | None:
        """Share of the baseline's error that the model removes: 1 is perfect, 0 no better, below 0 worse.

        Makes scores of different kinds comparable. The error of a score that is better when higher is its distance to 1.
        """
        if self.baseline is None:
            return None
        if self.better == "lower":
            return (self.baseline - self.value) / self.baseline if self.baseline else None
        return (self.value - self.baseline) / (1 - self.baseline) if self.baseline < 1 else None

    @property
    def text(self) -> str:
        """The score with its 95 % interval."""
        return f"{precise(self.value)}  ({precise(self.low)} to {precise(self.high)})"


def scores(metrics: list[dict[str, Any]], baseline: list[dict[str, Any]]) -> list[Score]:
    """Pair each score with the baseline's, the one that the search optimised first."""
    reached = {each["name"]: each["value"] for each in baseline}
    ordered = sorted(metrics, key=lambda each: not each.get("primary"))
    return [
        Score(each["name"], each["value"], each["low"], each["high"], each["better"], reached.get(each["name"]))
        for each in ordered
    ]


def short(value: float | None) -> str:
    """Write a number with as many digits as tell something."""
    if value is None:
        return "–"
    if value == 0:
        return "0"
    size = abs(value)
    if size >= 1000:  # noqa: PLR2004
        return f"{value:,.0f}"
    if size < 0.001:  # noqa: PLR2004
        return f"{value:.1e}"
    return f"{value:.3g}" if size >= 1 else f"{value:.3f}"


def precise(value: float | None) -> str:
    """Write a score with as many digits as two of them can differ in."""
    if value is None:
        return "–"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:,.1f}"  # noqa: PLR2004


def tiny(value: float) -> str:
    """Write a very small number as people write it."""
    if value == 0:
        return "0"
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa}\u00a0×\u00a010{str(int(exponent)).translate(_RAISED)}"


def plain(text: object) -> str:
    """Write other people's words into Markdown as they are: no image is fetched, no link and no colour comes of them."""
    return _MARKDOWN.sub(r"\\\1", str(text)).replace("\n", " ")


def share(value: float) -> str:
    """Write a share as a percentage that says 100 % only when it is."""
    return f"{value:.1%}" if 0.99 <= value < 1 else f"{value:.0%}"  # noqa: PLR2004


def ago(moment: str | None, now: datetime | None = None) -> str:
    """Say how long ago a moment was."""
    if not moment:
        return "–"
    seconds = ((now or datetime.now(UTC)) - datetime.fromisoformat(moment)).total_seconds()
    if seconds < _MINUTE:
        return "just now"
    for size, name in ((_DAY, "day"), (_HOUR, "hour"), (_MINUTE, "minute")):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {name}{'s' if count > 1 else ''} ago"
    return "just now"


def recipe_label(recipe: str) -> str:
    """Name a recipe for people."""
    return RECIPES.get(recipe, recipe.replace("_", " ").capitalize())
