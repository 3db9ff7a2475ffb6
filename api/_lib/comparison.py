"""Two versions of a model side by side: scores with their intervals, data, features, cost."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from api._lib.registry import Found
from api._lib.schema import Schema
from models.contract import Card, DatasetNote, Metric


class Interval(Schema):
    """A score and the interval that 95 % of resamples lie in."""

    value: float
    low: float
    high: float


class ComparedMetric(Schema):
    """One score of both versions. Each was measured on the rows that its own training held out."""

    name: str = Field(examples=["accuracy"])
    better: Literal["higher", "lower"]
    primary: bool
    a: Interval | None
    b: Interval | None
    difference: float | None = Field(description="b minus a")
    verdict: Literal["better", "worse", "unclear"] = Field(
        description="b against a; unclear while their intervals overlap, or where one of them is not known"
    )


class ChangedFeature(Schema):
    """A feature that both versions read, differently."""

    name: str
    a: str = Field(examples=["number"])
    b: str = Field(examples=["category"])


class FeatureChanges(Schema):
    """How what b reads differs from what a reads."""

    added: list[str]
    removed: list[str]
    changed: list[ChangedFeature]


class Parity(Schema):
    """The certificate in short."""

    passed: bool
    rows: int
    label_flips: int
    max_error: float


class Side(Schema):
    """One of the two versions."""

    number: int | None
    alias: str | None = Field(description="The alias it was asked for by")
    digest: str
    size_bytes: int
    recipe: str
    parameters: dict[str, float | int | str | bool | None]
    features: int
    dataset: DatasetNote
    parity: Parity
    training_seconds: float
    trained_at: datetime


class Comparison(Schema):
    """Version b against version a."""

    model: str = Field(examples=["penguins"])
    a: Side
    b: Side
    metrics: list[ComparedMetric]
    features: FeatureChanges
    same_data: bool = Field(description="Whether both were trained on the same bytes")


def compare(a: tuple[Found, Card], b: tuple[Found, Card]) -> Comparison:
    """Put two versions side by side."""
    (_, card_a), (_, card_b) = a, b
    scores_a = {metric.name: metric for metric in card_a.evaluation.metrics}
    scores_b = {metric.name: metric for metric in card_b.evaluation.metrics}
    return Comparison(
        model=a[0].slug,
        a=_side(*a),
        b=_side(*b),
        metrics=[_compare_metric(scores_a.get(name), scores_b.get(name)) for name in {**scores_a, **scores_b}],
        features=_compare_features(card_a, card_b),
        same_data=card_a.dataset.sha256 == card_b.dataset.sha256,
    )


def _side(found: Found, card: Card) -> Side:
    parity = card.parity
    return Side(
        number=found.version.number,
        alias=found.alias,
        digest=card.digest,
        size_bytes=card.size_bytes,
        recipe=card.recipe,
        parameters=card.parameters,
        features=len(card.features),
        dataset=card.dataset,
        parity=Parity(
            passed=parity.passed, rows=parity.rows, label_flips=parity.label_flips, max_error=parity.max_error
        ),
        training_seconds=card.training_seconds,
        trained_at=card.trained_at,
    )


def _compare_metric(a: Metric | None, b: Metric | None) -> ComparedMetric:
    known = b or a
    assert known is not None
    difference = b.value - a.value if a and b else None
    return ComparedMetric(
        name=known.name,
        better=known.better,
        primary=known.primary,
        a=_interval(a),
        b=_interval(b),
        difference=difference,
        verdict=_verdict(a, b),
    )


def _interval(metric: Metric | None) -> Interval | None:
    return None if metric is None else Interval(value=metric.value, low=metric.low, high=metric.high)


def _verdict(a: Metric | None, b: Metric | None) -> Literal["better", "worse", "unclear"]:
    if a is None or b is None or (a.low <= b.high and b.low <= a.high):
        return "unclear"
    return "better" if (b.value > a.value) == (a.better == "higher") else "worse"


def _compare_features(a: Card, b: Card) -> FeatureChanges:
    kinds_a = {feature.name: feature.kind for feature in a.features}
    kinds_b = {feature.name: feature.kind for feature in b.features}
    return FeatureChanges(
        added=[name for name in kinds_b if name not in kinds_a],
        removed=[name for name in kinds_a if name not in kinds_b],
        changed=[
            ChangedFeature(name=name, a=kinds_a[name], b=kind)
            for name, kind in kinds_b.items()
            if kinds_a.get(name, kind) != kind
        ],
    )
