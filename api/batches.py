"""Batches: a whole dataset through a model, in the background; what comes out is a CSV with the predictions beside."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request
from pydantic import Field

from api._lib import registry
from api._lib.app import create_app
from api._lib.auth import Trainer
from api._lib.bodies import CSV_TYPES
from api._lib.callers import Caller
from api._lib.errors import Conflict, MediaTypeUnsupported, RequestInvalid, Unavailable
from api._lib.idempotency import IdempotentRoute, identity
from api._lib.openapi import SOMEBODY
from api._lib.problems import problems
from api._lib.schema import Schema, Sent
from api._lib.store import datasets, files
from api._lib.store.batches import BATCHES
from api._lib.times import Time
from api._lib.uuids import Uuid

router = APIRouter(tags=["batches"], route_class=IdempotentRoute)

RESULT_SECONDS = 3600
_FILENAME = r"^[^/\\\x00-\x1f\x7f-\x9f]*[A-Za-z0-9][^/\\\x00-\x1f\x7f-\x9f]*$"
_CSV_BODY = {
    "required": True,
    "content": {"text/csv": {"schema": {"type": "string"}, "example": "bill_length_mm,island\n39.1,Torgersen\n"}},
}

BatchId = Annotated[Uuid, Path(description="Id of the batch")]
Status = Literal["queued", "running", "succeeded", "failed", "cancelled"]


class BatchOrder(Sent):
    """A dataset to be scored."""

    dataset_id: Uuid = Field(description="A dataset that is ready. Its target column may be there or not")
    model: str = Field(
        max_length=100,
        description="Slug of a model; `@alias` or `@number` chooses a version, the champion scores otherwise. A promotion "
        "in the middle of a batch changes nothing",
        examples=["penguins", "penguins@challenger", "penguins@3"],
    )


class Batch(Schema):
    """One batch."""

    id: str
    dataset_id: str | None = Field(description="Null once the dataset is deleted")
    model: str | None = Field(description="Slug; null where the model is not yours to see any more")
    version: int | None = Field(description="Number of the version that scores")
    status: Status
    reason: str | None = Field(description="Why it failed, or why it waits again, in one line")
    progress: float = Field(description="0 to 1")
    rows_total: int | None = Field(description="Known once a worker has read the table")
    rows_done: int
    rows_failed: int = Field(description="Rows that the model cannot read; the result's column `error` says why")
    attempt: int = Field(description="How often a worker took it up")
    result_bytes: int | None = Field(description="Size of the result, once it is there")
    created_at: Time
    started_at: Time | None
    finished_at: Time | None


class BatchList(Schema):
    """Batches, newest first."""

    batches: list[Batch]


class Result(Schema):
    """Where the result lies."""

    url: str = Field(description="Good for an hour, for whoever has it")
    filename: str = Field(examples=["penguins-1-0192f0c1.csv"])
    size_bytes: int
    sha256: str
    expires_at: Time


@router.post(
    "/api/batches", status_code=201, responses=problems(400, 401, 403, 404, 409, 422, 503), openapi_extra=SOMEBODY
)
async def create_batch(order: BatchOrder, caller: Trainer) -> Batch:
    """Ask for a dataset to be scored, however large. Upload it with `POST /api/datasets` first.

    A worker takes the batch up; ask for its progress, then for its result. Columns that the model does not know are
    carried along; a row whose cells cannot be read gets an error instead of a prediction.
    """
    return await _create(order.dataset_id, await registry.resolve(order.model, caller), caller)


@router.post(
    "/api/batches/csv",
    status_code=201,
    responses=problems(400, 401, 403, 404, 409, 413, 415, 422, 503),
    openapi_extra={"requestBody": _CSV_BODY, **SOMEBODY},
)
async def create_batch_of_csv(
    request: Request,
    caller: Trainer,
    model: Annotated[str, Query(max_length=100, description="Slug of a model, as in an order", examples=["penguins"])],
    filename: Annotated[
        str, Query(max_length=120, pattern=_FILENAME, description="What to call the table", examples=["may.csv"])
    ] = "rows.csv",
) -> Batch:
    """Ask for the CSV in the body to be scored, in one call: it becomes a dataset, and a batch of it.

    For tables that fit into a request (4.5 MB). Larger ones go as a dataset first.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in CSV_TYPES:
        raise MediaTypeUnsupported("Send the table as text/csv")
    content = await request.body()
    if not content.strip():
        raise RequestInvalid("The body is empty: send a CSV with a header line")
    found = await registry.resolve(model, caller)
    row = {"name": filename, "filename": filename, "size_bytes": len(content)}
    dataset = await datasets.create_dataset(row, caller.rights)
    await files.upload(dataset["object_path"], content, caller.rights)
    digest = hashlib.sha256(content).hexdigest()
    await datasets.complete_dataset(dataset["id"], sha256=digest, size_bytes=len(content), rights=caller.rights)
    return await _create(dataset["id"], found, caller)


@router.get("/api/batches", responses=problems(401, 403, 422, 503), openapi_extra=SOMEBODY)
async def list_batches(
    caller: Trainer,
    limit: Annotated[int, Query(ge=1, le=100, description="How many at most")] = 50,
    before: Annotated[Uuid | None, Query(description="Only what is older than the batch of this id")] = None,
) -> BatchList:
    """List your batches, newest first. For the next page pass the last id as `before`."""
    found = await BATCHES.list(caller.rights, limit=limit, before=before)
    return BatchList(batches=[Batch(**row) for row in found])


@router.get("/api/batches/{batch_id}", responses=problems(401, 403, 404, 422, 503), openapi_extra=SOMEBODY)
async def get_batch(batch_id: BatchId, caller: Trainer) -> Batch:
    """Read how far a batch is."""
    return Batch(**await BATCHES.find(batch_id, caller.rights))


@router.post("/api/batches/{batch_id}/cancel", responses=problems(401, 403, 404, 409, 422, 503), openapi_extra=SOMEBODY)
async def cancel_batch(batch_id: BatchId, caller: Trainer) -> Batch:
    """Cancel a queued or running batch. A running one stops within seconds; cancelling twice changes nothing."""
    return Batch(**await BATCHES.cancel(batch_id, caller.rights))


@router.get("/api/batches/{batch_id}/result", responses=problems(401, 403, 404, 409, 422, 503), openapi_extra=SOMEBODY)
async def get_result(batch_id: BatchId, caller: Trainer) -> Result:
    """Get an address from which the result can be downloaded for an hour.

    It is a CSV: the dataset's columns, then `prediction`, a column per class or the ends of the interval, then `error`.
    Texts that a spreadsheet would run carry an apostrophe in front. A result above 50 MB is packed with gzip (`.csv.gz`).
    """
    row = await BATCHES.find(batch_id, caller.rights)
    if row["status"] != "succeeded":
        raise Conflict(f"The batch has no result: it is {row['status']}")
    ending = ".csv.gz" if row["result_path"].endswith(".gz") else ".csv"
    filename = f"{row['model'] or 'result'}-{row['version'] or 0}-{batch_id[:13]}{ending}"
    return Result(
        url=await files.sign_download(row["result_path"], filename, seconds=RESULT_SECONDS),
        filename=filename,
        size_bytes=row["result_bytes"],
        sha256=row["result_sha256"],
        expires_at=datetime.now(UTC) + timedelta(seconds=RESULT_SECONDS),
    )


async def _create(dataset_id: str, found: registry.Found, caller: Caller) -> Batch:
    if not found.version.id:
        raise Unavailable("The database does not answer at the moment")
    row = {**identity(), "dataset_id": dataset_id, "version_id": found.version.id}
    return Batch(**await BATCHES.create(row, caller.rights))


app = create_app(router)
