"""Counts as Prometheus reads them (text format 0.0.4). They come from the store, so any instance tells the whole."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_COUNTERS = (
    ("rowcast_requests_total", "Answered requests for predictions.", "requests"),
    ("rowcast_rows_total", "Rows predicted.", "rows"),
    ("rowcast_cached_requests_total", "Answered requests that a cache answered.", "cached"),
)
_HISTOGRAM = "rowcast_request_duration_seconds"


def write(totals: Sequence[Mapping[str, Any]], edges_ms: Sequence[float]) -> str:
    """Write what was counted by model, version and source."""
    lines: list[str] = []
    for name, meaning, column in _COUNTERS:
        lines += _head(name, meaning, "counter")
        lines += [f"{name}{{{_labels(row)}}} {row[column]}" for row in totals]
    lines += _head(_HISTOGRAM, "Time that requests took inside the function.", "histogram")
    for row in totals:
        lines += _histogram(row, edges_ms)
    return "\n".join(lines) + "\n"


def _head(name: str, meaning: str, kind: str) -> tuple[str, str]:
    return f"# HELP {name} {meaning}", f"# TYPE {name} {kind}"


def _labels(row: Mapping[str, Any]) -> str:
    return f'model="{row["slug"]}",version="{row["number"]}",source="{row["source"]}"'


def _histogram(row: Mapping[str, Any], edges_ms: Sequence[float]) -> Iterable[str]:
    labels, passed = _labels(row), 0
    # A latency counted in a bucket is below its upper edge; the last bucket has none.
    for edge, count in zip(edges_ms, row["latency"], strict=False):
        passed += count
        yield f'{_HISTOGRAM}_bucket{{{labels},le="{edge / 1e3:g}"}} {passed}'
    measured = sum(row["latency"])
    yield f'{_HISTOGRAM}_bucket{{{labels},le="+Inf"}} {measured}'
    yield f"{_HISTOGRAM}_sum{{{labels}}} {row['total_ms'] / 1e3:.6f}"
    yield f"{_HISTOGRAM}_count{{{labels}}} {measured}"
