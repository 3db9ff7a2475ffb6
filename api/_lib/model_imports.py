"""Bring your own model: an ONNX file that was trained elsewhere becomes a version, or is refused with the reason."""

from fastapi import APIRouter

from api._lib.auth import Trainer
from api._lib.idempotency import IdempotentRoute, identity
from api._lib.import_schemas import ImportOrder
from api._lib.openapi import SOMEBODY
from api._lib.problems import problems
from api._lib.run_schemas import Run
from api._lib.store.runs import RUNS

router = APIRouter(tags=["models"], route_class=IdempotentRoute)


@router.post(
    "/api/models/import",
    status_code=201,
    responses=problems(400, 401, 403, 404, 409, 422, 503),
    openapi_extra=SOMEBODY,
)
async def import_model(order: ImportOrder, caller: Trainer) -> Run:
    """Let an ONNX file that was trained elsewhere become a version: bring your own model.

    Upload it first as a dataset of kind `model`, at most 50 MB. A worker opens it in a process of its own, refuses what is not
    plain computation, compares two runtimes on your examples and on rows around them, and makes it the challenger; or
    the run fails with the reason. Watch it like any run.
    """
    return Run(**await RUNS.create({**identity(), **order.row()}, caller.rights))
