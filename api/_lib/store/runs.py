"""Training runs and what happened in them."""

from typing import Any

from api._lib.errors import NotFound
from api._lib.upstream import SERVICE, Rights, call

Row = dict[str, Any]

_PATH = "/rest/v1/runs"
_FACE = (
    "id,dataset_id,model:model_slug,title,description,target,options,visibility,status,reason,progress,message,attempt,"
    "last_seq,created_at,started_at,finished_at,version:versions!runs_version_id_fkey(number)"
)
EVENTS_PER_CALL = 500


async def create_run(row: Row, rights: Rights) -> Row:
    """Ask for a training run. The database checks the options and defers the job in the same transaction."""
    sent = {**row, **rights.actor("created_by")}
    headers = {"prefer": "return=representation"}
    response = await call("POST", _PATH, rights=rights, params={"select": "id"}, json=sent, headers=headers)
    return await find_run(response.json()[0]["id"], rights)


async def list_runs(rights: Rights, *, limit: int, before: str | None, filters: Row) -> list[Row]:
    """List runs, newest first; filters are columns and the values they must have."""
    params = {"select": _FACE, "order": "id.desc", "limit": str(limit), **rights.own("created_by")}
    params |= {column: f"eq.{value}" for column, value in filters.items()}
    if before:
        params["id"] = f"lt.{before}"
    return [_flat(row) for row in (await call("GET", _PATH, rights=rights, params=params)).json()]


async def find_run(run_id: str, rights: Rights) -> Row:
    """Find one run."""
    params = {"select": _FACE, "id": f"eq.{run_id}", **rights.own("created_by")}
    found = (await call("GET", _PATH, rights=rights, params=params)).json()
    if not found:
        raise NotFound(f"There is no run {run_id} that you may see")
    return _flat(found[0])


async def cancel_run(run_id: str, rights: Rights) -> Row:
    """Cancel a queued or running run."""
    sent = {"run_id": run_id, **rights.actor("actor")}
    await call("POST", "/rest/v1/rpc/cancel_run", rights=rights, json=sent)
    return await find_run(run_id, rights)


async def list_events(run_id: str, after: int, rights: Rights) -> list[Row]:
    """List the events of a run that the caller was told of, in their order, from behind `after`."""
    params = {
        "select": "seq,at,kind,data",
        "run_id": f"eq.{run_id}",
        "seq": f"gt.{after}",
        "order": "seq",
        "limit": str(EVENTS_PER_CALL),
    }
    told = SERVICE if rights.is_service else rights
    return list((await call("GET", "/rest/v1/run_events", rights=told, params=params)).json())


def _flat(row: Row) -> Row:
    version = row["version"]
    return {**row, "version": version["number"] if version else None}
