"""Datasets: what is known about the tables that people upload."""

from typing import Any

from api._lib.errors import NotFound
from api._lib.upstream import Rights, call

Row = dict[str, Any]

_PATH = "/rest/v1/datasets"
_FACE = "id,name,filename,object_path,size_bytes,sha256,status,reason,rows,columns,profile,source,licence,created_at"
_REPRESENT = {"prefer": "return=representation"}


async def create_dataset(row: Row, rights: Rights) -> Row:
    """Announce a dataset; its bytes follow. The answer says where they belong."""
    sent = {**row, **rights.actor("owner_id")}
    response = await call("POST", _PATH, rights=rights, params={"select": _FACE}, json=sent, headers=_REPRESENT)
    return dict(response.json()[0])


async def list_datasets(rights: Rights, *, limit: int, before: str | None) -> list[Row]:
    """List datasets, newest first."""
    params = {"select": _FACE, "order": "id.desc", "limit": str(limit), **rights.own("owner_id")}
    if before:
        params["id"] = f"lt.{before}"
    return list((await call("GET", _PATH, rights=rights, params=params)).json())


async def find_dataset(dataset_id: str, rights: Rights) -> Row:
    """Find one dataset."""
    params = {"select": _FACE, "id": f"eq.{dataset_id}", **rights.own("owner_id")}
    found = (await call("GET", _PATH, rights=rights, params=params)).json()
    if not found:
        raise NotFound(f"There is no dataset {dataset_id} that you may see")
    return dict(found[0])


async def complete_dataset(dataset_id: str, *, sha256: str, size_bytes: int, rights: Rights) -> Row:
    """Say that the bytes are there; from now on they do not change."""
    params = {"select": _FACE, "id": f"eq.{dataset_id}", **rights.own("owner_id")}
    changes = {"status": "ready", "sha256": sha256, "size_bytes": size_bytes}
    response = await call("PATCH", _PATH, rights=rights, params=params, json=changes, headers=_REPRESENT)
    changed = response.json()
    if not changed:
        raise NotFound(f"There is no dataset {dataset_id} of yours")
    return dict(changed[0])
