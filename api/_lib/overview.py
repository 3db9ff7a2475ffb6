"""All models of a caller in one look: how much they are asked, how fast and how well they answer, whether one has drifted."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import Field

from api._lib.auth import Somebody
from api._lib.figures import mean, proportion
from api._lib.late import LateRoute
from api._lib.monitoring_schemas import Estimate, Latency
from api._lib.openapi import SOMEBODY
from api._lib.problems import problems
from api._lib.schema import Schema
from api._lib.store import monitoring as store
from api._lib.times import Time

router = APIRouter(tags=["metrics"], route_class=LateRoute)

Span = Literal["24h", "7d", "30d"]
_HOURS: dict[str, tuple[int, int]] = {"24h": (24, 1), "7d": (168, 6), "30d": (720, 24)}
"""Of each span: how many hours it has, and how many of them make a step."""

DriftState = Literal["drifted", "moved", "stable", "not_enough_data"]
_WORST_FIRST: tuple[DriftState, ...] = ("drifted", "moved", "stable", "not_enough_data")


class Step(Schema):
    """Answered requests of one step of time. A step in which nothing was asked is not listed."""

    at: Time
    requests: int


class ModelHealth(Schema):
    """How one model stands."""

    model: str = Field(examples=["penguins"])
    title: str
    requests: int = Field(description="Answered")
    rows: int
    cached: int = Field(description="Of the answered requests, those that a cache answered")
    refused: int = Field(description="Requests that were not answered with a prediction, whoever's fault it was")
    failed: int = Field(description="Of these, those that were ours to answer: status 500 and above")
    latency: Latency | None = Field(description="Null where nothing was asked")
    series: list[Step]
    drift: DriftState | None = Field(description="Of the champion's features, the worst; null: not compared yet")
    drifted: list[str | None] = Field(description="Features whose alarm is on; null stands for the prediction")
    actuals: int = Field(description="Predictions of this span whose truth is known")
    accuracy: Estimate | None = Field(description="Of classes, from actuals")
    mean_absolute_error: Estimate | None = Field(description="Of numbers, from actuals")


class Overview(Schema):
    """How all models stand that you have a part in, between two times."""

    since: Time
    until: Time
    step_hours: int
    models: list[ModelHealth]


@router.get("/api/overview", responses=problems(401, 403, 422, 503), openapi_extra=SOMEBODY)
async def get_overview(caller: Somebody, span: Annotated[Span, Query(description="How far back")] = "24h") -> Overview:
    """Read how all models in use stand that you have a part in; admins see every one.

    An API key needs another scope than `feedback`, as for all metrics; one that was made for a model is told of that one.
    """
    hours, step = _HOURS[span]
    until = datetime.now(UTC)
    since = (until - timedelta(hours=hours)).replace(minute=0, second=0, microsecond=0)
    counted = await store.read_health(since, until, step, caller.rights)
    rows = [row for row in counted["models"] if caller.model_slug in {"", row["slug"]}]
    models = [_health(row, counted["edges_ms"]) for row in rows]
    return Overview(since=since, until=until, step_hours=step, models=models)


def _health(row: dict[str, Any], edges: list[float]) -> ModelHealth:
    states = {each["state"] for each in row["drift"]}
    is_number = row["task"] == "regression"
    right = None if is_number else proportion(row["right_answers"], row["actuals"])
    error = mean(row["absolute_error"], row["squared_error"], row["errors"]) if is_number and row["errors"] else None
    return ModelHealth(
        model=row["slug"],
        **{
            name: row[name]
            for name in ("title", "requests", "rows", "cached", "refused", "failed", "series", "actuals")
        },
        latency=Latency.of(row["latency"], edges),
        drift=next((state for state in _WORST_FIRST if state in states), None),
        drifted=[each["feature"] or None for each in row["drift"] if each["state"] == "drifted"],
        accuracy=Estimate.of(right),
        mean_absolute_error=Estimate.of(error),
    )
