"""The registry over HTTP: who sees what, conditional reads, promotion and rollback."""

import hashlib
import time

import httpx
import pytest

from models.contract import Card
from tests.api.conftest import Publisher
from tests.api.tiny import CLASSES, build
from tests.conftest import User


def _slugs(answer: httpx.Response) -> set[str]:
    return {model["slug"] for model in answer.json()["models"]}


def test_list_shows_the_champion_and_its_scores(api: httpx.Client, public_model: str):
    """A gallery can be drawn from this one answer."""
    while public_model not in _slugs(answer := api.get("/api/models")):
        time.sleep(0.1)  # it was just published, and the list is kept for a moment

    model = next(each for each in answer.json()["models"] if each["slug"] == public_model)
    assert model["champion"]["number"] == 1
    assert model["champion"]["metrics"][0]["name"] == "accuracy"
    assert model["champion"]["baseline"][0]["value"] == 0.4
    assert model["champion"]["classes"] == CLASSES
    assert model["champion"]["rows"] == 400
    assert {alias["name"]: alias["number"] for alias in model["aliases"]} == {"champion": 1, "challenger": 2}
    assert "owner_id" not in model


def test_list_shows_private_models_to_those_who_may(
    api: httpx.Client, public_model: str, private_model: str, analyst: User, stranger: User, admin: User
):
    """Owner and admins see the private one; nobody else learns of it, whoever asked just before."""
    for headers, sees in (
        ({}, False),
        (analyst.headers, True),
        (stranger.headers, False),
        (admin.headers, True),
        ({}, False),
    ):
        slugs = _slugs(api.get("/api/models", headers=headers))
        assert public_model in slugs
        assert (private_model in slugs) is sees


@pytest.mark.parametrize(
    "path", ["", "/versions", "/card", "/artifact", "/card?version=1", "/artifact?version=challenger"]
)
def test_private_model_is_not_there_for_others(
    api: httpx.Client, private_model: str, analyst: User, stranger: User, path
):
    """Every read of a private model is 404 for others, and works for its owner."""
    address = f"/api/models/{private_model}{path}"

    assert api.get(address, headers=analyst.headers).status_code == 200
    assert api.get(address).status_code == 404
    assert api.get(address, headers=stranger.headers).json()["code"] == "model_not_found"


def test_list_is_conditional(api: httpx.Client, public_model: str):
    """Asking again with the ETag costs no body."""
    first = api.get("/api/models")

    again = api.get("/api/models", headers={"if-none-match": first.headers["etag"]})

    assert again.status_code == 304
    assert again.content == b""
    assert "public" in first.headers["cache-control"]


def test_card_is_the_contract(api: httpx.Client, public_model: str):
    """A card comes back whole, in the contract's words, and a numbered one may be kept for good."""
    answer = api.get(f"/api/models/{public_model}/card", params={"version": "2"})

    assert Card.model_validate(answer.json()) == build(public_model, seed=1).card
    assert "immutable" in answer.headers["cache-control"]
    assert (
        api.get(f"/api/models/{public_model}/card", headers={"if-none-match": answer.headers["etag"]}).status_code
        == 200
    )
    repeated = api.get(
        f"/api/models/{public_model}/card", params={"version": "2"}, headers={"if-none-match": answer.headers["etag"]}
    )
    assert repeated.status_code == 304


def test_artifact_is_the_certified_file(api: httpx.Client, public_model: str):
    """The bytes are those of the card's digest, which is the ETag too."""
    answer = api.get(f"/api/models/{public_model}/artifact")

    digest = build(public_model).card.digest
    assert hashlib.sha256(answer.content).hexdigest() == digest
    assert answer.headers["etag"] == f'"{digest}"'
    assert answer.headers["cache-control"] == "public, max-age=0, must-revalidate"
    again = api.get(f"/api/models/{public_model}/artifact", headers={"if-none-match": f'W/"{digest}"'})
    assert again.status_code == 304


def test_artifact_head_says_the_size(api: httpx.Client, public_model: str):
    """HEAD answers what GET would, without the body."""
    answer = api.head(f"/api/models/{public_model}/artifact")

    assert answer.status_code == 200
    assert int(answer.headers["content-length"]) == len(build(public_model).model)
    assert answer.content == b""


@pytest.mark.parametrize("version", ["9", "nobody", "Champion", "1.5", "", "-1"])
def test_unknown_version_of_a_card(api: httpx.Client, public_model: str, version):
    """What is not there is 404, what cannot be is 422."""
    answer = api.get(f"/api/models/{public_model}/card", params={"version": version})

    assert answer.status_code == (404 if version in {"9", "nobody"} else 422)


def test_promotion_is_seen_by_predictions_and_undone_in_one_call(
    api: httpx.Client, publisher: Publisher, analyst: User, unique: str
):
    """Promote: the other version answers at once. Roll back: the first one answers again. Both stand in the history."""
    publisher.publish(unique, build(unique), build(unique, seed=1), owner=analyst)
    predict = lambda: api.post(f"/api/predict/{unique}", json={"length": 1}).json()["version"]  # noqa: E731
    assert predict() == 1

    promoted = api.put(
        f"/api/models/{unique}/aliases/champion", json={"version": 2, "reason": "better"}, headers=analyst.headers
    )
    assert promoted.status_code == 200, promoted.text
    assert (promoted.json()["from_version"], promoted.json()["to_version"]) == (1, 2)
    assert promoted.json()["promoted_by"] == analyst.id
    assert predict() == 2

    undone = api.post(f"/api/models/{unique}/rollback", json={"reason": "worse"}, headers=analyst.headers)
    assert undone.json()["rollback_of"] == promoted.json()["id"]
    assert predict() == 1

    history = api.get(f"/api/models/{unique}/promotions", headers=analyst.headers).json()["promotions"]
    assert [entry["reason"] for entry in history if entry["alias"] == "champion"][:2] == ["worse", "better"]


def test_promotion_is_refused_to_others(api: httpx.Client, public_model: str, private_model: str, stranger: User):
    """A stranger may read a public model and not move its aliases; a private one is not even there."""
    order = {"version": 2, "reason": "mine now"}

    assert api.put(f"/api/models/{public_model}/aliases/champion", json=order).status_code == 401
    refused = api.put(f"/api/models/{public_model}/aliases/champion", json=order, headers=stranger.headers)
    assert (refused.status_code, refused.json()["code"]) == (403, "not_allowed")
    hidden = api.put(f"/api/models/{private_model}/aliases/champion", json=order, headers=stranger.headers)
    assert hidden.status_code == 404
    assert (
        api.post(f"/api/models/{public_model}/rollback", json={"reason": "x"}, headers=stranger.headers).status_code
        == 403
    )
    assert api.get(f"/api/models/{public_model}/promotions").status_code == 401
    assert api.get(f"/api/models/{public_model}/promotions", headers=stranger.headers).json() == {"promotions": []}


@pytest.mark.parametrize(
    ("path", "order", "status"),
    [
        ("champion", {"version": 9, "reason": "x"}, 404),
        ("champion", {"version": 1, "reason": "already"}, 409),
        ("champion", {"version": 1}, 422),
        ("champion", {"version": 0, "reason": "x"}, 422),
        ("champion", {"version": 1, "reason": ""}, 422),
        ("champion", {"version": 1, "reason": "x", "force": True}, 422),
        ("Champion", {"version": 1, "reason": "x"}, 422),
    ],
)
def test_bad_promotions(api: httpx.Client, public_model: str, analyst: User, path, order, status):
    """What cannot be promoted says why."""
    answer = api.put(f"/api/models/{public_model}/aliases/{path}", json=order, headers=analyst.headers)

    assert answer.status_code == status, answer.text


def test_model_is_edited_by_its_owner_only(
    api: httpx.Client, publisher: Publisher, analyst: User, stranger: User, unique: str
):
    """Title and visibility change for the owner; making it private hides it at once."""
    publisher.publish(unique, build(unique, seed=3), owner=analyst)
    address = f"/api/models/{unique}"

    assert api.patch(address, json={"title": "Mine"}).status_code == 401
    assert api.patch(address, json={"title": "Mine"}, headers=stranger.headers).status_code == 403
    assert api.patch(address, json={}, headers=analyst.headers).status_code == 422
    assert api.patch(address, json={"title": ""}, headers=analyst.headers).status_code == 422
    edited = api.patch(address, json={"title": "Better", "visibility": "private"}, headers=analyst.headers)
    assert (edited.json()["title"], edited.json()["visibility"]) == ("Better", "private")
    assert api.get(address).status_code == 404
    assert api.post(f"/api/predict/{unique}", json={"length": 1}).status_code == 404
    assert unique not in _slugs(api.get("/api/models"))
    assert api.patch(address, json={"title": "Mine"}, headers=stranger.headers).status_code == 404


def test_versions_are_listed_newest_first(api: httpx.Client, public_model: str):
    """Each version tells its aliases and its scores."""
    versions = api.get(f"/api/models/{public_model}/versions").json()["versions"]

    assert [(version["number"], version["aliases"]) for version in versions] == [(2, ["challenger"]), (1, ["champion"])]
    assert versions[0]["digest"] == build(public_model, seed=1).card.digest
