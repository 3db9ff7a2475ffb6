"""What every answer carries: an id, the one problem body, CORS, limits, one log line without anybody's data."""

import json
import re
import time
from collections.abc import Iterator

import httpx
import pytest

from api._lib.app import MAX_BODY_BYTES, restore_path
from api._lib.settings import settings
from tests.api.conftest import OwnSite
from tests.conftest import User

PROBLEM_FIELDS = {"type", "title", "status", "detail", "code", "error", "errors"}


def _log_line(site: OwnSite, request_id: str) -> dict:
    """Find the line of a request: it is written after the answer has gone out."""
    ends_at = time.monotonic() + 5
    while time.monotonic() < ends_at:
        written = site.log.read_text().rpartition("\n")[0]  # the last line may be half written
        lines = [json.loads(line) for line in written.splitlines() if line.startswith("{")]
        for line in lines:
            if line.get("request_id") == request_id and line["event"] == "request":
                return line
        time.sleep(0.05)
    raise AssertionError("the request was not logged")


def _failures(site: OwnSite, user: User, owner: User, model: str) -> Iterator[tuple[int, httpx.Response]]:
    """Fail in every way there is."""
    client, predict = site.client, f"/api/predict/{model}"
    yield 400, client.post(predict, content=b"{")
    yield 400, client.post("/api/runs", content=b"{", headers={**user.headers, "content-type": "application/json"})
    yield 401, client.get("/api/runs")
    yield 401, client.get("/api/models", headers={"authorization": "Bearer x.y.z"})
    yield 401, client.get("/api/models", headers={"authorization": "Basic eA=="})
    yield (
        403,
        client.put(f"/api/models/{model}/aliases/champion", json={"version": 2, "reason": "x"}, headers=user.headers),
    )
    yield 404, client.get("/api/nothing-here")
    yield 404, client.get("/api/models/none")
    yield 405, client.delete("/api/models")
    order = {"version": 1, "reason": "where it is already"}
    yield 409, client.put(f"/api/models/{model}/aliases/champion", json=order, headers=owner.headers)
    yield 413, client.post(predict, content=b" " * (MAX_BODY_BYTES + 1))
    yield 413, client.post(predict, content=iter([b" " * 1_000_000] * 5))
    yield 415, client.post(predict, content=b"x", headers={"content-type": "image/png"})
    yield 422, client.post(predict, json={"rows": []})
    yield 422, client.get("/api/runs", params={"limit": 0}, headers=user.headers)
    yield 422, client.post("/api/runs", json={}, headers=user.headers)


def test_every_failure_has_the_one_body(own_site: OwnSite, public_model: str, stranger: User, analyst: User):
    """However a request fails, the body has the same members, the same media type and says the status again."""
    seen = set()
    for status, answer in _failures(own_site, stranger, analyst, public_model):
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        body = answer.json()
        assert set(body) == PROBLEM_FIELDS
        assert (body["status"], body["error"], body["type"]) == (status, body["detail"], "about:blank")
        assert re.fullmatch(r"[a-z_]+", body["code"])
        assert all(set(error) == {"pointer", "detail"} and error["pointer"].startswith("#") for error in body["errors"])
        assert "Traceback" not in answer.text
        assert answer.headers["x-request-id"]
        seen.add(status)
    assert seen == {400, 401, 403, 404, 405, 409, 413, 415, 422}


def test_request_id_of_the_caller_is_kept(own_site: OwnSite):
    """A caller's id comes back and stands in the log; one that could break a log line is replaced."""
    assert own_site.client.get("/api/health", headers={"x-request-id": "my-id.1"}).headers["x-request-id"] == "my-id.1"

    for odd in ("a b", "x" * 200, '"', ""):
        assert own_site.client.get("/api/health", headers={"x-request-id": odd}).headers["x-request-id"] != odd


def test_log_line_has_fixed_keys_and_nobodys_data(own_site: OwnSite, public_model: str, analyst: User):
    """One line per request says what happened, and holds no cell, no query, no token."""
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
    headers = {**analyst.headers, "traceparent": f"00-{trace_id}-00f067aa0ba902b7-01"}
    answer = own_site.client.post(
        f"/api/predict/{public_model}?secret=query",
        json={"length": 8765.4321, "island": "Hidden-Island"},
        headers=headers,
    )

    line = _log_line(own_site, answer.headers["x-request-id"])

    assert {"method", "route", "status", "ms", "model", "version", "rows", "trace_id", "level", "timestamp"} <= set(
        line
    )
    assert (line["route"], line["model"], line["version"]) == ("/api/predict/{model}", public_model, 1)
    assert line["trace_id"] == trace_id
    text = own_site.log.read_text()
    assert not any(
        hidden in text for hidden in ("Hidden-Island", "8765.4321", "secret=query", analyst.access_token[-20:])
    )


@pytest.mark.parametrize(
    "traceparent",
    [
        "",
        "00-" + "0" * 32 + "-00f067aa0ba902b7-01",
        "garbage",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
    ],
)
def test_bad_trace_starts_a_new_one(own_site: OwnSite, traceparent: str):
    """A trace header that means nothing is no reason to fail."""
    answer = own_site.client.get("/api/health", headers={"traceparent": traceparent})

    trace_id = _log_line(own_site, answer.headers["x-request-id"])["trace_id"]
    assert re.fullmatch(r"[0-9a-f]{32}", trace_id)
    assert trace_id not in traceparent.lower()


def test_cors_lets_listed_origins_read(own_site: OwnSite):
    """A listed page may read every answer, failures included; others may not; a preflight names what is allowed."""
    allowed = {"origin": "https://allowed.example"}
    for path in ("/api/health", "/api/nothing"):
        assert own_site.client.get(path, headers=allowed).headers["access-control-allow-origin"] == allowed["origin"]
    other = own_site.client.get("/api/health", headers={"origin": "https://other.example"})
    assert "access-control-allow-origin" not in other.headers
    assert "origin" in other.headers["vary"]
    preflight = own_site.client.options("/api/predict/x", headers={**allowed, "access-control-request-method": "POST"})
    assert preflight.status_code == 204
    assert "POST" in preflight.headers["access-control-allow-methods"]
    assert "x-api-key" in preflight.headers["access-control-allow-headers"]


def test_answers_are_safe_to_show(own_site: OwnSite):
    """Nothing is sniffed, nothing is stored unless it says so."""
    headers = own_site.client.get("/api/health").headers

    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"


def test_head_answers_like_get_without_a_body(own_site: OwnSite):
    """HEAD works wherever GET does."""
    answer = own_site.client.head("/api/models")

    assert answer.status_code == 200
    assert int(answer.headers["content-length"]) > 0
    assert answer.content == b""


def test_too_large_body_says_the_way(own_site: OwnSite, public_model: str):
    """Above the platform's limit the answer names the way that has none."""
    answer = own_site.client.post(f"/api/predict/{public_model}", content=b" " * (MAX_BODY_BYTES + 1))

    assert answer.status_code == 413
    assert "/api/datasets" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("path", "query", "is_on_vercel", "seen_path", "seen_query"),
    [
        ("/api/predict", "__path=/api/predict/penguins%401&x=1", True, "/api/predict/penguins@1", "x=1"),
        ("/api/inference", "__path=/v2/models/penguins/infer", True, "/v2/models/penguins/infer", ""),
        ("/api/predict/penguins", "x=1&__path=/api/predict/penguins", True, "/api/predict/penguins", "x=1"),
        ("/api/predict", "__path=/api/predict/penguins", False, "/api/predict", ""),
        ("/api/models/x/card", "__path=/api/keys", True, "/api/models/x/card", ""),
    ],
)
def test_rewritten_request_gets_its_path_back(
    monkeypatch: pytest.MonkeyPatch, path, query, is_on_vercel, seen_path, seen_query
):
    """Whether the platform hands over the caller's path or the function's, the routes see the caller's."""
    if is_on_vercel:
        monkeypatch.setenv("VERCEL", "1")
    settings.cache_clear()
    scope = {"path": path, "query_string": query.encode()}

    restore_path(scope)

    settings.cache_clear()
    assert (scope["path"], scope["query_string"].decode()) == (seen_path, seen_query)
