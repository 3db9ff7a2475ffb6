"""How much the public models were used lately: figures for their pages, a few minutes old at most.

They are an ornament of the list of models: it never waits for them longer than a moment, and stands without them.
"""

from pydantic import Field

from api._lib import figures
from api._lib.circuit import Circuit
from api._lib.errors import Unavailable
from api._lib.lookup import Lookup
from api._lib.schema import Schema
from api._lib.store import monitoring as store


class RecentTraffic(Schema):
    """The use of a public model in the last 30 days, as it was counted up to a few minutes ago."""

    requests: int = Field(description="Requests that were answered", examples=[1200])
    rows: int = Field(description="Predictions in them", examples=[3400])
    p50_ms: float | None = Field(description="Half of the requests took the function less than this", examples=[0.8])


_MAX_AGE_SECONDS = 300.0
_public: Lookup[str, dict[str, RecentTraffic]] = Lookup(max_age=_MAX_AGE_SECONDS, circuit=Circuit(seconds=30.0))


async def read_public() -> dict[str, RecentTraffic]:
    """Read the use of each public model that was used, by slug; of none while the database does not tell."""
    try:
        return await _public.get("", _ask)
    except Unavailable:
        return {}


async def _ask() -> dict[str, RecentTraffic]:
    found = await store.read_public_traffic()
    edges = found["edges_ms"]
    return {
        slug: RecentTraffic(
            requests=row["requests"], rows=row["rows"], p50_ms=figures.percentile(row["latency"], edges, share=0.5)
        )
        for slug, row in found["models"].items()
        if row["requests"]
    }
