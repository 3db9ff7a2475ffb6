"""Two people with the same kinds of things: neither ever sees, uses or changes the other's, with a token or with a key."""

from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.api.conftest import Publisher
from tests.api.tiny import build
from tests.conftest import RunningStack, User

ROW = {"length": 1}
LISTS = {
    "models": "/api/models",
    "datasets": "/api/datasets",
    "runs": "/api/runs",
    "batches": "/api/batches",
    "hooks": "/api/hooks",
    "subscriptions": "/api/subscriptions",
}


@dataclass(frozen=True)
class Side:
    """One of them, with the key they made and the ids of what is theirs."""

    person: User
    key: dict[str, str]
    model: str
    ids: dict[str, str]

    @property
    def doors(self) -> list[dict[str, str]]:
        """Both ways in which they prove who they are."""
        return [self.person.headers, self.key]


@pytest.fixture(scope="module")
def sides(stack: RunningStack, site_url: str, publisher: Publisher) -> list[Side]:
    """Give two people a private model, a dataset, a run, a batch, a hook, a subscription, a key and a prediction each."""
    return [_settle(stack, site_url, publisher, number) for number in range(2)]


def _settle(stack: RunningStack, site_url: str, publisher: Publisher, number: int) -> Side:
    person = stack.create_user("analyst")
    model = f"of-{person.id[-12:]}"
    publisher.publish(model, build(model, seed=20 + number), owner=person, visibility="private")
    ids = {}
    with httpx.Client(base_url=site_url, headers=person.headers, timeout=30, trust_env=False) as client:

        def create(path: str, **order: Any) -> dict[str, Any]:
            answer = client.post(path, json=order)
            assert answer.status_code == 201, answer.text
            return answer.json()

        made = create("/api/keys", name="theirs", scopes=["predict", "feedback", "train"])
        ids["keys"] = made["id"]
        ids["datasets"] = create("/api/datasets", filename=f"{model}.csv", size_bytes=10)["dataset"]["id"]
        ids["hooks"] = create("/api/hooks", name="theirs", model=model)["id"]
        order = {"url": "https://example.com/in", "event_types": ["run.succeeded"]}
        ids["subscriptions"] = create("/api/subscriptions", **order)["id"]
        ids["predictions"] = client.post(f"/api/predict/{model}", json=ROW).json()["id"]
    with stack.connect() as connection:
        ready = "update public.datasets set status = 'ready', size_bytes = 10, sha256 = repeat('a', 64) where id = %s"
        connection.execute(ready, (ids["datasets"],))
        statement = (
            "insert into public.runs (dataset_id, model_slug, target) values (%s, %s, 'species') returning id::text"
        )
        ids["runs"] = connection.execute(statement, (ids["datasets"], model)).fetchone()[0]
        statement = (
            "insert into public.batches (dataset_id, version_id) select %s, version.id from public.versions as version "
            "join public.models as model on model.id = version.model_id where model.slug = %s returning id::text"
        )
        ids["batches"] = connection.execute(statement, (ids["datasets"], model)).fetchone()[0]
        for table in ("runs", "batches"):
            connection.execute(f"update public.{table} set status = 'cancelled' where id = %s", (ids[table],))
    return Side(person, {"x-api-key": made["key"]}, model, ids)


@pytest.mark.parametrize("what", LISTS)
def test_lists_hold_ones_own(api: httpx.Client, sides: list[Side], what: str):
    """Each finds theirs, nothing of the other's, by token and by key."""
    for me, other in (sides, sides[::-1]):
        for headers in me.doors:
            text = api.get(LISTS[what], headers=headers).text
            assert (me.model if what == "models" else me.ids[what]) in text
            assert other.model not in text
            assert not any(each in text for each in other.ids.values())


@pytest.mark.parametrize("what", ["datasets", "runs", "batches", "hooks", "subscriptions"])
def test_the_others_thing_is_not_there(api: httpx.Client, sides: list[Side], what: str):
    """Its id answers as one that nobody ever had."""
    for me, other in (sides, sides[::-1]):
        for headers in me.doors:
            assert api.get(f"/api/{what}/{me.ids[what]}", headers=headers).status_code == 200
            there = api.get(f"/api/{what}/{other.ids[what]}", headers=headers)
            nowhere = api.get(f"/api/{what}/00000000-0000-7000-8000-000000000000", headers=headers)
            assert (there.status_code, there.json()["code"]) == (404, nowhere.json()["code"])


def test_the_others_model_is_not_there(api: httpx.Client, sides: list[Side]):
    """At no address that names it: not to read, not to predict, not over another protocol."""
    for me, other in (sides, sides[::-1]):
        for headers in me.doors:
            answers = [
                api.get(f"/api/models/{other.model}", headers=headers),
                api.get(f"/api/models/{other.model}/versions", headers=headers),
                api.get(f"/api/models/{other.model}/card", headers=headers),
                api.get(f"/api/models/{other.model}/artifact", headers=headers),
                api.get(f"/api/models/{other.model}/promotions", headers=headers),
                api.get(f"/api/models/{other.model}/members", headers=headers),
                api.get(f"/api/metrics/{other.model}", headers=headers),
                api.post(f"/api/predict/{other.model}", json=ROW, headers=headers),
                api.post(f"/api/predict/{other.model}@1", json=ROW, headers=headers),
                api.get(f"/v2/models/{other.model}", headers=headers),
                api.post(f"/invocations/{other.model}", json={"dataframe_records": [ROW]}, headers=headers),
            ]
            assert {answer.status_code for answer in answers} == {404}


def test_the_others_key_and_prediction_are_not_there(api: httpx.Client, sides: list[Side]):
    """A key is neither listed, replaced nor revoked by somebody else, and takes no actual for a foreign prediction."""
    for me, other in (sides, sides[::-1]):
        keys = api.get("/api/keys", headers=me.person.headers).text
        assert me.ids["keys"] in keys
        assert other.ids["keys"] not in keys
        path = f"/api/keys/{other.ids['keys']}"
        assert api.delete(path, headers=me.person.headers).status_code == 404
        assert api.post(f"{path}/rotate", json={}, headers=me.person.headers).status_code == 404
        for headers in me.doors:
            actual = {"prediction_id": other.ids["predictions"], "actual": "Adelie"}
            taken = api.post("/api/feedback", json=actual, headers=headers)
            assert taken.json().get("accepted", 0) == 0, taken.text
    for side in sides:
        assert api.post(f"/api/predict/{side.model}", json=ROW, headers=side.key).status_code == 200


def test_answers_kept_in_memory_are_not_shared(api: httpx.Client, sides: list[Side]):
    """Turn about, at one instance that remembers who saw what: each look is answered for whoever looks."""
    for _ in range(3):
        for me, other in (sides, sides[::-1]):
            for headers in me.doors:
                assert api.post(f"/api/predict/{me.model}", json=ROW, headers=headers).status_code == 200
                assert api.post(f"/api/predict/{other.model}", json=ROW, headers=headers).status_code == 404
        assert api.post(f"/api/predict/{sides[0].model}", json=ROW).status_code == 404
