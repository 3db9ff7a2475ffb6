"""Predictions go on while the servers around the API are down or slow, and the answer names what was done without."""

import json
import time

import httpx
import pytest

from tests.api.conftest import OwnSite, Publisher
from tests.api.tiny import build
from tests.conftest import User

ROW = {"length": 1, "width": 2, "island": "Dream"}
_ATTEMPTS = 10


def _degraded(answer: httpx.Response) -> str:
    return answer.headers.get("x-rowcast-degraded", "")


def _failing(ready: httpx.Response) -> set[str]:
    return {name for name, check in ready.json()["checks"].items() if check["status"] == "fail"}


@pytest.fixture(autouse=True)
def _everything_is_up_again(own_site: OwnSite, unique: str):
    """Leave every door open, and wait until the API has noticed."""
    yield
    for door in (own_site.supabase, own_site.kv):
        door.shut()
        door.open()
    never_asked = f"/api/predict/{unique}-never?length=1"  # an answer that cannot come from memory
    assert own_site.wait_until(never_asked, 404).status_code == 404


def test_loaded_model_answers_while_the_database_is_down(own_site: OwnSite, public_model: str):
    """A model that was asked for before goes on; the header says what is missing; recovery needs no restart."""
    before = own_site.client.post(f"/api/predict/{public_model}", json=ROW)
    assert before.status_code == 200
    assert "database" not in _degraded(before)
    own_site.supabase.shut()
    time.sleep(2)

    answers = [own_site.client.post(f"/api/predict/{public_model}", json=ROW) for _ in range(5)]

    assert {answer.status_code for answer in answers} == {200}
    assert all("database" in _degraded(answer) for answer in answers)
    assert answers[0].json()["predictions"] == before.json()["predictions"]
    assert answers[0].json()["version"] == 1
    own_site.supabase.open()
    time.sleep(2.5)
    own_site.client.post(f"/api/predict/{public_model}", json=ROW)
    time.sleep(0.5)
    assert "database" not in _degraded(own_site.client.post(f"/api/predict/{public_model}", json=ROW))


def test_unknown_model_is_unavailable_while_the_database_is_down(own_site: OwnSite):
    """What nobody can know without the database is 503 with a time to come back, quickly."""
    own_site.supabase.shut()
    started = time.monotonic()

    answer = own_site.client.post("/api/predict/never-asked", json=ROW)

    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert answer.headers["retry-after"]
    assert time.monotonic() - started < 3


def test_slow_database_does_not_slow_a_loaded_model(own_site: OwnSite, public_model: str):
    """The first caller waits for a deadline at most, the next ones not at all."""
    own_site.client.post(f"/api/predict/{public_model}", json=ROW)
    own_site.supabase.slow_down(5)
    time.sleep(2)

    started = time.monotonic()
    first = own_site.client.post(f"/api/predict/{public_model}", json=ROW)
    first_seconds = time.monotonic() - started
    started = time.monotonic()
    rest = [own_site.client.post(f"/api/predict/{public_model}", json=ROW) for _ in range(10)]

    assert {answer.status_code for answer in [first, *rest]} == {200}
    assert first_seconds < 2.5
    assert time.monotonic() - started < 1


def test_private_model_and_its_key_go_on_for_whom_they_worked(own_site: OwnSite, private_model: str, analyst: User):
    """In an outage a known key and a known token keep what they had; strangers and new keys gain nothing."""
    made = own_site.client.post("/api/keys", json={"name": "outage"}, headers=analyst.headers).json()
    key = {"x-api-key": made["key"]}
    for headers in (key, analyst.headers):
        assert own_site.client.post(f"/api/predict/{private_model}", json=ROW, headers=headers).status_code == 200
    own_site.supabase.shut()
    time.sleep(2)

    for headers in (key, analyst.headers):
        answer = own_site.client.post(f"/api/predict/{private_model}", json=ROW, headers=headers)
        assert answer.status_code == 200
        assert "database" in _degraded(answer)
    assert own_site.client.post(f"/api/predict/{private_model}", json=ROW).status_code != 200
    unknown = own_site.client.post(f"/api/predict/{private_model}", json=ROW, headers={"x-api-key": "rc_new_new"})
    assert unknown.status_code != 200


def test_known_key_asks_a_public_model_first_while_the_database_is_down(
    own_site: OwnSite, public_model: str, private_model: str, analyst: User
):
    """What everybody may see is known; whether the caller may see more of it need not be asked."""
    order = {"name": "first", "scopes": ["predict"]}
    key = own_site.client.post("/api/keys", json=order, headers=analyst.headers).json()["key"]
    headers = {"x-api-key": key}
    assert own_site.client.post(f"/api/predict/{private_model}", json=ROW, headers=headers).status_code == 200
    assert own_site.client.post(f"/api/predict/{public_model}", json=ROW).status_code == 200
    own_site.supabase.shut()
    time.sleep(2)

    answer = own_site.client.post(f"/api/predict/{public_model}", json=ROW, headers=headers)

    assert answer.status_code == 200
    assert "database" in _degraded(answer)


def test_unknown_key_still_reads_what_is_public_while_the_database_is_down(own_site: OwnSite, public_model: str):
    """A key that nobody can check counts as nobody: public models answer, and the header says so."""
    own_site.client.post(f"/api/predict/{public_model}", json=ROW)
    own_site.supabase.shut()
    time.sleep(2)

    answer = own_site.client.post(f"/api/predict/{public_model}", json=ROW, headers={"x-api-key": "rc_unseen_key"})

    assert answer.status_code == 200
    assert "keys" in _degraded(answer)


def test_gallery_is_shown_while_the_database_is_down(own_site: OwnSite, public_model: str):
    """The list that was read last goes on; what needs the database says that it is not there."""
    assert own_site.client.get("/api/models").status_code == 200
    own_site.supabase.shut()
    time.sleep(2)

    answer = own_site.client.get("/api/models")

    assert public_model in {model["slug"] for model in answer.json()["models"]}
    assert "database" in _degraded(answer)
    assert own_site.client.get("/api/models/none").status_code == 503


def test_readiness_names_what_is_down(own_site: OwnSite):
    """Without the key-value store it is a warning; without the database it is not ready. Health asks nobody."""
    assert own_site.client.get("/api/ready").json()["checks"]["kv"]["status"] == "pass"
    own_site.kv.shut()

    warned = own_site.client.get("/api/ready")
    own_site.supabase.shut()
    failed = own_site.client.get("/api/ready")

    assert (warned.status_code, warned.json()["status"]) == (200, "warn")
    assert warned.json()["checks"]["kv"]["status"] == "warn"
    assert failed.status_code == 503
    assert failed.headers["content-type"] == "application/problem+json"
    assert failed.json()["checks"]["database"]["status"] == "fail"
    assert own_site.client.get("/api/health").status_code == 200


def test_file_that_is_not_the_certified_one_is_never_opened(
    own_site: OwnSite, publisher: Publisher, stack, unique: str
):
    """Bytes in Storage that are not the digest's are refused and not kept; the true ones are opened when they are back."""
    version = build(unique, seed=50)
    publisher.publish(unique, version)
    path = f"/storage/v1/object/models/{version.card.digest}/model.onnx"
    headers = {"content-type": "application/octet-stream", "x-upsert": "true"}
    with stack.client(is_service=True) as storage:
        storage.post(path, content=version.model + b"x", headers=headers).raise_for_status()
        refused = own_site.client.post(f"/api/predict/{unique}", json=ROW)
        storage.post(path, content=version.model, headers=headers).raise_for_status()

    assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
    assert not list(own_site.cache.glob(f"{version.card.digest}/*"))
    assert own_site.client.post(f"/api/predict/{unique}", json=ROW).status_code == 200


def test_model_on_disk_needs_no_storage(own_site: OwnSite, publisher: Publisher, unique: str):
    """A fetched file stays on the instance's disk under its digest."""
    version = build(unique, seed=51)
    publisher.publish(unique, version)

    assert own_site.client.get(f"/api/models/{unique}/artifact").content == version.model
    own_site.supabase.shut()

    assert own_site.client.post(f"/api/predict/{unique}", json=ROW).status_code == 200


def test_storage_alone_may_be_down(own_site: OwnSite, publisher: Publisher, public_model: str, unique: str):
    """What is loaded goes on as if nothing were; a version that was never fetched is 503, and opens when it can.

    On a busy machine the database, too, may be late once: what is said of it settles, what is said of Storage stays.
    """
    publisher.publish(unique, build(unique, seed=52))
    assert own_site.client.post(f"/api/predict/{public_model}", json=ROW).status_code == 200
    own_site.supabase.refuse("/storage/")

    for attempt in range(_ATTEMPTS):
        row = {**ROW, "length": 8.125 + attempt}
        loaded = own_site.client.post(f"/api/predict/{public_model}", json=row)
        unfetched = own_site.client.post(f"/api/predict/{unique}", json=ROW)
        ready = own_site.client.get("/api/ready")
        if not _degraded(loaded) and _failing(ready) == {"storage"}:
            break
        time.sleep(1)

    assert (loaded.status_code, _degraded(loaded)) == (200, "")
    assert (unfetched.status_code, unfetched.json()["code"]) == (503, "unavailable")
    assert unfetched.headers["retry-after"]
    assert ready.status_code == 503
    assert _failing(ready) == {"storage"}
    own_site.supabase.refuse("")
    assert own_site.wait_until(f"/api/predict/{unique}?length=1", 200).status_code == 200
    assert own_site.wait_until("/api/ready", 200).status_code == 200


def test_loaded_model_answers_while_everything_is_down(own_site: OwnSite, public_model: str):
    """Database, Storage and key-value store gone together: what is loaded answers, new rows included."""
    assert own_site.client.post(f"/api/predict/{public_model}", json=ROW).status_code == 200
    own_site.supabase.shut()
    own_site.kv.shut()
    time.sleep(2)

    answers = [
        own_site.client.post(f"/api/predict/{public_model}", json={**ROW, "length": index}) for index in range(20)
    ]

    assert {answer.status_code for answer in answers} == {200}
    assert all("database" in _degraded(answer) for answer in answers)


def test_version_that_was_never_fetched_is_unavailable_without_storage(
    own_site: OwnSite, publisher: Publisher, unique: str
):
    """A version that is known, whose file is nowhere here, is 503 and not an error of ours; later it opens."""
    publisher.publish(unique, build(unique, seed=60))
    assert own_site.client.get(f"/api/models/{unique}/card").status_code == 200
    own_site.supabase.shut()

    answer = own_site.client.post(f"/api/predict/{unique}", json=ROW)

    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    own_site.supabase.open()
    assert own_site.wait_until(f"/api/predict/{unique}?length=1", 200).status_code == 200


def test_a_slow_call_of_the_database_is_told_without_what_was_looked_for(own_site: OwnSite, unique: str):
    """The log names the path and the time, so that a missing index is found; values stay out of it."""
    own_site.supabase.slow_down(0.6)

    assert own_site.client.get(f"/api/models/{unique}").status_code in {404, 503}

    slow = [
        line for line in own_site.log.read_text(encoding="utf-8").splitlines() if "slow call of the database" in line
    ]
    assert slow
    assert json.loads(slow[-1])["ms"] >= 1000
    assert unique not in slow[-1]
