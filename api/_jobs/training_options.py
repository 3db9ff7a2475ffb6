"""What a trainer is told about a run: its options, what the analyst knows about the columns, where the table is from."""

from collections.abc import Mapping
from typing import Any


def compose(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Compose the options of a run. What the run says about a column goes before what its dataset says."""
    corrections, asked = facts["corrections"], dict(facts["options"])
    asked.pop("workers", None)
    return {
        "target": facts["target"],
        "name": facts["model_slug"],
        "title": facts["title"] or facts["dataset_name"],
        "description": facts["description"],
        "source": facts["source"],
        "licence": facts["licence"],
        **asked,
        "drop": sorted({*corrections["drop"], *asked.get("drop", ())} - {facts["target"]}),
        "types": {**corrections["types"], **asked.get("types", {})},
    }
