"""Rows of a table or view of the database, kept as a dataset.

They are read as whoever asks: with their own token, so that grants and row security decide, and never with the secret key.
"""

import csv
import hashlib
import io
import json
from collections.abc import Sequence
from typing import Any

from api._lib.dataset_schemas import MAX_DATASET_BYTES, DatasetOrder
from api._lib.errors import RequestInvalid
from api._lib.idempotency import identity
from api._lib.store import datasets, files
from api._lib.store.datasets import Row
from api._lib.upstream import Rights


async def take(order: DatasetOrder, rights: Rights) -> Row:
    """Read the rows, keep them as a CSV, and return the dataset: complete, its profile on the way."""
    assert order.table is not None
    rows = await datasets.read_table(
        order.table, rights, rows=order.rows, columns=order.columns, newest_by=order.newest_by
    )
    is_capped = len(rows) > order.rows
    rows = rows[: order.rows]
    if not rows:
        raise RequestInvalid(f"{order.table} has no rows that you may read", errors=[("#/table", "is empty for you")])
    content = write_csv(rows)
    if len(content) > MAX_DATASET_BYTES:
        detail = f"{len(rows)} rows are {len(content) / 1e6:.0f} MB; the limit is 50 MiB: ask for fewer rows or columns"
        raise RequestInvalid(detail, errors=[("#/rows", "are too many")])
    row: Row = {**identity(), "name": order.name or order.table, "filename": f"{order.table.replace('/', '_')}.csv"}
    row |= {"source": order.source or _source(order, len(rows), is_capped=is_capped), "size_bytes": len(content)}
    row |= {"licence": order.licence} if order.licence else {}
    made = await datasets.create_dataset(row, rights)
    await files.upload(made["object_path"], content, rights)
    sha256 = hashlib.sha256(content).hexdigest()
    return await datasets.complete_dataset(made["id"], sha256=sha256, size_bytes=len(content), rights=rights)


def write_csv(rows: Sequence[Row]) -> bytes:
    """Write rows as CSV: nothing for null, `true` and `false`, JSON for what is no single value."""
    names = list(rows[0])
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([_cell(row[name]) for name in names] for row in rows)
    return text.getvalue().encode()


def _cell(value: Any) -> Any:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case dict() | list():
            return json.dumps(value, ensure_ascii=False)
        case _:
            return value


def _source(order: DatasetOrder, count: int, *, is_capped: bool) -> str:
    newest = f", newest by {order.newest_by}" if order.newest_by else ""
    return f"table {order.table}, the first {count:,} rows{newest}" if is_capped else f"table {order.table}, all rows"
