"""What the gallery says of how its models are used."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.api.conftest import Publisher, api_process
from tests.conftest import RunningStack, User
from tests.monitoring.conftest import Watched, build_spread, predicted


def test_public_models_tell_how_they_were_used_in_thirty_days(
    stack: RunningStack, analyst: User, watched: Watched, count: Callable[[], int], unique: str, tmp_path: Path
):
    """Predictions and their median time stand with a public model; older ones do not count, private ones stay untold."""
    shown, unused = (Watched(stack, f"{unique}-{name}") for name in ("shown", "unused"))
    for model in (shown, unused):
        Publisher(stack).publish(model.slug, build_spread(model.slug), owner=analyst, visibility="public")
    before = datetime.now(UTC) - timedelta(days=31)
    shown.log(*[predicted(row_count=2, total_ms=0.6) for _ in range(3)], predicted(at=before, total_ms=900.0))
    unused.log(predicted(at=before))
    watched.log(predicted())
    count()

    with api_process(stack, tmp_path) as client:
        listed = client.get("/api/models", headers=analyst.headers).raise_for_status().json()["models"]
        alone = client.get(f"/api/models/{shown.slug}").raise_for_status().json()

    found = {model["slug"]: model["traffic"] for model in listed}
    assert found[shown.slug] == alone["traffic"]
    assert (alone["traffic"]["requests"], alone["traffic"]["rows"]) == (3, 6)
    assert 0.5 <= alone["traffic"]["p50_ms"] <= 0.7
    assert found[unused.slug] is None
    assert found[watched.slug] is None
