"""Tables that models are trained on. Their bytes go straight to Storage; functions never carry them."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from api._lib.app import create_app
from api._lib.auth import Trainer
from api._lib.errors import Conflict
from api._lib.idempotency import IdempotentRoute, identity
from api._lib.openapi import SOMEBODY
from api._lib.problems import problems
from api._lib.store import datasets as store
from api._lib.store import files
from api._lib.times import Time
from api._lib.uuids import Uuid

router = APIRouter(tags=["datasets"], route_class=IdempotentRoute)

MAX_DATASET_BYTES = 50 * 1024 * 1024

DatasetId = Annotated[Uuid, Path(description="Id of the dataset")]


class DatasetOrder(BaseModel):
    """A table about to be uploaded."""

    model_config = ConfigDict(extra="forbid")

    filename: str = Field(min_length=1, max_length=120, pattern=r"^[^/\\]+$", examples=["penguins.csv"])
    size_bytes: int = Field(
        ge=1, le=MAX_DATASET_BYTES, description="Size of the file, at most 50 MiB", examples=[15241]
    )
    name: str | None = Field(default=None, min_length=1, max_length=120, description="The filename if absent")
    licence: str | None = Field(default=None, max_length=120, examples=["CC0-1.0"])
    source: str | None = Field(
        default=None, max_length=500, examples=["https://allisonhorst.github.io/palmerpenguins/"]
    )


class Completion(BaseModel):
    """What was uploaded."""

    model_config = ConfigDict(extra="forbid")

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the uploaded bytes, lower-case hexadecimal")


class Dataset(BaseModel):
    """What is known about an uploaded table."""

    id: str
    name: str = Field(examples=["Palmer penguins"])
    filename: str = Field(examples=["penguins.csv"])
    size_bytes: int | None
    sha256: str | None = Field(description="Null until the upload is complete")
    status: Literal["pending", "ready", "failed"]
    reason: str | None = Field(description="Why it failed, in one line")
    rows: int | None = Field(description="Known once a run has read the table")
    columns: int | None = Field(description="Known once a run has read the table")
    profile: dict[str, Any] | None = Field(description="What the columns hold; known once a run has read the table")
    source: str | None
    licence: str | None
    created_at: Time


class DatasetList(BaseModel):
    """Datasets, newest first."""

    datasets: list[Dataset]


class Upload(BaseModel):
    """The request that brings the bytes. Its address is good for two hours."""

    url: str
    method: Literal["PUT"]
    headers: dict[str, str]


class AnnouncedDataset(BaseModel):
    """A dataset and how to send its bytes."""

    dataset: Dataset
    upload: Upload


@router.post("/api/datasets", status_code=201, responses=problems(400, 401, 403, 422, 503), openapi_extra=SOMEBODY)
async def announce_dataset(order: DatasetOrder, caller: Trainer) -> AnnouncedDataset:
    """Announce a table and learn where to PUT its bytes. Then call `complete`. Analysts and admins may."""
    row = {**identity(), **order.model_dump(exclude_none=True), "name": order.name or order.filename}
    made = await store.create_dataset(row, caller.rights)
    url = await files.sign_upload(made["object_path"], caller.rights)
    upload = Upload(url=url, method="PUT", headers={"content-type": "text/csv"})
    return AnnouncedDataset(dataset=Dataset(**made), upload=upload)


@router.get("/api/datasets", responses=problems(401, 403, 422, 503), openapi_extra=SOMEBODY)
async def list_datasets(
    caller: Trainer,
    limit: Annotated[int, Query(ge=1, le=100, description="How many at most")] = 50,
    before: Annotated[Uuid | None, Query(description="Only what is older than the dataset of this id")] = None,
) -> DatasetList:
    """List your datasets, newest first. For the next page pass the last id as `before`."""
    found = await store.list_datasets(caller.rights, limit=limit, before=before)
    return DatasetList(datasets=[Dataset(**row) for row in found])


@router.get("/api/datasets/{dataset_id}", responses=problems(401, 403, 404, 422, 503), openapi_extra=SOMEBODY)
async def get_dataset(dataset_id: DatasetId, caller: Trainer) -> Dataset:
    """Read about one dataset."""
    return Dataset(**await store.find_dataset(dataset_id, caller.rights))


@router.post(
    "/api/datasets/{dataset_id}/complete",
    responses=problems(400, 401, 403, 404, 409, 422, 503),
    openapi_extra=SOMEBODY,
)
async def complete_dataset(dataset_id: DatasetId, completion: Completion, caller: Trainer) -> Dataset:
    """Say that the bytes are there. From now on they do not change, and runs may use them.

    Training checks the SHA-256 before it reads the table. Completing again with the same digest changes nothing.
    """
    known = await store.find_dataset(dataset_id, caller.rights)
    if known["status"] == "ready" and known["sha256"] == completion.sha256:
        return Dataset(**known)
    size = await files.find_upload_size(known["object_path"], caller.rights)
    if size is None:
        raise Conflict("The bytes are not there yet: PUT them to the upload's address first")
    return Dataset(
        **await store.complete_dataset(dataset_id, sha256=completion.sha256, size_bytes=size, rights=caller.rights)
    )


app = create_app(router)
