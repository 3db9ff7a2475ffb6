"""What a person may say that a column is, against what the file alone says."""

from collections.abc import Collection, Mapping
from typing import get_args

from models.coercion import Written, numeric_coercion
from models.errors import DatasetRejected
from models.training.facts import Facts
from models.training.verdict import ColumnType, Verdict, odd_cells, readable_share, reads, shorten, without_content

CORRECTIONS = (
    *("number", "integer", "boolean", "category", "date", "text", "id"),
    *("number:decimal_comma", "number:thousands_comma", "date:day_first", "date:month_first"),
)
"""What a person may say that a column is."""

_NEVER_READ = ("text", "id")
_CORRECTED_SHARE = 0.5  # of the cells: what a person says is believed while at least half of them agree


def check_corrections(types: Mapping[str, str], drop: Collection[str], names: Collection[str]) -> None:
    """Refuse corrections of columns that are not there, or to types that are none. Raises DatasetRejected."""
    known = set(names)
    for name, correction in types.items():
        if name not in known:
            raise DatasetRejected(f"there is no column named {name!r} to correct")
        if correction not in CORRECTIONS:
            raise DatasetRejected(f"the type of column {name!r} must be one of {', '.join(CORRECTIONS)}")
    for name in drop:
        if name not in known:
            raise DatasetRejected(f"there is no column named {name!r} to leave out")


def choices(facts: Facts) -> list[str]:
    """List what a person may correct a column to: what at least half of its cells can be read as."""
    shares: dict[str, float] = {}
    for asked in CORRECTIONS:
        if asked not in _NEVER_READ:
            kind, written = _parts(asked)
            shares[asked] = readable_share(facts, kind, written, 1.0 if kind == "boolean" else _CORRECTED_SHARE)
    possible = []
    for asked, share in shares.items():
        kind, written = _parts(asked)
        is_better = written is None or share > shares[kind]
        if is_better and share >= (1.0 if kind == "boolean" else _CORRECTED_SHARE):
            possible.append(asked)
    return [*possible, *_NEVER_READ] if facts.rows else []


def corrected(facts: Facts, correction: str) -> Verdict:
    """Say of a column what a person says it is. Raises DatasetRejected where too few of its cells agree."""
    if correction not in CORRECTIONS:
        raise DatasetRejected(f"the type of column {facts.name!r} must be one of {', '.join(CORRECTIONS)}")
    if empty := without_content(facts):
        return empty
    kind, written = _parts(correction)
    if kind in _NEVER_READ:
        return Verdict(kind, "you said so", reason="you marked it as " + ("an id" if kind == "id" else "free text"))
    if kind == "category":
        return Verdict(kind, f"you said so; {facts.distinct} different values")
    share = readable_share(facts, kind, written)
    if share < _CORRECTED_SHARE or (kind == "boolean" and share < 1):
        odd = next(text for text in facts.counts if not reads(numeric_coercion(kind, written), text))
        raise DatasetRejected(
            f"column {facts.name!r} cannot be read as {correction}: {1 - share:.0%} of its cells are none, such as {shorten(odd)!r}"
        )
    notes = odd_cells(round((1 - share) * facts.rows), None, f"cells of type {kind}")
    return Verdict(kind, "you said so", written, notes=notes)


def _parts(correction: str) -> tuple[ColumnType, Written | None]:
    kind, _, written = correction.partition(":")
    assert kind in get_args(ColumnType), "corrections are checked first"
    return kind, written or None  # type: ignore[return-value]  # CORRECTIONS holds known words only
