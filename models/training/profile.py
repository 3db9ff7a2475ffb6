"""The columns that a model learns from, read by what they are; what is left out is named in a warning."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from models.coercion import Written, numeric_coercion
from models.contract import FeatureKind
from models.errors import CoercionError, DatasetRejected
from models.training.facts import Facts, cell_text, facts_of
from models.training.kinds import MAX_CATEGORIES, judge
from models.training.verdict import Verdict

__all__ = ["MAX_CATEGORIES", "Column", "Profile", "profile_columns"]

_SAID_IN_TRAINING = {"odd_cells", "decimal_comma"}


@dataclass(frozen=True)
class Column:
    """A column that a model can learn from: numbers as float64 with NaN, or texts with ""."""

    name: str
    kind: FeatureKind
    evidence: str
    content: NDArray[np.float64] | NDArray[np.object_]
    missing: int
    distinct: int
    warning: str | None = None
    written: Written | None = None


@dataclass(frozen=True)
class Profile:
    """What the columns are, and which were left out for which reason."""

    columns: list[Column]
    left_out: dict[str, str]
    warnings: list[str] = field(default_factory=list)

    def summary(self) -> list[dict[str, object]]:
        """Give the profile as JSON-able facts, one object per column."""
        kept: list[dict[str, object]] = [
            {
                "name": column.name,
                "kind": column.kind,
                "evidence": column.evidence,
                "missing": column.missing,
                "distinct": column.distinct,
            }
            for column in self.columns
        ]
        return kept + [{"name": name, "kind": None, "evidence": reason} for name, reason in self.left_out.items()]


def profile_columns(
    columns: Mapping[str, Sequence[str]], drop: Sequence[str] = (), types: Mapping[str, str] | None = None
) -> Profile:
    """Judge every column. Raises DatasetRejected when none is of use, or a correction cannot be followed."""
    kept: list[Column] = []
    left_out: dict[str, str] = {}
    for name, cells in columns.items():
        if name in drop:
            left_out[name] = "you asked to leave it out"
            continue
        counts = Counter(cells)
        facts = facts_of(name, counts)
        verdict = judge(facts, (types or {}).get(name))
        if verdict.reason:
            left_out[name] = verdict.reason
        else:
            kept.append(_column(facts, cells, counts, verdict))
    if not kept:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in list(left_out.items())[:5])
        raise DatasetRejected(
            f"no column is left to learn from ({reasons}): add a column that says something about the target"
        )
    warnings = [f"Column {name!r} is left out: {reason}." for name, reason in left_out.items() if name not in drop]
    warnings += [column.warning for column in kept if column.warning]
    return Profile(kept, left_out, warnings)


def _column(facts: Facts, cells: Sequence[str], counts: Counter[str], verdict: Verdict) -> Column:
    name = facts.name
    told = [note.detail for note in verdict.notes if note.code in _SAID_IN_TRAINING]
    warning = f"Column {name!r} {'; '.join(told)}." if told else None
    kind: FeatureKind = verdict.type  # type: ignore[assignment]  # the other types are left out
    if kind == "category":
        texts = {cell: cell_text(cell) for cell in counts}
        content = np.array([texts[cell] for cell in cells], dtype=object)
        missing = sum(count for cell, count in counts.items() if not texts[cell])
        distinct = len(set(texts.values()) - {""})
        return Column(name, kind, verdict.evidence, content, missing, distinct, warning)
    if kind == "number" and verdict.written is None and facts.odd is None and not facts.missing:
        numbers = np.fromiter(map(float, cells), dtype=np.float64, count=len(cells))  # every cell was read as one
    else:
        values = {cell: _value(cell, kind, verdict.written) for cell in counts}
        numbers = np.fromiter((values[cell] for cell in cells), dtype=np.float64, count=len(cells))
    known = numbers[~np.isnan(numbers)]
    missing, distinct = len(numbers) - len(known), len(np.unique(known))
    return Column(name, kind, verdict.evidence, numbers, missing, distinct, warning, verdict.written)


def _value(cell: str, kind: str, written: str | None) -> float:
    try:
        return numeric_coercion(kind, written)(cell)
    except CoercionError:
        return np.nan
