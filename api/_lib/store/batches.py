"""Batches: datasets that are scored by a version, as jobs."""

from typing import Any

from api._lib.errors import NotFound
from api._lib.upstream import Rights, call

Row = dict[str, Any]

_PATH = "/rest/v1/batches"
_FACE = (
    "id,dataset_id,status,reason,progress,rows_total,rows_done,rows_failed,attempt,result_path,result_bytes,result_sha256,"
    "created_at,started_at,finished_at,version:versions!batches_version_id_fkey(number,models!versions_model_id_fkey(slug))"
)


async def create_batch(row: Row, rights: Rights) -> Row:
    """Ask for a batch. The database checks who may and defers the job in the same transaction."""
    sent = {**row, **rights.actor("created_by")}
    headers = {"prefer": "return=representation"}
    response = await call("POST", _PATH, rights=rights, params={"select": "id"}, json=sent, headers=headers)
    return await find_batch(response.json()[0]["id"], rights)


async def list_batches(rights: Rights, *, limit: int, before: str | None) -> list[Row]:
    """List batches, newest first."""
    params = {"select": _FACE, "order": "id.desc", "limit": str(limit), **rights.own("created_by")}
    if before:
        params["id"] = f"lt.{before}"
    return [_flat(row) for row in (await call("GET", _PATH, rights=rights, params=params)).json()]


async def find_batch(batch_id: str, rights: Rights) -> Row:
    """Find one batch."""
    params = {"select": _FACE, "id": f"eq.{batch_id}", **rights.own("created_by")}
    found = (await call("GET", _PATH, rights=rights, params=params)).json()
    if not found:
        raise NotFound(f"There is no batch {batch_id} that you may see")
    return _flat(found[0])


async def cancel_batch(batch_id: str, rights: Rights) -> Row:
    """Cancel a queued or running batch."""
    sent = {"batch_id": batch_id, **rights.actor("actor")}
    await call("POST", "/rest/v1/rpc/cancel_batch", rights=rights, json=sent)
    return await find_batch(batch_id, rights)


def _flat(row: Row) -> Row:
    version = row["version"] or {"number": None, "models": None}
    return {**row, "version": version["number"], "model": (version["models"] or {}).get("slug")}
