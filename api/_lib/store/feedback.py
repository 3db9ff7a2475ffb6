"""What turned out to be true, and what people thought of an answer."""

from collections.abc import Sequence
from typing import Any

from api._lib.upstream import SERVICE, call

WRITE_DEADLINE_SECONDS = 20.0


async def record_actuals(actuals: Sequence[dict[str, Any]], actor: str, only_model: str) -> dict[str, Any]:
    """Keep actuals in somebody's name; the database decides, one by one, whether they may. Sending again changes nothing."""
    sent = {"actuals": {"actuals": actuals}, "actor": actor, "only_model": only_model or None}
    path = "/rest/v1/rpc/record_actuals"
    response = await call("POST", path, rights=SERVICE, json=sent, deadline=WRITE_DEADLINE_SECONDS, is_repeatable=True)
    return dict(response.json())


async def record_opinion(prediction_id: str, row: int, comment: str, actor: str, *, is_good: bool) -> None:
    """Keep a thumb up or down on one predicted row.

    Raises:
        NotFound: there is no such prediction for this person, or none with so many rows.
    """
    sent = {"prediction_id": prediction_id, "row_index": row, "is_good": is_good, "comment": comment}
    sent["actor"] = actor or None
    await call("POST", "/rest/v1/rpc/record_opinion", rights=SERVICE, json=sent, is_repeatable=True)
