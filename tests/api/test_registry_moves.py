"""What may happen to a model after it was trained, over HTTP: compared, replayed, promoted, given up, archived, tidied."""

import time
from typing import Any

import httpx
import pytest

from tests.api.conftest import Publisher
from tests.api.tiny import build
from tests.conftest import RunningStack, User

MAX_SECONDS = 60


@pytest.fixture
def address(publisher: Publisher, analyst: User, unique: str) -> str:
    """Publish three versions and say where the model is."""
    publisher.publish(unique, *(build(unique, seed=seed) for seed in (0, 9, 10)), owner=analyst)
    return f"/api/models/{unique}"


def _wait(api: httpx.Client, path: str, user: User) -> dict[str, Any]:
    ends_at = time.monotonic() + MAX_SECONDS
    while (found := api.get(path, headers=user.headers).json())["status"] in {"queued", "running"}:
        assert time.monotonic() < ends_at, found
        time.sleep(0.2)
    return dict(found)


def test_alias_is_given_up_and_brought_back(api: httpx.Client, address: str, analyst: User):
    """A removed alias answers no more; a rollback brings it back; the champion stays."""
    kept = api.delete(f"{address}/aliases/champion", params={"reason": "x"}, headers=analyst.headers)
    assert kept.status_code == 409
    gone = api.delete(f"{address}/aliases/challenger", params={"reason": "over"}, headers=analyst.headers)
    assert (gone.status_code, gone.json()["from_version"], gone.json()["to_version"]) == (200, 3, None)
    assert api.get(f"{address}/card", params={"version": "challenger"}).status_code == 404

    order = {"alias": "challenger", "reason": "not over"}
    back = api.post(f"{address}/rollback", json=order, headers=analyst.headers)

    assert (back.status_code, back.json()["to_version"]) == (200, 3)
    assert api.get(f"{address}/card", params={"version": "challenger"}).status_code == 200


def test_a_move_that_somebody_else_made_meanwhile_is_seen(api: httpx.Client, address: str, analyst: User):
    """Two people look, both decide: the second is told, and nothing moves. So with a rollback, which would go two back."""

    def promote(version: int, **seen: int) -> httpx.Response:
        order = {"version": version, "reason": "x", **seen}
        return api.put(f"{address}/aliases/champion", json=order, headers=analyst.headers)

    assert promote(2, from_version=1).status_code == 200
    late = promote(3, from_version=1)
    assert (late.status_code, late.json()["errors"][0]["pointer"]) == (409, "#/from_version")
    assert "has moved since you looked: it points at version 2 now, not at version 1" in late.json()["detail"]
    assert promote(3, from_version=2).status_code == 200

    orders = [{"reason": "x", "from_version": seen} for seen in (3, 3, 2)]
    done = [api.post(f"{address}/rollback", json=order, headers=analyst.headers) for order in orders]

    assert [answer.status_code for answer in done] == [200, 409, 200]
    assert done[2].json()["to_version"] == 1
    free = {"version": 1, "reason": "x", "from_version": 0}
    assert [api.put(f"{address}/aliases/free", json=free, headers=analyst.headers).status_code for _ in range(2)] == [
        200,
        409,
    ]


def test_versions_are_compared(api: httpx.Client, address: str):
    """Equal scores decide nothing; what is not there is 404."""
    found = api.get(f"{address}/compare", params={"b": "2"}).json()

    assert (found["a"]["number"], found["b"]["number"], found["same_data"]) == (1, 2, True)
    assert [metric["verdict"] for metric in found["metrics"]] == ["unclear"]
    assert api.get(f"{address}/compare", params={"b": "7"}).status_code == 404


def test_history_tells_what_was_live(api: httpx.Client, address: str, analyst: User):
    """Now, and not in the future, and not without an offset."""
    now = api.get(f"{address}/history", headers=analyst.headers).json()
    assert {each["name"]: each["version"] for each in now["aliases"]} == {"champion": 1, "challenger": 3}
    past = api.get(f"{address}/history", params={"at": "2020-01-01T00:00:00Z"}, headers=analyst.headers)
    assert past.json()["aliases"] == []
    for at in ("2999-01-01T00:00:00Z", "2026-11-17T12:00:00"):
        assert api.get(f"{address}/history", params={"at": at}, headers=analyst.headers).status_code == 422


def test_archived_model_still_answers(api: httpx.Client, address: str, analyst: User, unique: str):
    """It is not listed and not promoted until it is back."""
    archived = api.patch(address, json={"archived": True}, headers=analyst.headers)
    assert archived.json()["archived_at"]
    order = {"version": 2, "reason": "x"}
    assert api.put(f"{address}/aliases/champion", json=order, headers=analyst.headers).status_code == 409
    assert api.post(f"/api/predict/{unique}", json={"length": 1}).status_code == 200
    listed = api.get("/api/models", params={"archived": True}, headers=analyst.headers).json()["models"]
    assert unique in {model["slug"] for model in listed}

    back = api.patch(address, json={"archived": False}, headers=analyst.headers)

    assert (back.status_code, back.json()["archived_at"]) == (200, None)


def test_version_is_noted_and_deleted(api: httpx.Client, address: str, analyst: User):
    """Only one that nothing points at goes; its line and its note stay."""
    noted = api.patch(f"{address}/versions/2", json={"note": "odd"}, headers=analyst.headers)
    assert noted.json()["note"] == "odd"
    assert api.delete(f"{address}/versions/1", headers=analyst.headers).status_code == 409
    assert api.delete(f"{address}/versions/2", headers=analyst.headers).status_code == 204
    line = api.get(f"{address}/versions/2").json()
    assert (line["note"], line["deleted_at"] is None) == ("odd", False)
    assert api.get(f"{address}/card", params={"version": "2"}).status_code == 404


def test_readme_has_front_matter(api: httpx.Client, address: str):
    """Markdown that Hugging Face reads."""
    answer = api.get(f"{address}/readme")

    assert answer.headers["content-type"].startswith("text/markdown")
    assert answer.text.startswith("---\n")


def test_replay_is_evidence_of_the_promotion(
    api: httpx.Client, address: str, analyst: User, stranger: User, unique: str, worker: None
):
    """Asked for, carried out, read, and written down beside the move."""
    rows = [{"length": n / 10, "width": n % 4} for n in range(20)]
    assert api.post(f"/api/predict/{unique}", json={"rows": rows}).status_code == 200
    time.sleep(2)
    made = api.post(f"{address}/replays", json={"version": 2}, headers=analyst.headers)
    assert made.status_code == 201, made.text
    path = f"{address}/replays/{made.json()['id']}"

    replay = _wait(api, path, analyst)

    assert (replay["status"], replay["version"], replay["against"]) == ("succeeded", 2, 1), replay
    assert replay["result"]["rows"] == len(rows)
    listed = api.get(f"{address}/replays", headers=analyst.headers).json()["replays"]
    assert [each["id"] for each in listed] == [replay["id"]]
    assert api.get(path, headers=stranger.headers).status_code == 404
    moved = api.put(f"{address}/aliases/champion", json={"version": 2, "reason": "x"}, headers=analyst.headers)
    assert moved.json()["evidence"]["replay"]["id"] == replay["id"]


def test_minimal_card_does_not_hide_the_list(api: httpx.Client, stack: RunningStack, analyst: User, unique: str):
    """A card that tells no scores is listed without them."""
    with stack.connect() as connection:
        model = connection.execute(
            "insert into public.models (slug, title, task, target, visibility, owner_id) "
            "values (%s, 'Bare', 'binary', 'y', 'private', %s) returning id",
            (unique, analyst.id),
        ).fetchone()[0]
        version = connection.execute(
            "insert into public.versions (model_id, number, digest, card, size_bytes) "
            'values (%s, 1, %s, \'{"parity": {"passed": true}}\', 5) returning id',
            (model, unique[1:].rjust(64, "0")),
        ).fetchone()[0]
        connection.execute(
            "select private.move_alias(%s, 'champion', %s, 'first certified version', '{}', null)", (model, version)
        )

    answer = api.get("/api/models", headers=analyst.headers)

    assert answer.status_code == 200, answer.text
    bare = next(model for model in answer.json()["models"] if model["slug"] == unique)
    assert (bare["champion"]["metrics"], bare["champion"]["rows"]) == ([], 0)
