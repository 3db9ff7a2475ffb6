"""What the metrics of a model look like to callers, made of what the database has counted."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Literal

from pydantic import Field

from api._lib.figures import Figure, mean, percentile, proportion
from api._lib.schema import Schema
from api._lib.times import Time


class Estimate(Schema):
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, figure: Figure | None) -> "Estimate | None":
        """Take a figure over."""
        return None if figure is None else cls(**figure._asdict())


class Latency(Schema):
    """How long requests took inside the function, in milliseconds, to the accuracy of the buckets they are counted in."""

    p50: float
    p95: float
    p99: float

    @classmethod
    def of(cls, counts: Sequence[int], edges: Sequence[float]) -> "Latency | None":
        """Read percentiles from counts."""
        p50, p95, p99 = (percentile(counts, edges, share) for share in (0.5, 0.95, 0.99))
        return None if p50 is None or p95 is None or p99 is None else cls(p50=p50, p95=p95, p99=p99)


class Traffic(Schema):
    """Answered requests."""

    requests: int
    rows: int
    cached: int = Field(description="Requests that a cache answered")
    latency: Latency | None = Field(description="Null where nothing was asked")


class TrafficStep(Traffic):
    """Answered requests of one step of time."""

    at: Time = Field(description="Beginning of the step, UTC")


class VersionTraffic(Traffic):
    """Answered requests of one version."""

    version: int
    first_hour: Time
    last_hour: Time


class Refusals(Schema):
    """Refused requests of one kind."""

    status: int
    code: str = Field(description="Fixed name of the failure; empty where a protocol has names of its own")
    count: int


class Parts(Schema):
    """Where the time of a request goes on average, in milliseconds."""

    parse: float
    infer: float
    total: float


class VersionQuality(Schema):
    """How right one version was, as far as the truth is known."""

    version: int
    actuals: int
    corrections: int
    accuracy: Estimate | None = Field(description="Of classes: share of right answers")
    log_loss: float | None
    mean_absolute_error: Estimate | None = Field(description="Of numbers")
    rmse: float | None
    r2: float | None
    coverage: Estimate | None = Field(description="Of numbers: share that lay within the stated interval")
    delay_seconds: list[float] = Field(description="From prediction to truth: median and 90 %")


class QualityStep(Schema):
    """How right one version was about what it predicted in one step of time."""

    at: Time
    version: int
    actuals: int
    accuracy: Estimate | None
    mean_absolute_error: Estimate | None


class ExpectedQuality(Schema):
    """An estimate from the model's own probabilities, for predictions whose truth is not known yet."""

    version: int
    rows: int
    accuracy: float = Field(
        description="Mean probability of the predicted class. As good as the model is calibrated, and blind to new relations"
    )


class Opinions(Schema):
    """Thumbs up and down."""

    good: int
    bad: int


class Metrics(Schema):
    """How a model is used and how right it is, between two times."""

    model: str
    since: Time
    until: Time
    step_hours: int
    counted_until: Time | None = Field(
        description="Time of the last prediction in the log; counts follow within a minute"
    )
    totals: Traffic
    parts: Parts | None
    sources: dict[str, int] = Field(description="Requests by where they came from")
    refusals: list[Refusals]
    versions: list[VersionTraffic]
    series: list[TrafficStep]
    quality: list[VersionQuality] = Field(description="From actuals, by version, newest first")
    quality_series: list[QualityStep]
    expected_quality: list[ExpectedQuality] = Field(description="An estimate, before the truth is known. Classes only")
    opinions: Opinions


class ValueDay(Schema):
    """One day of one feature."""

    day: date
    seen: int
    missing: int
    unseen: int = Field(description="Unknown categories, numbers outside the range of training")
    counts: list[int]


class FeatureValues(Schema):
    """What came in for one feature, beside what training saw."""

    feature: str | None = Field(description="Null: what was predicted")
    labels: list[str] = Field(description="Categories or classes, then all others; empty for numbers")
    edges: list[float] = Field(
        description="Of numbers: 21 edges of 20 bins; counts have one more bin below and one above"
    )
    training: list[float] = Field(
        description="Shares of the same cells in training, without missing values; may be empty"
    )
    days: list[ValueDay]


class Values(Schema):
    """What came in and went out of one version."""

    model: str
    version: int
    features: list[FeatureValues]


class DriftWindow(Schema):
    """Some days beside training."""

    since: date
    until: date = Field(description="First day after the window")
    rows: int
    distance: float | None = Field(description="Jensen-Shannon distance, 0 to 1")
    limit: float | None = Field(description="What chance stays below, at the stated rate of false alarms")
    is_beyond: bool


class FeatureDrift(Schema):
    """How one feature stands."""

    feature: str | None = Field(description="Null: what is predicted")
    state: Literal["not_enough_data", "stable", "moved", "drifted"] = Field(
        description="`moved`: the last window is beyond the limit; `drifted`: it lasts, which is the alarm"
    )
    since: Time
    windows: list[DriftWindow]


class Drift(Schema):
    """How far a version's world has moved from its training."""

    model: str
    version: int
    false_alarms_per_month: float = Field(description="Expected for one model at most where nothing changes")
    min_rows: int = Field(description="Rows that a window needs")
    min_distance: float = Field(description="Smaller differences are no alarm, however certain")
    features: list[FeatureDrift]


class Used(Schema):
    """One thing that the free plans give only so much of."""

    name: Literal["database", "storage", "requests", "kv_commands"]
    used: int
    limit: int
    unit: Literal["bytes", "requests", "commands"]
    share: float = Field(description="Used of the limit, 0 to 1 and more")
    month_end_share: float | None = Field(
        description="At the end of the month if it goes on like this; null: not monthly"
    )
    degrades: str = Field(description="What happens when it is used up")


class TableSize(Schema):
    """One of the largest tables of the database."""

    name: str = Field(examples=["public.predictions"])
    bytes: int = Field(description="With its indexes")
    rows: int = Field(description="As the database estimates it")


class SlowStatement(Schema):
    """A statement that took long on average."""

    statement: str = Field(description="Its beginning; constants are left out")
    calls: int
    mean_ms: float
    total_ms: float


class Usage(Schema):
    """What the deployment has used up."""

    quotas: list[Used]
    log_bytes: int = Field(description="Of the database: logged predictions")
    log_limit_bytes: int = Field(description="Above this the oldest logged predictions are deleted earlier")
    log_full_in_days: float | None = Field(
        description="When the log reaches its limit if it grows as in the last week; 0: it has; null: it does not grow"
    )
    tables: list[TableSize] = Field(description="The ten largest")
    statements: list[SlowStatement] | None = Field(
        description="The slowest of those that ran ten times or more and took 100 ms at least; null: the database keeps no "
        "count of them (extension pg_stat_statements)"
    )
    prediction_days: int = Field(description="So long logged predictions are kept")
    oldest_prediction_at: Time | None
    waiting_to_be_counted: int = Field(description="Predictions that the figures do not hold yet")


def write_usage(usage: Mapping[str, Any], quotas: list[Used], *, prediction_days: int, log_limit_bytes: int) -> Usage:
    """Make the meter of sizes and counts."""
    left, growth = log_limit_bytes - usage["log_bytes"], usage["log_bytes_per_day"]
    return Usage(
        quotas=quotas,
        log_limit_bytes=log_limit_bytes,
        log_full_in_days=max(0.0, left / growth) if growth else None,
        prediction_days=prediction_days,
        **{name: usage[name] for name in _TAKEN_AS_THEY_ARE},
    )


_TAKEN_AS_THEY_ARE = ("log_bytes", "oldest_prediction_at", "waiting_to_be_counted", "tables", "statements")


def write_metrics(
    slug: str, since: datetime, until: datetime, step_hours: int, counted: Mapping[str, Any], known: Mapping[str, Any]
) -> Metrics:
    """Make metrics of counts; what is expected of quality is added by the caller."""
    edges, totals = counted["edges_ms"], counted["totals"]
    requests, steps = totals["requests"], ("parse", "infer", "total")
    parts = Parts(**{name: totals[f"{name}_ms"] / requests for name in steps}) if requests else None
    return Metrics(
        model=slug,
        since=since,
        until=until,
        step_hours=step_hours,
        counted_until=counted["counted_until"],
        totals=_traffic(Traffic, totals, edges),
        parts=parts,
        sources=counted["sources"],
        refusals=[Refusals(**each) for each in counted["refusals"]],
        versions=[
            _traffic(VersionTraffic, each, edges, version=each["number"], **_hours(each))
            for each in counted["versions"]
        ],
        series=[_traffic(TrafficStep, each, edges, at=each["at"]) for each in counted["series"]],
        quality=[_quality(each) for each in known["versions"]],
        quality_series=[
            QualityStep(at=each["at"], version=each["number"], actuals=each["actuals"], **_rightness(each))
            for each in known["series"]
        ],
        expected_quality=[],
        opinions=Opinions(**known["opinions"]),
    )


def _hours(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"first_hour": row["first_hour"], "last_hour": row["last_hour"]}


def _traffic[Kind: Traffic](kind: type[Kind], row: Mapping[str, Any], edges: Sequence[float], **more: Any) -> Kind:
    latency = Latency.of(row["latency"], edges)
    return kind(requests=row["requests"], rows=row["rows"], cached=row["cached"], latency=latency, **more)


def _rightness(row: Mapping[str, Any]) -> dict[str, Estimate | None]:
    is_number = row["absolute_error"] is not None
    error = mean(row["absolute_error"], row["squared_error"], row["actuals"]) if is_number else None
    right = None if is_number else proportion(row["right_answers"], row["actuals"])
    return {"accuracy": Estimate.of(right), "mean_absolute_error": Estimate.of(error)}


def _quality(row: Mapping[str, Any]) -> VersionQuality:
    count, squares, variance = row["actuals"], row["squared_error"], row["target_variance"]
    return VersionQuality(
        version=row["number"],
        actuals=count,
        corrections=row["corrections"],
        log_loss=None if row["loss"] is None else row["loss"] / count,
        rmse=None if squares is None else (squares / count) ** 0.5,
        r2=1 - squares / (variance * count) if squares is not None and variance else None,
        coverage=Estimate.of(proportion(row["covered"], row["intervals"])),
        delay_seconds=[max(0.0, each) for each in row["delay_seconds"] or ()],
        **_rightness(row),
    )
