"""Tables that models are trained on. Uploaded bytes go straight to Storage; functions never carry them."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from api._lib import conditional, snapshots
from api._lib.app import create_app
from api._lib.auth import Trainer
from api._lib.callers import Caller
from api._lib.dataset_schemas import (
    AnnouncedDataset,
    Completion,
    Dataset,
    DatasetChanges,
    DatasetKind,
    DatasetList,
    DatasetOrder,
    DatasetProfile,
    Upload,
    content_type,
)
from api._lib.errors import Conflict, NotAllowed, NotFound, RequestInvalid
from api._lib.idempotency import IdempotentRoute, identity
from api._lib.openapi import SOMEBODY
from api._lib.problems import problems
from api._lib.store import datasets as store
from api._lib.store import files
from api._lib.uuids import Uuid

router = APIRouter(tags=["datasets"], route_class=IdempotentRoute)

DatasetId = Annotated[Uuid, Path(description="Id of the dataset")]

_READ = problems(401, 403, 404, 422, 503)
_WRITE = problems(400, 401, 403, 404, 409, 422, 503)


@router.post("/api/datasets", status_code=201, responses=_WRITE, openapi_extra=SOMEBODY)
async def announce_dataset(order: DatasetOrder, caller: Trainer) -> AnnouncedDataset:
    """Announce a table and learn where to PUT its bytes, then call `complete`; or take rows of a `table` of the database.

    Analysts and admins may. CSV (comma, semicolon, tab or bar) and Parquet are read, each also packed with gzip. A table or
    view is read with your own rights, in one look, at most 50,000 rows; it is a dataset like any other from then on.
    """
    if order.table:
        return AnnouncedDataset(dataset=await _take_snapshot(order, caller), upload=None)
    missing = [name for name in ("filename", "size_bytes") if getattr(order, name) is None]
    if missing:
        raise RequestInvalid(
            "Name filename and size_bytes, or a table", errors=[(f"#/{name}", "is missing") for name in missing]
        )
    made = await store.create_dataset({**identity(), **order.row()}, caller.rights)
    url = await files.sign_upload(made["object_path"], caller.rights)
    upload = Upload(url=url, method="PUT", headers={"content-type": content_type(made["filename"])})
    return AnnouncedDataset(dataset=Dataset(**made), upload=upload)


@router.get("/api/datasets", responses=problems(401, 403, 422, 503), openapi_extra=SOMEBODY)
async def list_datasets(
    caller: Trainer,
    limit: Annotated[int, Query(ge=1, le=100, description="How many at most")] = 50,
    before: Annotated[Uuid | None, Query(description="Only what is older than the dataset of this id")] = None,
    kind: Annotated[DatasetKind, Query(description="Tables, or model files that were brought")] = "table",
    search: Annotated[str, Query(max_length=120, description="Only those whose name holds this, in any case")] = "",
) -> DatasetList:
    """List your datasets, newest first. For the next page pass the last id as `before`."""
    found = await store.list_datasets(caller.rights, kind=kind, limit=limit, before=before, search=search.strip())
    return DatasetList(datasets=[Dataset(**row) for row in found])


@router.get("/api/datasets/{dataset_id}", responses=_READ, openapi_extra=SOMEBODY)
async def get_dataset(dataset_id: DatasetId, caller: Trainer) -> Dataset:
    """Read about one dataset."""
    return Dataset(**await store.find_dataset(dataset_id, caller.rights))


@router.get(
    "/api/datasets/{dataset_id}/profile", responses=_READ, response_model=DatasetProfile, openapi_extra=SOMEBODY
)
async def get_profile(request: Request, dataset_id: DatasetId, caller: Trainer) -> Response:
    """Read what the columns hold, with the evidence and what is doubtful. A job finds it out; ask again while it is queued."""
    row = await store.find_dataset(dataset_id, caller.rights, with_profile=True)
    found = DatasetProfile(
        status=row["profile_status"],
        reason=row["profile_reason"],
        profile=row["profile"],
        corrections=row["corrections"],
    )
    content = found.model_dump_json().encode()
    return conditional.answer_json(request, content, cache_control="private, max-age=0, must-revalidate")


@router.patch("/api/datasets/{dataset_id}", responses=_WRITE, openapi_extra=SOMEBODY)
async def update_dataset(dataset_id: DatasetId, changes: DatasetChanges, caller: Trainer) -> Dataset:
    """Rename a dataset, or say what a column really is and which ones to leave out.

    `types` and `drop` replace what was said before. The file stays as it was uploaded; a new profile is made, and runs
    go by the corrections unless they say otherwise.
    """
    wanted = changes.model_dump(exclude_unset=True)
    if not wanted:
        raise RequestInvalid("Name at least one of name, source, licence, types and drop")
    if "types" in wanted or "drop" in wanted:
        known = await store.find_dataset(dataset_id, caller.rights, with_profile=True)
        changes.check_columns(known["profile"])
        said = {key: wanted.pop(key) for key in ("types", "drop") if key in wanted}
        wanted["corrections"] = {**known["corrections"], **said}
    return Dataset(**await store.update_dataset(dataset_id, wanted, caller.rights))


@router.delete(
    "/api/datasets/{dataset_id}",
    status_code=204,
    responses=problems(401, 403, 404, 409, 422, 503),
    openapi_extra=SOMEBODY,
)
async def delete_dataset(dataset_id: DatasetId, caller: Trainer) -> None:
    """Delete a dataset and its bytes. One that a run, batch or replay is using stays; models trained on it do."""
    path = await store.delete_dataset(dataset_id, caller.rights)
    if path is None:
        raise NotFound(f"There is no dataset {dataset_id} of yours")
    await files.remove_upload(path, caller.rights)


@router.post("/api/datasets/{dataset_id}/complete", responses=_WRITE, openapi_extra=SOMEBODY)
async def complete_dataset(dataset_id: DatasetId, completion: Completion, caller: Trainer) -> Dataset:
    """Say that the bytes are there. From now on they do not change, runs may use them, and a profile is made.

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


async def _take_snapshot(order: DatasetOrder, caller: Caller) -> Dataset:
    if caller.kind == "key":
        raise NotAllowed("A table is read with the rights of a person: sign in instead of using an API key")
    if order.filename is not None or order.size_bytes is not None or order.kind != "table":
        raise RequestInvalid("A table has no file", errors=[("#/table", "goes without filename, size_bytes and kind")])
    return Dataset(**await snapshots.take(order, caller.rights))


app = create_app(router)
