"""Rows around a stranger's examples: what people will send sooner or later, and what the file must be able to answer."""

from typing import Any

from models.training.foreign_schema import Schema, is_required

MAX_FEATURES = 20
"""So many features are varied, one at a time; a wide table has many alike."""

UNSEEN = "something never seen"


def awkward_rows(schema: Schema) -> dict[str, list[dict[str, Any]]]:
    """Make rows by kind: a cell missing where one may be, a text that no example has, the ends of the numbers."""
    first = schema.examples[0]
    rows: dict[str, list[dict[str, Any]]] = {"missing": [], "unseen": [], "extreme": []}
    for feature in schema.features[:MAX_FEATURES]:
        if not is_required(feature.name, schema):
            rows["missing"].append({**first, feature.name: None})
        if feature.kind == "category":
            rows["unseen"].append({**first, feature.name: UNSEEN})
        if feature.kind in {"number", "integer"}:
            cells = [row.get(feature.name) for row in schema.examples]
            numbers = [cell for cell in cells if isinstance(cell, int | float)]
            bounds = (feature.minimum, feature.maximum, *numbers)
            known = [bound for bound in bounds if bound is not None]
            if known:
                rows["extreme"] += [{**first, feature.name: end(known)} for end in (min, max)]
    return rows
