"""Hooks as they would be: not opened yet, or with some changes."""

from dataclasses import replace

from api._lib.callers import Caller
from api._lib.errors import RequestInvalid
from api._lib.hook_doors import Door
from api._lib.hook_schemas import HookDraft
from api._lib.store.hooks import Row


def draft(order: HookDraft, caller: Caller) -> Door:
    """Describe a hook that is not there yet."""
    return Door(
        hook_id="",
        owner=caller,
        reference=order.model,
        kind=order.kind,
        mode=order.mode,
        is_enabled=True,
        mapping=order.mapping,
        secrets=(),
        table=order.table,
        key_columns=(),
        markers=(f"{order.prefix}predicted_at",) if order.mode == "write_back" else (),
        prefix=order.prefix,
    )


def changed(known: Row, changes: Row, caller: Caller, *, opened: Row | None = None) -> Door:
    """Describe a hook as it would be after some changes, for its own owner's eyes."""
    row = {"owner_role": None, "secrets": (), "target": None, "markers": (), **known, **(opened or {}), **changes}
    if row["mode"] == "write_back" and not row["target_table"]:
        raise RequestInvalid("The mode write_back needs a table", errors=[("#/table", "needed to write back")])
    return replace(Door.read(row), owner=caller, prefix=row["column_prefix"])
