"""Training runs: ask for one, watch it live, cancel it."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Path, Query, Request, WebSocket
from fastapi.responses import StreamingResponse
from pydantic import ConfigDict, Field

from api._lib import live, run_tickets
from api._lib.app import create_app
from api._lib.auth import Trainer
from api._lib.dataset_schemas import ColumnType
from api._lib.idempotency import IdempotentRoute, identity
from api._lib.openapi import SOMEBODY
from api._lib.problems import problems
from api._lib.run_schemas import Run, Status
from api._lib.schema import Schema, Sent
from api._lib.slugs import SLUG_PATTERN
from api._lib.store import runs as store
from api._lib.store.runs import RUNS
from api._lib.times import Time
from api._lib.uuids import Uuid
from models.contract import Task

router = APIRouter(tags=["runs"], route_class=IdempotentRoute)

RunId = Annotated[Uuid, Path(description="Id of the run")]

Metric = Literal["log_loss", "accuracy", "balanced_accuracy", "f1", "roc_auc", "r2", "rmse", "mae"]
Weight = Annotated[float, Field(gt=0, le=1_000_000)]


class Holdout(Sent):
    """Which rows are kept for judging, where a random fifth would flatter."""

    by: Literal["time", "group"] = Field(description="time: the newest rows; group: whole groups")
    column: str = Field(min_length=1, max_length=500, examples=["date"])
    share: float | None = Field(default=None, ge=0.05, le=0.5, description="Of the rows; 0.2 if absent")


class RunOptions(Sent):
    """How to train. What is absent is chosen."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"time_budget_seconds": 30, "seed": 0}]})

    time_budget_seconds: float | None = Field(default=None, ge=1, le=3600, description="For the search; 30 if absent")
    seed: int | None = Field(default=None, ge=0, le=999_999_999, description="Same data and seed, same model")
    drop: list[str] | None = Field(default=None, max_length=1000, description="Columns to leave out", examples=[["id"]])
    task: Task | None = Field(default=None, description="Found from the target if absent")
    types: dict[str, ColumnType] | None = Field(
        default=None, max_length=1000, description="What columns really are", examples=[{"zip": "category"}]
    )
    metric: Metric | None = Field(default=None, description="What the search optimises; log_loss or r2 if absent")
    class_weights: Literal["balanced"] | dict[str, Weight] | None = Field(
        default=None, description="How much an error on a class counts", examples=["balanced"]
    )
    holdout: Holdout | None = Field(default=None, description="A random fifth if absent")
    workers: int | None = Field(
        default=None, ge=1, le=8, description="How many workers may search together; 1 if absent"
    )


class RunOrder(Sent):
    """A model to be trained."""

    dataset_id: Uuid = Field(description="A dataset that is ready")
    model: str = Field(
        pattern=SLUG_PATTERN,
        description="Slug: a new model, or the next version of one of yours",
        examples=["penguins"],
    )
    target: str = Field(min_length=1, max_length=200, description="The column to predict", examples=["species"])
    title: str = Field(default="", max_length=120, description="Of a new model")
    description: str = Field(default="", max_length=2000, description="Of a new model")
    visibility: Literal["private", "public"] = Field(default="private", description="Of a new model")
    options: RunOptions = Field(default_factory=RunOptions)


class RunList(Schema):
    """Runs, newest first."""

    runs: list[Run]


class RunEvent(Schema):
    """Something that happened in a run."""

    seq: int = Field(description="1, 2, 3 … without gaps")
    at: Time
    kind: str = Field(
        description="queued, running, succeeded, failed, cancelled (the last three end a run), or what the trainer says: "
        "profiled, stage, trial …",
        examples=["trial"],
    )
    data: dict[str, Any] = Field(description="`message` and `progress`, and what belongs to the kind")


class RunEvents(Schema):
    """What happened since, and where the run stands."""

    events: list[RunEvent]
    run: Run


@router.post(
    "/api/runs", status_code=201, responses=problems(400, 401, 403, 404, 409, 422, 503), openapi_extra=SOMEBODY
)
async def create_run(order: RunOrder, caller: Trainer) -> Run:
    """Ask for a training run. A worker takes it up; watch its events. Analysts and admins may."""
    row = {**identity(), **order.model_dump(exclude={"model", "options"})}
    row |= {"model_slug": order.model, "options": order.options.model_dump(exclude_none=True)}
    return Run(**await RUNS.create(row, caller.rights))


@router.get("/api/runs", responses=problems(401, 403, 422, 503), openapi_extra=SOMEBODY)
async def list_runs(
    caller: Trainer,
    model: Annotated[str | None, Query(description="Only runs of this model", pattern=SLUG_PATTERN)] = None,
    status: Annotated[Status | None, Query(description="Only runs in this state")] = None,
    dataset_id: Annotated[Uuid | None, Query(description="Only runs on this dataset")] = None,
    limit: Annotated[int, Query(ge=1, le=100, description="How many at most")] = 50,
    before: Annotated[Uuid | None, Query(description="Only what is older than the run of this id")] = None,
) -> RunList:
    """List your runs, newest first. For the next page pass the last id as `before`."""
    filters = {"model_slug": model, "status": status, "dataset_id": dataset_id}
    wanted = {column: value for column, value in filters.items() if value is not None}
    found = await RUNS.list(caller.rights, limit=limit, before=before, filters=wanted)
    return RunList(runs=[Run(**row) for row in found])


@router.get("/api/runs/{run_id}", responses=problems(401, 403, 404, 422, 503), openapi_extra=SOMEBODY)
async def get_run(run_id: RunId, caller: Trainer) -> Run:
    """Read where a run stands."""
    return Run(**await RUNS.find(run_id, caller.rights))


@router.post("/api/runs/{run_id}/cancel", responses=problems(401, 403, 404, 409, 422, 503), openapi_extra=SOMEBODY)
async def cancel_run(run_id: RunId, caller: Trainer) -> Run:
    """Cancel a queued or running run. A running one stops within seconds; cancelling twice changes nothing."""
    return Run(**await RUNS.cancel(run_id, caller.rights))


@router.post(
    "/api/runs/{run_id}/tickets", status_code=201, responses=problems(401, 403, 404, 422, 503), openapi_extra=SOMEBODY
)
async def create_ticket(run_id: RunId, caller: Trainer) -> run_tickets.RunTicket:
    """Get a ticket that lets a browser watch this run for ten minutes, and nothing else, without your token."""
    await RUNS.find(run_id, caller.rights)
    return run_tickets.issue(run_id)


@router.get(
    "/api/runs/{run_id}/events",
    response_model=RunEvents,
    responses={
        200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}},
        **problems(401, 403, 404, 422, 503),
    },
    openapi_extra=SOMEBODY,
)
async def get_events(
    request: Request,
    run_id: RunId,
    caller: Trainer,
    after: Annotated[int, Query(ge=0, le=2**31 - 1, description="Only events with a higher number")] = 0,
    last_event_id: Annotated[
        int | None, Header(ge=0, le=2**31 - 1, description="What `after` says, from an EventSource")
    ] = None,
) -> Any:
    """Follow a run: ask again with the last `seq` as `after`, or accept `text/event-stream` and stay connected.

    A stream ends after the event that ends the run, and before the platform would cut it: then connect again. The same
    path answers WebSockets: the first message is `{"access_token": "…", "after": 0}`, or a `ticket` instead of the token;
    then each event is one message.
    """
    run = await RUNS.find(run_id, caller.rights)
    after = max(after, last_event_id or 0)
    if "text/event-stream" in request.headers.get("accept", ""):
        stream = live.stream_events(run_id, after, caller.rights)
        return StreamingResponse(stream, media_type="text/event-stream", headers={"cache-control": "no-store"})
    events = await store.list_events(run_id, after, caller.rights)
    return RunEvents(events=[RunEvent(**event) for event in events], run=Run(**run))


@router.websocket("/api/runs/{run_id}/events")
async def follow_events(websocket: WebSocket, run_id: RunId) -> None:
    """Follow a run over a WebSocket."""
    await live.serve_events(websocket, run_id)


app = create_app(router)
