"""Training runs and what happened in them."""

from api._lib.store.orders import Orders, Row
from api._lib.upstream import SERVICE, Rights, call

EVENTS_PER_CALL = 500


def _flat(row: Row) -> Row:
    version = row["version"]
    return {**row, "version": version["number"] if version else None}


RUNS = Orders(
    "runs",
    "run",
    "id,kind,dataset_id,model:model_slug,title,description,target,options,visibility,status,reason,progress,message,attempt,"
    "heartbeat_at,last_seq,created_at,started_at,finished_at,version:versions!runs_version_id_fkey(number)",
    _flat,
)


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
