"""Rows that ask for work (runs, batches, replays): inserted, listed, found and cancelled in one way.

The database checks who may ask for what, and defers the job in the transaction of the insert.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from api._lib.errors import NotFound
from api._lib.upstream import Rights, call

Row = dict[str, Any]


class Orders(NamedTuple):
    """One table of such rows, and how its rows are read."""

    table: str
    noun: str
    face: str
    flat: Callable[[Row], Row] = lambda row: row
    """Turns a row as the data API gives it into the one that the API shows."""

    async def create(self, row: Row, rights: Rights) -> Row:
        """Ask for work."""
        sent = {**row, **rights.actor("created_by")}
        headers = {"prefer": "return=representation"}
        response = await call("POST", self._path, rights=rights, params={"select": "id"}, json=sent, headers=headers)
        return await self.find(response.json()[0]["id"], rights)

    async def list(
        self, rights: Rights, *, limit: int, before: str | None, filters: Mapping[str, str] | None = None
    ) -> list[Row]:
        """List rows, newest first; filters are columns and the values they must have."""
        params = {"select": self.face, "order": "id.desc", "limit": str(limit), **rights.own("created_by")}
        params |= {column: f"eq.{value}" for column, value in (filters or {}).items()}
        if before:
            params["id"] = f"lt.{before}"
        return [self.flat(row) for row in (await call("GET", self._path, rights=rights, params=params)).json()]

    async def find(self, row_id: str, rights: Rights) -> Row:
        """Find one row."""
        params = {"select": self.face, "id": f"eq.{row_id}", **rights.own("created_by")}
        found = (await call("GET", self._path, rights=rights, params=params)).json()
        if not found:
            raise NotFound(f"There is no {self.noun} {row_id} that you may see")
        return self.flat(found[0])

    async def cancel(self, row_id: str, rights: Rights) -> Row:
        """Cancel what is queued or running."""
        sent = {f"{self.noun}_id": row_id, **rights.actor("actor")}
        await call("POST", f"/rest/v1/rpc/cancel_{self.noun}", rights=rights, json=sent)
        return await self.find(row_id, rights)

    @property
    def _path(self) -> str:
        return f"/rest/v1/{self.table}"
