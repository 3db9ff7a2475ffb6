"""Arrow, on terms with a limit of memory.

By itself its allocator sets a gigabyte aside before the first cell, and where the memory of a process is limited
(`api._jobs.trainer`) all of it counts as used. It reads the variable when it is loaded.
"""

import os

os.environ.setdefault("MIMALLOC_ARENA_EAGER_COMMIT", "0")

import pyarrow as pa  # type: ignore[import-untyped]  # it ships no types
import pyarrow.compute as pc  # type: ignore[import-untyped]  # as above
import pyarrow.csv as pa_csv  # type: ignore[import-untyped]  # as above
import pyarrow.parquet as pq  # type: ignore[import-untyped]  # as above

__all__ = ["pa", "pa_csv", "pc", "pq"]
