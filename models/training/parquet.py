"""Parquet files as the same stream of text cells that a CSV file gives."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from models.errors import DatasetRejected
from models.training.arrow import pa, pq


def open_parquet(
    file: Path | bytes, name: str, chunk_rows: int
) -> tuple[int, list[str], Callable[[], Iterator[list[pa.Array]]]]:
    """Give the unpacked size, the column names and a reader of chunks of columns. Raises DatasetRejected."""

    def opened() -> Any:
        return pq.ParquetFile(pa.BufferReader(file) if isinstance(file, bytes) else file)

    def arrays() -> Iterator[list[pa.Array]]:
        try:
            with opened() as table:
                for batch in table.iter_batches(chunk_rows):
                    yield [_texts(column) for column in batch.columns]
        except (pa.ArrowException, OSError) as error:
            raise _damaged(name, error) from None

    try:
        with opened() as table:
            schema, facts = table.schema_arrow, table.metadata
    except (pa.ArrowException, OSError) as error:
        raise _damaged(name, error) from None
    for field in schema:
        if not _is_plain(field.type):
            raise DatasetRejected(
                f"{name}: column {field.name!r} holds {field.type}, not one value per row: leave it out or take it apart"
            )
    if facts.num_rows == 0:
        raise DatasetRejected(f"{name} has column names but no rows: add rows")
    size = sum(facts.row_group(group).total_byte_size for group in range(facts.num_row_groups))
    return size, schema.names, arrays


def _is_plain(kind: pa.DataType) -> bool:
    kinds = pa.types
    if kinds.is_dictionary(kind):
        return _is_plain(kind.value_type)
    return not (kinds.is_nested(kind) or kinds.is_binary(kind) or kinds.is_large_binary(kind))


def _texts(column: pa.Array) -> pa.Array:
    """Write every cell as text, a missing one as the empty text."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_float16(column.type):
        column = column.cast(pa.float32())
    return column.cast(pa.string()).cast(pa.large_string()).fill_null("")


def _damaged(name: str, error: Exception) -> DatasetRejected:
    reason = (str(error).splitlines() or ["unreadable"])[0][:120]
    return DatasetRejected(f"{name} is a damaged Parquet file ({reason}): write it again or export it as CSV")
