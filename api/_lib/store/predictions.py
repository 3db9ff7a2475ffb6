"""The log of predictions, written in batches."""

from collections.abc import Sequence

import orjson

from api._lib.upstream import SERVICE, call

WRITE_DEADLINE_SECONDS = 5.0


async def write_predictions(records: Sequence[bytes]) -> int:
    """Write a batch of records, each a JSON object; returns how many were new. Writing one again changes nothing."""
    response = await call(
        "POST",
        "/rest/v1/rpc/log_predictions",
        rights=SERVICE,
        json={"batch": {"predictions": [orjson.Fragment(record) for record in records]}},
        deadline=WRITE_DEADLINE_SECONDS,
        is_repeatable=True,
    )
    return int(response.json())
