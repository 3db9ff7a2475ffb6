"""Datasets: what is known about the tables, and model files, that people bring."""

from typing import Any

from api._lib.errors import NotFound
from api._lib.upstream import Rights, call

Row = dict[str, Any]

TABLE_ROWS = 50_000
"""The most rows that one look at a table brings."""

_PATH = "/rest/v1/datasets"
_FACE = (
    "id,name,filename,kind,object_path,size_bytes,sha256,status,reason,rows,columns,profile_status,profile_reason,"
    "corrections,source,licence,created_at"
)
_REPRESENT = {"prefer": "return=representation"}
_READ_SECONDS = 30.0


async def create_dataset(row: Row, rights: Rights) -> Row:
    """Announce a dataset; its bytes follow. The answer says where they belong."""
    sent = {**row, **rights.actor("owner_id")}
    response = await call("POST", _PATH, rights=rights, params={"select": _FACE}, json=sent, headers=_REPRESENT)
    return dict(response.json()[0])


async def list_datasets(rights: Rights, *, kind: str, limit: int, before: str | None, search: str = "") -> list[Row]:
    """List datasets of one kind, newest first; `search` is a part of their names."""
    params = {"select": _FACE, "kind": f"eq.{kind}", "order": "id.desc", "limit": str(limit), **rights.own("owner_id")}
    if before:
        params["id"] = f"lt.{before}"
    if search:
        params["name"] = f"ilike.%{_as_literal(search)}%"
    return list((await call("GET", _PATH, rights=rights, params=params)).json())


def _as_literal(text: str) -> str:
    r"""Write a text so that a pattern means just that: `%`, `_` and `\` stand for themselves.

    The data API takes `*` for any text before the database sees it, so one character of any kind stands in for it.
    """
    return "".join(f"\\{each}" if each in "\\%_" else each for each in text).replace("*", "_")


async def find_dataset(dataset_id: str, rights: Rights, *, with_profile: bool = False) -> Row:
    """Find one dataset."""
    face = f"{_FACE},profile" if with_profile else _FACE
    params = {"select": face, "id": f"eq.{dataset_id}", **rights.own("owner_id")}
    found = (await call("GET", _PATH, rights=rights, params=params)).json()
    if not found:
        raise NotFound(f"There is no dataset {dataset_id} that you may see")
    return dict(found[0])


async def complete_dataset(dataset_id: str, *, sha256: str, size_bytes: int, rights: Rights) -> Row:
    """Say that the bytes are there; from now on they do not change."""
    return await update_dataset(dataset_id, {"status": "ready", "sha256": sha256, "size_bytes": size_bytes}, rights)


async def update_dataset(dataset_id: str, changes: Row, rights: Rights) -> Row:
    """Change what may change about a dataset of the caller's."""
    params = {"select": _FACE, "id": f"eq.{dataset_id}", **rights.own("owner_id")}
    response = await call("PATCH", _PATH, rights=rights, params=params, json=changes, headers=_REPRESENT)
    changed = response.json()
    if not changed:
        raise NotFound(f"There is no dataset {dataset_id} of yours")
    return dict(changed[0])


async def delete_dataset(dataset_id: str, rights: Rights) -> str | None:
    """Delete a dataset that nothing needs; returns where its bytes were, None where there was none of the caller's."""
    params = {"select": "object_path", "id": f"eq.{dataset_id}", **rights.own("owner_id")}
    response = await call("DELETE", _PATH, rights=rights, params=params, headers=_REPRESENT)
    gone = response.json()
    return str(gone[0]["object_path"]) if gone else None


async def read_table(
    table: str, rights: Rights, *, rows: int, columns: list[str] | None, newest_by: str | None
) -> list[Row]:
    """Read rows of a table or view as the caller may see them; one more than asked for where there are more."""
    sent = {"table_name": table, "row_limit": rows, "column_names": columns, "newest_by": newest_by}
    path = "/rest/v1/rpc/read_table"
    response = await call("POST", path, rights=rights, json=sent, deadline=_READ_SECONDS, is_repeatable=True)
    return list(response.json())
