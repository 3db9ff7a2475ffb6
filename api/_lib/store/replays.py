"""Replays: rows through two versions of a model, as jobs."""

from api._lib.store.models import has_part, told
from api._lib.store.orders import Orders, Row
from api._lib.upstream import Rights


def _flat(row: Row) -> Row:
    return {**row, "version": (row["version"] or {}).get("number"), "against": (row["against"] or {}).get("number")}


REPLAYS = Orders(
    "replays",
    "replay",
    "id,model_id,dataset_id,rows:row_limit,status,reason,result,created_by,created_at,finished_at,"
    "version:versions!replays_version_id_fkey(number),against:versions!replays_against_id_fkey(number)",
    _flat,
)


async def list_replays(model_id: str, rights: Rights, *, limit: int, before: str | None) -> list[Row]:
    """List the replays of a model, newest first; row security shows them to who has a part in it."""
    if not await has_part(model_id, rights):
        return []
    return await REPLAYS.list(told(rights), limit=limit, before=before, filters={"model_id": model_id})
