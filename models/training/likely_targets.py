"""The columns that one may want to predict, each with what is suspicious once it is the target.

A suggestion, for whoever looks at a table before anybody has said what to predict: names that people give to answers,
and the last column, where the answer often stands.
"""

import re
from collections.abc import Sequence
from typing import Any

from models.errors import DatasetRejected
from models.training.suspicions import Suspect, suspicions
from models.training.target import read_target

MAX_TARGETS = 3

_MAX_CELLS = 400_000  # that are looked at per target: keeps a wide table's profile quick
_ANSWERS = re.compile(
    r"target|label|class|outcome|y|species|diagnosis|churn(?:ed)?|survived|default(?:ed)?", re.IGNORECASE
)
_AMOUNTS = re.compile(r"price|cost|amount|sales|score|rating|status|quality|type", re.IGNORECASE)


def likely_targets(columns: Sequence[Suspect]) -> list[dict[str, Any]]:
    """List at most three columns to predict, the likeliest first, as JSON-able facts; none where none can be."""
    able = [one.name for one in columns if one.verdict.reason is None and one.verdict.type != "date"]
    named = [name for name in able if _ANSWERS.fullmatch(name)]
    amounts = [name for name in able if _AMOUNTS.fullmatch(name)]
    looked_at = _thinned(columns)
    found: list[dict[str, Any]] = []
    for name in dict.fromkeys([*named, *able[-1:], *amounts]):
        if len(found) < MAX_TARGETS and (described := _described(looked_at, name)):
            found.append(described)
    return found


def _thinned(columns: Sequence[Suspect]) -> list[Suspect]:
    """Take every so many rows, so that not more cells are looked at than a profile has time for."""
    cells = sum(len(one.cells) for one in columns)
    step = -(-cells // _MAX_CELLS) or 1
    return [Suspect(one.name, one.verdict, one.cells[::step]) for one in columns]


def _described(columns: Sequence[Suspect], name: str) -> dict[str, Any] | None:
    try:
        target = read_target({one.name: one.cells for one in columns}, name, None)
    except DatasetRejected:
        return None
    warned = [{"code": code, "column": column, "detail": detail} for code, column, detail in suspicions(columns, name)]
    return {"column": name, "task": target.task, "warnings": warned}
