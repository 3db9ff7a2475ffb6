"""All models in one look."""

from collections.abc import Callable

import httpx

from tests.api.conftest import Publisher
from tests.api.tiny import build
from tests.conftest import RunningStack, User
from tests.monitoring.conftest import Watched, predicted


def test_overview_tells_how_each_model_stands(
    as_owner: httpx.Client,
    api: httpx.Client,
    watched: Watched,
    count: Callable[[], int],
    stranger: User,
    admin: User,
    site_url: str,
):
    """Traffic, errors, drift and live quality as they were logged, to whoever has a part in the model and to nobody else."""
    ids = watched.log(*[predicted("Adelie", total_ms=2.0) for _ in range(6)], predicted("Gentoo", cache="hit-local"))
    refused = {"refusal": {"id": ids[0], "model": watched.slug, "status": 422, "code": "rows_invalid", "count": 2}}
    failed = {"refusal": {"id": ids[1], "model": watched.slug, "status": 503, "code": "unavailable", "count": 1}}
    watched.refuse(refused, failed)
    count()
    truth = [{"prediction_id": each, "actual": "Adelie"} for each in ids]
    as_owner.post("/api/feedback", json={"actuals": truth}).raise_for_status()
    watched.value(
        "with version as (select id, model_id from public.versions where model_id = (select id from public.models where slug = %s)) "
        "insert into public.drift_states (version_id, model_id, feature, state) "
        "select id, model_id, 'length', 'drifted' from version union all select id, model_id, 'width', 'stable' from version "
        "returning 1",
        watched.slug,
    )

    found = {each["model"]: each for each in as_owner.get("/api/overview").raise_for_status().json()["models"]}

    mine = found[watched.slug]
    assert (mine["requests"], mine["rows"], mine["cached"], mine["refused"], mine["failed"]) == (7, 7, 1, 3, 1)
    assert sum(step["requests"] for step in mine["series"]) == 7
    assert 1.0 <= mine["latency"]["p50"] <= 5.0
    assert (mine["drift"], mine["drifted"]) == ("drifted", ["length"])
    assert (mine["actuals"], mine["accuracy"]["value"]) == (7, 6 / 7)
    assert mine["mean_absolute_error"] is None
    of_stranger = api.get("/api/overview", headers=stranger.headers).raise_for_status().json()["models"]
    assert watched.slug not in {each["model"] for each in of_stranger}
    of_admin = api.get("/api/overview", headers=admin.headers).raise_for_status().json()["models"]
    assert watched.slug in {each["model"] for each in of_admin}
    assert api.get("/api/overview").status_code == 401


def test_key_for_one_model_is_told_of_that_one(
    api: httpx.Client, as_owner: httpx.Client, watched: Watched, stack: RunningStack, analyst: User, unique: str
):
    """Its owner's other models are not in what it reads; a key for feedback reads no figures at all."""
    Publisher(stack).publish(f"{unique}-other", build(f"{unique}-other"), owner=analyst, visibility="private")

    def key(*scopes: str) -> dict[str, str]:
        order = {"name": unique, "scopes": scopes, "model": watched.slug}
        return {"x-api-key": as_owner.post("/api/keys", json=order).raise_for_status().json()["key"]}

    told = api.get("/api/overview", headers=key("predict")).raise_for_status().json()["models"]

    assert [each["model"] for each in told] == [watched.slug]
    for path in ("/api/overview", "/api/metrics", f"/api/metrics/{watched.slug}"):
        assert api.get(path, headers=key("feedback")).status_code == 403, path
