"""People, members and the audit log over HTTP: admins manage people, owners share models, and it is written down."""

from collections.abc import Iterator

import httpx
import pytest

from tests.api.conftest import Publisher
from tests.api.tiny import build
from tests.conftest import RunningStack, User

ROW = {"length": 1}


@pytest.fixture
def newcomer(stack: RunningStack) -> User:
    """Sign up somebody whom no other test knows."""
    return stack.create_user()


@pytest.fixture
def shared_model(publisher: Publisher, analyst: User, unique: str) -> str:
    """Publish a private model with two versions, which is shared with nobody yet."""
    publisher.publish(unique, build(unique, seed=3), build(unique, seed=4), owner=analyst, visibility="private")
    return unique


@pytest.fixture
def share(api: httpx.Client, shared_model: str, analyst: User) -> Iterator:
    """Return a way to share that model."""

    def order(person: User, role: str, by: User = analyst) -> httpx.Response:
        body = {"email": person.email, "role": role}
        return api.put(f"/api/models/{shared_model}/members", json=body, headers=by.headers)

    return order


def test_admins_list_people_and_give_roles(api: httpx.Client, admin: User, newcomer: User):
    """Everybody is listed with a role, and a new role counts at once."""
    listed = api.get("/api/people", headers=admin.headers).json()["people"]
    assert {"email": newcomer.email, "role": "viewer"}.items() <= _find(listed, newcomer).items()

    given = api.put(f"/api/people/{newcomer.id}/role", json={"role": "analyst"}, headers=admin.headers)

    assert (given.status_code, given.json()["role"]) == (200, "analyst")
    assert api.get("/api/me", headers=newcomer.headers).json()["role"] == "analyst"


@pytest.mark.parametrize("path", ["/api/people", "/api/audit"])
def test_only_admins_see_people_and_the_log(api: httpx.Client, viewer: User, analyst: User, path: str):
    """Addresses and acts of others are nobody else's business."""
    assert api.get(path).status_code == 401
    for person in (viewer, analyst):
        assert api.get(path, headers=person.headers).json()["code"] == "not_allowed"


def test_nobody_gives_themselves_a_role(api: httpx.Client, viewer: User, analyst: User, admin: User):
    """Roles come from admins, known roles, to known people."""
    for person in (viewer, analyst):
        order = {"json": {"role": "admin"}, "headers": person.headers}
        assert api.put(f"/api/people/{person.id}/role", **order).status_code == 403
    key = api.post("/api/keys", json={"name": "k", "scopes": ["admin"]}, headers=admin.headers).json()["key"]

    refusals = [
        (f"/api/people/{viewer.id}/role", {"role": "king"}, admin.headers, 422),
        ("/api/people/none/role", {"role": "viewer"}, admin.headers, 422),
        ("/api/people/00000000-0000-7000-8000-000000000000/role", {"role": "viewer"}, admin.headers, 404),
        (f"/api/people/{viewer.id}/role", {"role": "admin"}, {"x-api-key": key}, 403),
    ]

    for path, body, headers, status in refusals:
        assert api.put(path, json=body, headers=headers).status_code == status, (path, body)


def test_viewer_member_sees_and_uses_the_model(api: httpx.Client, shared_model: str, share, newcomer: User):
    """A private model is not there before it is shared, and the whole of it after; changing it is refused."""
    assert api.get(f"/api/models/{shared_model}", headers=newcomer.headers).status_code == 404

    assert share(newcomer, "viewer").status_code == 200

    headers = newcomer.headers
    assert api.get(f"/api/models/{shared_model}", headers=headers).status_code == 200
    assert len(api.get(f"/api/models/{shared_model}/versions", headers=headers).json()["versions"]) == 2
    assert api.get(f"/api/models/{shared_model}/promotions", headers=headers).json()["promotions"]
    assert api.post(f"/api/predict/{shared_model}", json=ROW, headers=headers).status_code == 200
    order = {"json": {"version": 2, "reason": "mine now"}, "headers": headers}
    assert api.put(f"/api/models/{shared_model}/aliases/champion", **order).status_code == 403
    assert api.patch(f"/api/models/{shared_model}", json={"title": "Mine"}, headers=headers).status_code == 403
    assert share(newcomer, "editor", by=newcomer).status_code == 403


def test_editor_member_promotes_and_describes_but_does_not_publish(
    api: httpx.Client, shared_model: str, share, newcomer: User
):
    """An editor moves aliases; who may see the model stays its owner's to say."""
    share(newcomer, "editor")

    headers = newcomer.headers
    order = {"json": {"version": 2, "reason": "better"}, "headers": headers}
    promoted = api.put(f"/api/models/{shared_model}/aliases/champion", **order)
    described = api.patch(f"/api/models/{shared_model}", json={"title": "Ours"}, headers=headers)
    published = api.patch(f"/api/models/{shared_model}", json={"visibility": "public"}, headers=headers)

    assert (promoted.status_code, promoted.json()["promoted_by"]) == (200, newcomer.id)
    assert (described.status_code, described.json()["title"]) == (200, "Ours")
    assert (published.status_code, published.json()["code"]) == (403, "not_allowed")


def test_keys_of_members_do_what_their_owners_may(api: httpx.Client, shared_model: str, share, newcomer: User, admin):
    """A key sees what is shared with its owner, edits where its owner does, and never publishes for an editor."""
    api.put(f"/api/people/{newcomer.id}/role", json={"role": "analyst"}, headers=admin.headers)
    share(newcomer, "viewer")
    bound = _key(api, newcomer, model=shared_model)
    assert api.post(f"/api/predict/{shared_model}", json=ROW, headers=bound).status_code == 200
    looking = _key(api, newcomer, scopes=["predict", "train"])
    seen = api.post(f"/api/predict/{shared_model}", json=ROW, headers=looking)
    listed = api.get("/api/models", headers=looking).json()["models"]
    history = api.get(f"/api/models/{shared_model}/promotions", headers=looking).json()["promotions"]
    kept_out = api.patch(f"/api/models/{shared_model}", json={"title": "Mine"}, headers=looking)
    share(newcomer, "editor")
    editing = _key(api, newcomer, scopes=["train"])
    described = api.patch(f"/api/models/{shared_model}", json={"title": "Ours"}, headers=editing)
    published = api.patch(f"/api/models/{shared_model}", json={"visibility": "public"}, headers=editing)

    assert seen.status_code == 200
    assert shared_model in {model["slug"] for model in listed}
    assert history
    assert (kept_out.status_code, described.status_code, published.status_code) == (403, 200, 403)


def test_memberships_end(api: httpx.Client, shared_model: str, share, newcomer: User, stranger: User, analyst: User):
    """The owner removes a member, a member leaves, a stranger can do neither."""
    members = f"/api/models/{shared_model}/members"
    share(newcomer, "viewer")
    listed = api.get(members, headers=newcomer.headers).json()["members"]
    assert [(member["email"], member["role"]) for member in listed] == [
        (analyst.email, "owner"),
        (newcomer.email, "viewer"),
    ]

    by_stranger = api.delete(f"{members}/{newcomer.id}", headers=stranger.headers)
    left = api.delete(f"{members}/{newcomer.id}", headers=newcomer.headers)
    again = api.delete(f"{members}/{newcomer.id}", headers=analyst.headers)

    assert (by_stranger.status_code, left.status_code, again.status_code) == (404, 204, 404)
    assert api.get(f"/api/models/{shared_model}", headers=newcomer.headers).status_code == 404
    assert api.get(members, headers=stranger.headers).status_code == 404


def test_bad_orders_share_nothing(api: httpx.Client, shared_model: str, analyst: User, public_model: str, viewer: User):
    """Unknown people and roles, oneself, and models of others."""
    orders = [
        (shared_model, {"email": "nobody@example.com", "role": "viewer"}, 404),
        (shared_model, {"email": viewer.email, "role": "king"}, 422),
        (shared_model, {"email": "no address", "role": "viewer"}, 422),
        (shared_model, {"email": analyst.email, "role": "viewer"}, 409),
        ("no-such-model", {"email": viewer.email, "role": "viewer"}, 404),
    ]

    for slug, order, status in orders:
        answer = api.put(f"/api/models/{slug}/members", json=order, headers=analyst.headers)
        assert answer.status_code == status, answer.text
    assert api.get(f"/api/models/{public_model}/members", headers=viewer.headers).status_code == 403
    assert api.get(f"/api/models/{public_model}/members").status_code == 401


def test_what_was_done_is_in_the_log(
    api: httpx.Client, shared_model: str, share, newcomer: User, analyst: User, admin: User
):
    """Sharing, publishing, promoting, keys and roles: who, what, to what; newest first, page by page, filtered."""
    share(newcomer, "editor")
    api.patch(f"/api/models/{shared_model}", json={"visibility": "public"}, headers=analyst.headers)
    api.put(
        f"/api/models/{shared_model}/aliases/champion",
        json={"version": 2, "reason": "better"},
        headers=newcomer.headers,
    )
    api.put(f"/api/people/{newcomer.id}/role", json={"role": "analyst"}, headers=admin.headers)
    made = api.post("/api/keys", json={"name": "logged"}, headers=newcomer.headers).json()
    api.delete(f"/api/keys/{made['id']}", headers=newcomer.headers)

    def read(**query) -> dict:
        answer = api.get("/api/audit", params=query, headers=admin.headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    of_model = read(subject=f"model:{shared_model}")["entries"]
    acts = [(entry["action"], (entry["actor"] or {}).get("email")) for entry in of_model]
    assert acts[:3] == [
        ("promotion.made", newcomer.email),
        ("visibility.changed", analyst.email),
        ("member.added", analyst.email),
    ]
    assert of_model[0]["data"]["reason"] == "better"
    assert of_model[1]["data"] == {"from": "private", "to": "public"}
    of_key = read(subject=f"key:{made['id']}", actor=newcomer.id)["entries"]
    assert [entry["action"] for entry in of_key] == ["key.revoked", "key.created"]
    assert made["key"] not in str(of_key)
    (role,) = read(action="role.", subject=f"user:{newcomer.id}")["entries"]
    assert (role["actor"]["id"], role["data"]["from"], role["data"]["to"]) == (admin.id, "viewer", "analyst")
    first = read(subject=f"model:{shared_model}", limit=1)
    second = read(subject=f"model:{shared_model}", limit=1, before=first["next"])
    assert [page["entries"][0]["id"] for page in (first, second)] == [entry["id"] for entry in of_model[:2]]
    assert read(subject="model:no-such-model") == {"entries": [], "next": None}


def test_an_admins_key_reads_the_log(api: httpx.Client, admin: User, analyst: User):
    """Programs may carry the log away; a key without the scope may not."""
    assert api.get("/api/audit", headers=_key(api, admin, scopes=["admin"])).status_code == 200
    assert api.get("/api/audit", headers=_key(api, admin, scopes=["train"])).status_code == 403
    assert api.get("/api/people", headers=_key(api, analyst, scopes=["train"])).status_code == 403


def _find(listed: list[dict], person: User) -> dict:
    return next(each for each in listed if each["id"] == person.id)


def _key(api: httpx.Client, person: User, **order) -> dict[str, str]:
    answer = api.post("/api/keys", json={"name": "k", **order}, headers=person.headers)
    assert answer.status_code == 201, answer.text
    return {"x-api-key": answer.json()["key"]}
