"""How models are used and how right they are: counted by the database, the same whichever instance answers."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Response

from api._lib import cards, free_tiers, kv, overview, prometheus, registry
from api._lib.app import create_app
from api._lib.auth import Person, Somebody
from api._lib.callers import Caller
from api._lib.errors import NotAllowed, Unavailable
from api._lib.late import LateRoute
from api._lib.monitoring_schemas import (
    Drift,
    DriftWindow,
    ExpectedQuality,
    FeatureDrift,
    FeatureValues,
    Metrics,
    Usage,
    Used,
    ValueDay,
    Values,
    write_metrics,
    write_usage,
)
from api._lib.openapi import PERSON, SOMEBODY
from api._lib.problems import problems
from api._lib.settings import settings
from api._lib.store import monitoring as store
from models.contract import Card

router = APIRouter(tags=["metrics"], route_class=LateRoute)

Span = Literal["24h", "7d", "30d", "90d"]
HOURS: dict[str, tuple[int, int]] = {"24h": (24, 1), "7d": (168, 6), "30d": (720, 24), "90d": (2160, 72)}
"""Of each span: how many hours it has, and how many of them make a step of its series."""

BINS = 20
"""Of a number's histogram in the card."""

_NAME = r"^[a-z0-9][a-z0-9-]{0,62}$"

Slug = Annotated[str, Path(pattern=_NAME, description="Slug of the model", examples=["penguins"])]
Number = Annotated[int | None, Query(ge=1, le=2**31 - 1, description="A version; else the champion")]
Days = Annotated[int, Query(ge=1, le=90, description="How many days back")]


@router.get(
    "/api/metrics",
    responses={
        200: {"content": {prometheus.MEDIA_TYPE: {"schema": {"type": "string"}}}},
        **problems(401, 403, 503),
    },
    response_class=Response,
    openapi_extra=SOMEBODY,
)
async def get_prometheus(caller: Somebody) -> Response:
    """Read all counts of the models that you have a part in, as Prometheus scrapes them.

    Give the scraper an API key as its bearer token. The counts come from the database, so they are those of all
    instances; they follow the log within a minute.
    """
    counted = await store.read_totals(caller.rights)
    totals = [row for row in counted["totals"] if caller.model_slug in {"", row["slug"]}]
    return Response(prometheus.write(totals, counted["edges_ms"]), media_type=prometheus.MEDIA_TYPE)


@router.get("/api/metrics/{slug}", responses=problems(401, 403, 404, 422, 503), openapi_extra=SOMEBODY)
async def get_metrics(
    slug: Slug, caller: Somebody, span: Annotated[Span, Query(description="How far back")] = "7d"
) -> Metrics:
    """Read traffic, latency, refusals and quality of a model: for its owner, its members and admins."""
    _check_key(caller, slug)
    hours, step = HOURS[span]
    until = datetime.now(UTC)
    since = (until - timedelta(hours=hours)).replace(minute=0, second=0, microsecond=0)
    days = max(1, step // 24)
    counted, known, values = await asyncio.gather(
        store.read_traffic(slug, since, until, step, caller.rights),
        store.read_quality(slug, since, until, days, caller.rights),
        store.read_values(slug, since.date(), until.date() + timedelta(days=1), None, caller.rights),
    )
    metrics = write_metrics(slug, since, until, step, counted, known)
    metrics.expected_quality = _expected(values)
    return metrics


@router.get("/api/metrics/{slug}/values", responses=problems(401, 403, 404, 422, 503), openapi_extra=SOMEBODY)
async def get_values(slug: Slug, caller: Somebody, version: Number = None, days: Days = 30) -> Values:
    """Read what came in and went out, feature by feature and day by day, beside what training saw."""
    _check_key(caller, slug)
    today = datetime.now(UTC).date()
    version = version or (await store.read_drift(slug, None, caller.rights))["version"]
    rows = await store.read_values(
        slug, today - timedelta(days=days - 1), today + timedelta(days=1), version, caller.rights
    )
    card = await _read_card(slug, version, caller)
    by_feature: dict[str, list[ValueDay]] = defaultdict(list)
    for row in rows:
        by_feature[row["feature"]].append(ValueDay(**{name: row[name] for name in ValueDay.model_fields}))
    return Values(model=slug, version=version, features=list(_beside_training(card, by_feature)))


@router.get("/api/metrics/{slug}/drift", responses=problems(401, 403, 404, 422, 503), openapi_extra=SOMEBODY)
async def get_drift(slug: Slug, caller: Somebody, version: Number = None) -> Drift:
    """Read how far each feature has moved from training, and what would be an alarm."""
    from models.drift import FALSE_ALARMS_PER_MONTH, MIN_DISTANCE, MIN_ROWS

    _check_key(caller, slug)
    found = await store.read_drift(slug, version, caller.rights)
    return Drift(
        model=slug,
        version=found["version"],
        false_alarms_per_month=FALSE_ALARMS_PER_MONTH,
        min_rows=MIN_ROWS,
        min_distance=MIN_DISTANCE,
        features=[
            FeatureDrift(
                feature=each["feature"] or None,
                state=each["state"],
                since=each["since"],
                windows=[DriftWindow(**window) for window in each["windows"]],
            )
            for each in found["features"]
        ],
    )


@router.get("/api/usage", responses=problems(401, 403, 503), openapi_extra=PERSON)
async def get_usage(caller: Person) -> Usage:
    """Read how much of what the free plans give is used, where that leads, and what then happens. For admins."""
    usage = await store.read_usage(caller.rights)
    if kv.is_configured():
        with suppress(Unavailable):
            await kv.ping()  # brings the count of all instances along
    spent, now = kv.spent(), datetime.now(UTC)
    quotas = [
        Used(
            name=meter.quota.name,
            used=meter.used,
            limit=meter.quota.limit,
            unit=meter.quota.unit,
            share=meter.share,
            month_end_share=meter.month_end(now),
            degrades=meter.quota.degrades,
        )
        for meter in free_tiers.read(usage, spent.commands, spent.budget)
    ]
    known = settings()
    return write_usage(
        usage,
        quotas,
        prediction_days=known.prediction_days,
        log_limit_bytes=known.log_max_mb * free_tiers.MEGABYTE,
    )


def _check_key(caller: Caller, slug: str) -> None:
    if caller.model_slug not in {"", slug}:
        raise NotAllowed(f"This API key was made for the model {caller.model_slug!r} only")


async def _read_card(slug: str, number: int, caller: Caller) -> Card:
    found = await registry.resolve(f"{slug}@{number}", caller)
    return Card.model_validate_json(await cards.read(found.version, caller.rights))


def _expected(values: Iterable[dict[str, Any]]) -> list[ExpectedQuality]:
    """Add up the probabilities that were stated for predicted classes, by version."""
    sums: dict[int, tuple[int, float]] = {}
    for row in values:
        if row["confidence"] is not None:
            rows, confidence = sums.get(row["number"], (0, 0.0))
            sums[row["number"]] = (rows + row["seen"], confidence + row["confidence"])
    return [
        ExpectedQuality(version=number, rows=rows, accuracy=confidence / rows)
        for number, (rows, confidence) in sorted(sums.items(), reverse=True)
        if rows
    ]


def _beside_training(card: Card, days: dict[str, list[ValueDay]]) -> Iterator[FeatureValues]:
    """Lay the counts of each feature beside the card's, and those of the predictions first."""
    if card.target_quantiles:
        edges = _edges(card.target_quantiles)
        yield _numbers(None, edges, card.evaluation.predicted_histogram, days.get("", []))
    elif card.classes:
        said = [sum(column) for column in zip(*card.evaluation.confusion, strict=True)]
        yield _texts(None, card.classes, _shares([*said, 0]), days.get("", []))
    for feature in card.features:
        known = days.get(feature.name, [])
        if feature.kind == "category":
            listed = [category.share for category in feature.categories]
            others = max(0.0, 1 - feature.missing_share - sum(listed))
            # Of a file that was made elsewhere nobody knows how often its training saw what.
            seen = _shares([*listed, others]) if card.dataset.rows else []
            yield _texts(feature.name, [each.value for each in feature.categories], seen, known)
        elif feature.quantiles:
            yield _numbers(feature.name, _edges(feature.quantiles), feature.histogram, known)


def _texts(name: str | None, labels: Sequence[str], training: list[float], days: list[ValueDay]) -> FeatureValues:
    return FeatureValues(feature=name, labels=[*labels], edges=[], training=training, days=days)


def _numbers(name: str | None, edges: list[float], bins: Sequence[int], days: list[ValueDay]) -> FeatureValues:
    training = _shares([0, *bins, 0]) if sum(bins) else []
    return FeatureValues(feature=name, labels=[], edges=edges, training=training, days=days)


def _edges(quantiles: Sequence[float]) -> list[float]:
    low, high = quantiles[0], quantiles[-1]
    return [low + (high - low) * place / BINS for place in range(BINS + 1)]


def _shares(counts: Sequence[float]) -> list[float]:
    whole = sum(counts)
    return [count / whole for count in counts] if whole else []


router.routes.extend(overview.router.routes)  # as create_app does: their paths are whole

app = create_app(router)
