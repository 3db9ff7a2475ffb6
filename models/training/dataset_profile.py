"""The profile of a data set: what its columns are and what is doubtful about them, before anybody trains.

The file is read once, as a stream; what needs single rows (quantiles, histograms, suspicions) rests on a fair sample of
them. The verdict on a column is the one that training will come to.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.dates import date_text
from models.errors import DatasetRejected
from models.training.column_stats import ColumnStats
from models.training.corrections import check_corrections, choices
from models.training.facts import Facts, cell_text
from models.training.kinds import judge
from models.training.likely_targets import likely_targets
from models.training.number_cells import values_of
from models.training.sketch import Distinct, RowSample, hashes_of_rows
from models.training.source import Source, open_source
from models.training.suspicions import Suspect, Warned, suspicions
from models.training.verdict import Note, Verdict

FORMAT_VERSION = 1
SAMPLED_ROWS = 50_000
PREVIEW_ROWS = 20
TOP_VALUES = 10
QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
BINS = 20

_FEW_ROWS = 200
_MANY_DUPLICATES = 0.01
_NUMERIC = {"number", "integer", "date"}
_SERIOUS = ("leakage_suspect", "leakage_name", "target_shift", "tiny_class", "imbalance", "duplicates", "few_rows")


@dataclass(frozen=True)
class _Column:
    """One column as the stream left it."""

    stats: ColumnStats
    facts: Facts
    verdict: Verdict
    detected: Verdict
    cells: Sequence[str]  # of the sampled rows
    dropped: bool


def profile_file(
    path: Path,
    *,
    name: str | None = None,
    types: Mapping[str, str] | None = None,
    drop: Sequence[str] = (),
    target: str | None = None,
) -> dict[str, Any]:
    """Profile a CSV or Parquet file, plain or gzip, as JSON-able facts.

    Args:
        path: The file.
        name: What to call it in messages; by default its own name.
        types: Corrections: what a person says that some columns are.
        drop: Columns that a person leaves out.
        target: The column to predict, for the warnings that need one.

    Raises:
        DatasetRejected: the file is no table, or a correction cannot be followed.
    """
    source = open_source(path, name or path.name)
    check_corrections(types or {}, drop, source.names)
    if target is not None and target not in source.names:
        raise DatasetRejected(f"there is no column named {target!r} to predict")
    columns, rows, copies, sample_rows = _streamed(source, types or {}, drop)
    warnings = _of_all_rows(rows, copies)
    warnings += [("encoding", None, text) for text in source.warnings]
    warnings += [(note.code, one.facts.name, _sentence(one, note)) for one in columns for note in one.verdict.notes]
    suspects = [Suspect(one.facts.name, one.verdict, one.cells) for one in columns]
    if target is not None:
        warnings += suspicions(suspects, target)
    ranked = sorted(warnings, key=lambda one: _SERIOUS.index(one[0]) if one[0] in _SERIOUS else len(_SERIOUS))
    return {
        "format_version": FORMAT_VERSION,
        "name": source.name,
        "sha256": source.sha256,
        "format": source.format,
        "bytes": source.size,
        "rows": rows,
        "sampled_rows": sample_rows,
        "target": target,
        "targets": [] if target else likely_targets([one for one in suspects if one.name not in drop]),
        "columns": [_described(one, rows, sample_rows) for one in columns],
        "warnings": [{"code": code, "column": column, "detail": detail} for code, column, detail in ranked],
        "preview": [
            [cell if cell_text(cell) else None for cell in row]
            for row in zip(*(one.cells[:PREVIEW_ROWS] for one in columns), strict=True)
        ],
    }


def _of_all_rows(rows: int, copies: int) -> list[Warned]:
    """Say what the number of rows, and of rows that repeat another, means for the scores."""
    warnings: list[Warned] = []
    if rows < _FEW_ROWS:
        warnings.append(("few_rows", None, f"There are only {rows} rows: scores will be uncertain."))
    if copies > _MANY_DUPLICATES * rows:
        warnings.append(("duplicates", None, f"{copies} of {rows} rows repeat another row: scores will flatter."))
    return warnings


def _streamed(source: Source, types: Mapping[str, str], drop: Sequence[str]) -> tuple[list[_Column], int, int, int]:
    """Read the file once; give its columns, its rows, how many repeat another one, and how many were sampled."""
    stats = [ColumnStats(name) for name in source.names]
    sample, distinct, rows = RowSample(SAMPLED_ROWS), Distinct(), 0
    for chunk in source.arrays():
        rows += len(chunk[0])
        sample.add(chunk)
        distinct.add(hashes_of_rows([one.add(cells) for one, cells in zip(stats, chunk, strict=True)]))
    sampled = sample.columns()
    columns = []
    for one, cells in zip(stats, sampled, strict=True):
        facts = one.facts(cells)
        detected = judge(facts)
        verdict = judge(facts, types[one.name]) if one.name in types else detected
        columns.append(_Column(one, facts, verdict, detected, cells, one.name in drop))
    return columns, rows, max(rows - distinct.count, 0), len(sampled[0])


def _sentence(one: _Column, note: Note) -> str:
    is_reason = note.detail == one.verdict.reason
    return f"Column {one.facts.name!r} " + (f"is left out: {note.detail}." if is_reason else f"{note.detail}.")


def _described(one: _Column, rows: int, sample_rows: int) -> dict[str, Any]:
    facts, verdict = one.facts, one.verdict
    scale = 1.0 if one.stats.is_counted else rows / sample_rows
    reason = "you asked to leave it out" if one.dropped else verdict.reason
    return {
        "name": facts.name,
        "type": verdict.type,
        "detected": one.detected.type,
        "written": verdict.written,
        "evidence": verdict.evidence,
        "used": reason is None,
        "reason": reason,
        "choices": choices(facts),
        "missing": facts.missing,
        "missing_share": round(facts.missing_share, 6),
        "distinct": facts.distinct,
        "distinct_exact": one.stats.is_exact,
        **_distribution(one),
        "top": [
            {"value": value, "count": round(count * scale) if count > 1 else count}
            for value, count in facts.ranked[:TOP_VALUES]
        ],
        "warnings": [{"code": note.code, "detail": _sentence(one, note)} for note in verdict.notes],
    }


def _distribution(one: _Column) -> dict[str, Any]:
    """Give range, mean, quantiles and histogram of numbers and dates."""
    verdict, facts = one.verdict, one.facts
    numbers = _numbers(one) if verdict.type in _NUMERIC else np.empty(0)
    if not len(numbers):
        return {"minimum": None, "maximum": None, "mean": None, "quantiles": [], "histogram": None}
    low, high = float(numbers.min()), float(numbers.max())
    if verdict.type != "date" and verdict.written is None and facts.numeric:
        low, high = min(low, facts.minimum), max(high, facts.maximum)
    counts, edges = np.histogram(numbers, bins=BINS, range=(low, high))
    quantiles = [low, *np.quantile(numbers, QUANTILES[1:-1]).tolist(), high]
    if verdict.type == "date":
        texts = [date_text(number) for number in (*quantiles, *edges.tolist())]
        quantiles, edge_texts = texts[: len(quantiles)], texts[len(quantiles) :]
        histogram = {"edges": edge_texts, "counts": counts.tolist()}
        return {
            "minimum": quantiles[0],
            "maximum": quantiles[-1],
            "mean": None,
            "quantiles": quantiles,
            "histogram": histogram,
        }
    total, count = one.stats.total
    mean = total / count if count and verdict.written is None else float(numbers.mean())
    histogram = {"edges": edges.tolist(), "counts": counts.tolist()}
    return {"minimum": low, "maximum": high, "mean": mean, "quantiles": quantiles, "histogram": histogram}


def _numbers(one: _Column) -> NDArray[np.float64]:
    """Read the counted cells as the verdict says; what cannot be read is left away."""
    values = values_of(list(one.facts.counts), one.verdict.type, one.verdict.written)
    numbers = np.repeat(values, list(one.facts.counts.values()))
    return numbers[~np.isnan(numbers)]
