"""Actuals and opinions: late, repeated, corrected, by CSV; and from whom they are taken."""

import time
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from uuid_utils import uuid7

from tests.conftest import User
from tests.monitoring.conftest import Watched, predicted

UNKNOWN = {"prediction_id": "0192f0c1-0000-7000-8000-000000000000"}
STATED = ("accepted", "corrected", "unchanged")


def send(client: httpx.Client, *actuals: dict[str, Any]) -> tuple[tuple[int, ...], list[dict[str, Any]]]:
    """Send actuals and return how many were new, corrected and known, and which were refused."""
    answer = client.post("/api/feedback", json={"actuals": actuals})
    assert answer.status_code == 200, answer.text
    taken = answer.json()
    return tuple(taken[name] for name in STATED), taken["refused"]


def test_what_was_just_predicted_takes_its_actual(api: httpx.Client, as_owner: httpx.Client, watched: Watched):
    """From the answer's id to live quality, through the public doors only."""
    row = {"length": 9, "width": 0, "island": "Biscoe"}
    answer = as_owner.post(f"/api/predict/{watched.slug}", json=row).json()
    given = {"prediction_id": answer["id"], "actual": answer["predictions"][0]["label"]}
    ends_at = time.monotonic() + 10
    while (taken := as_owner.post("/api/feedback", json=given)).status_code == 422 and time.monotonic() < ends_at:
        time.sleep(0.05)  # the log is written behind the answer

    assert taken.json() == {"accepted": 1, "corrected": 0, "unchanged": 0, "refused": []}
    quality = as_owner.get(f"/api/metrics/{watched.slug}").json()["quality"]
    assert [(each["version"], each["actuals"], each["accuracy"]["value"]) for each in quality] == [(1, 1, 1.0)]
    assert api.post("/api/feedback", json=given).status_code == 401


def test_repeats_change_nothing_and_corrections_stand(as_owner: httpx.Client, watched: Watched):
    """The same value twice is one; a later observation corrects an earlier one, and never the other way round."""
    (one,) = watched.log(predicted("Adelie"))
    first = {"prediction_id": one, "actual": "Gentoo", "observed_at": "2026-11-20T10:00:00Z"}

    assert send(as_owner, first) == ((1, 0, 0), [])
    assert send(as_owner, first) == ((0, 0, 1), [])
    assert send(as_owner, {**first, "actual": "Adelie", "observed_at": "2026-11-19T10:00:00Z"}) == ((0, 0, 1), [])
    assert send(as_owner, {**first, "actual": "Adelie", "observed_at": "2026-11-21T10:00:00Z"}) == ((0, 1, 0), [])
    assert watched.value("select is_right from public.actuals where prediction_id = %s", one) is True


def test_offsets_of_any_size_are_understood(as_owner: httpx.Client, watched: Watched):
    """Postgres takes offsets below 16 hours, the format of a moment goes up to 24."""
    (one,) = watched.log(predicted("Adelie"))

    given = {"prediction_id": one, "actual": "Gentoo", "observed_at": "2026-11-21T00:30:00+23:30"}

    assert send(as_owner, given) == ((1, 0, 0), [])
    known = watched.value("select observed_at from public.actuals where prediction_id = %s", one)
    assert known == datetime(2026, 11, 20, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("sent", "meant"),
    [("12", 12), (" -1.5e3 ", -1500), ("1e-400", 0), ("1e999", None), ("9" * 400, None), ("Adelie", None)],
)
def test_numbers_beyond_range_are_no_values(watched: Watched, sent: str, meant: float | None):
    """They stop neither those sent beside them nor the sums of squared errors."""
    assert watched.value("select private.number_meant(%s)", sent) == meant


def test_many_come_as_csv(as_owner: httpx.Client, watched: Watched):
    """A table of ids and values is taken, each line by itself; what cannot be taken is named by its line."""
    known = watched.log(predicted("Adelie"), predicted("Gentoo"), predicted("Gentoo"))
    unknown = str(uuid7())
    lines = [
        f"{known[0]},Adelie,0",
        f"{known[1]},Chinstrap,",
        f"{known[2]},Dodo,",
        f"{unknown},Adelie,",
        f"{known[2]},Adelie,5",
    ]
    content = "\ufeffprediction_id,actual,row\r\n" + "\r\n".join(lines)

    answer = as_owner.post(
        "/api/feedback", content=content.encode(), headers={"content-type": "text/csv; charset=utf-8"}
    )

    taken = answer.json()
    assert tuple(taken[name] for name in STATED) == (2, 0, 0)
    assert [(each["index"], each["code"]) for each in taken["refused"]] == [
        (2, "not_a_value"),
        (3, "unknown"),
        (4, "no_row"),
    ]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"prediction_id": "no", "actual": "x"}, "#/prediction_id"),
        (UNKNOWN, "#/actual"),
        ({**UNKNOWN, "actual": None}, "#/actual"),
        ({**UNKNOWN, "actual": "x", "row": -1}, "#/row"),
        ({**UNKNOWN, "opinion": "meh"}, "#/opinion"),
        ({**UNKNOWN, "actual": "x"}, "#/prediction_id"),
        ({"actuals": []}, "#/actuals"),
        ({**UNKNOWN, "actual": "x", "observed_at": "0001-01-01T00:00:00+01:00"}, "#/observed_at"),
        ({**UNKNOWN, "actual": "x", "observed_at": "2026-11-29T00:00:00"}, "#/observed_at"),
    ],
)
def test_bad_feedback_is_refused_at_its_field(as_owner: httpx.Client, body: dict[str, Any], pointer: str):
    answer = as_owner.post("/api/feedback", json=body)

    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize(
    ("content", "form", "status"),
    [
        (b"{", "application/json", 400),
        (b"[]", "application/json", 422),
        (b"a,b\n1,2\n", "text/csv", 422),
        (b"\xff\xfe", "text/csv", 400),
    ],
)
def test_what_cannot_be_read_is_refused(as_owner: httpx.Client, content: bytes, form: str, status: int):
    assert as_owner.post("/api/feedback", content=content, headers={"content-type": form}).status_code == status


def test_strangers_are_told_of_nothing(site_url: str, stranger: User, watched: Watched):
    """Somebody else's prediction looks like one that never was, for actuals and for opinions."""
    (one,) = watched.log(predicted())
    with httpx.Client(base_url=site_url, headers=stranger.headers, trust_env=False) as client:
        refused = send(client, {"prediction_id": one, "actual": "Adelie"})[1]
        opinion = client.post("/api/feedback", json={"prediction_id": one, "opinion": "bad"})

    assert [each["code"] for each in refused] == ["unknown"]
    assert opinion.status_code == 404


def test_who_asked_may_say_what_came_true(site_url: str, stranger: User, watched: Watched):
    """A customer with a key of their own sends the truth for their own predictions, and for no others."""
    own, other = watched.log(predicted(caller_kind="user", caller_id=stranger.id), predicted())
    with httpx.Client(base_url=site_url, headers=stranger.headers, trust_env=False) as client:
        counts, refused = send(
            client, {"prediction_id": own, "actual": "Adelie"}, {"prediction_id": other, "actual": "Adelie"}
        )

    assert counts == (1, 0, 0)
    assert [each["index"] for each in refused] == [1]


def test_a_key_needs_the_scope_and_keeps_to_its_model(
    as_owner: httpx.Client, site_url: str, watched: Watched, unique: str
):
    """A key with the scope feedback sends actuals; one for another model is told of no such prediction."""
    (one,) = watched.log(predicted())
    actual = {"prediction_id": one, "actual": "Adelie"}

    def outcome(**order: Any) -> tuple[int, list[str]]:
        key = as_owner.post("/api/keys", json={"name": unique, **order}).json()["key"]
        headers = {"authorization": f"Bearer {key}"}
        answer = httpx.post(f"{site_url}/api/feedback", json={"actuals": [actual]}, headers=headers, trust_env=False)
        return answer.status_code, [each["code"] for each in answer.json().get("refused", ())]

    assert outcome(scopes=["predict"])[0] == 403
    assert outcome(scopes=["feedback"], model=watched.slug) == (200, [])


def test_thumbs_are_taken_from_visitors(api: httpx.Client, as_owner: httpx.Client, watched: Watched):
    """Anybody who may use a public model may say whether an answer was good, and change their mind."""
    watched.value("update public.models set visibility = 'public' where slug = %s returning 1", watched.slug)
    (one,) = watched.log(predicted())

    for opinion in ("good", "bad"):
        answer = api.post("/api/feedback", json={"prediction_id": one, "opinion": opinion, "comment": "Hm."})
        assert answer.status_code == 200, answer.text
    too_far = api.post("/api/feedback", json={"prediction_id": one, "row": 1, "opinion": "bad"})

    assert too_far.status_code == 404
    assert as_owner.get(f"/api/metrics/{watched.slug}").json()["opinions"] == {"good": 0, "bad": 1}
