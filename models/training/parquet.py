"""Parquet files as the same stream of text cells that a CSV file gives."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]  # it ships no types
import pyarrow.parquet as pq  # type: ignore[import-untyped]  # it ships no types

from models.errors import DatasetRejected


def open_parquet(
    file: Path | bytes, name: str, chunk_rows: int
) -> tuple[int, list[str], Callable[[], Iterator[Sequence[Sequence[str]]]]]:
    """Give the unpacked size, the column names and a reader of chunks. Raises DatasetRejected."""

    def opened() -> Any:
        return pq.ParquetFile(pa.BufferReader(file) if isinstance(file, bytes) else file)

    def chunks() -> Iterator[Sequence[Sequence[str]]]:
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
    return size, schema.names, chunks


def _is_plain(kind: pa.DataType) -> bool:
    kinds = pa.types
    if kinds.is_dictionary(kind):
        return _is_plain(kind.value_type)
    return not (kinds.is_nested(kind) or kinds.is_binary(kind) or kinds.is_large_binary(kind))


def _texts(column: pa.Array) -> list[str]:
    """Write every cell as text, a missing one as the empty text."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_float16(column.type):
        column = column.cast(pa.float32())
    texts: list[str] = column.cast(pa.string()).fill_null("").to_pylist()
    return texts


def _damaged(name: str, error: Exception) -> DatasetRejected:
    reason = (str(error).splitlines() or ["unreadable"])[0][:120]
    return DatasetRejected(f"{name} is a damaged Parquet file ({reason}): write it again or export it as CSV")
