"""What every path answers to HEAD, OPTIONS, browsers of other origins, and those who have the answer already."""

import hashlib

import httpx
import pytest

from tests.conftest import User

READ_BY_ANYBODY = [
    "/api/health",
    "/api/models",
    "/api/models/{}",
    "/api/models/{}/versions",
    "/api/models/{}/card",
    "/api/models/{}/artifact",
    "/api/models/{}/openapi.json",
    "/api/openapi.json",
    "/api/predict/{}?length=1",
    "/v2",
    "/v2/health/live",
    "/v2/models/{}",
    "/v2/models/{}/ready",
    "/ping",
    "/version",
]


@pytest.mark.parametrize("path", READ_BY_ANYBODY)
def test_head_is_get_without_its_body(api: httpx.Client, contract_model: str, path: str):
    """The same status and headers, and nothing after them."""
    address = path.format(contract_model)
    got, asked = api.get(address), api.head(address)

    assert asked.status_code == got.status_code == 200
    assert asked.content == b""
    for name in ("content-type", "etag", "cache-control", "content-encoding"):
        assert asked.headers.get(name) == got.headers.get(name)
    if "predict" not in path:  # its length is that of an id and of times
        assert asked.headers["content-length"] == got.headers["content-length"]


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/api/models", {"GET"}),
        ("/api/models/{}", {"GET", "PATCH"}),
        ("/api/models/{}/aliases/champion", {"DELETE", "PUT"}),
        ("/api/predict/{}", {"GET", "POST"}),
        ("/api/predict/{}/what-if", {"POST"}),
        ("/api/keys", {"GET", "POST"}),
        ("/api/datasets", {"GET", "POST"}),
        ("/v2/models/{}/infer", {"POST"}),
        ("/invocations/{}", {"POST"}),
    ],
)
def test_options_names_every_method(api: httpx.Client, contract_model: str, path: str, methods: set[str]):
    """All of a path's methods, not only its first route's; a refused method is told the same."""
    address = path.format(contract_model)
    wanted = methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set())

    asked, refused = api.options(address), api.request("TRACE", address)

    assert (asked.status_code, asked.content) == (204, b"")
    assert set(asked.headers["allow"].split(", ")) == wanted
    assert (refused.status_code, refused.json()["code"]) == (405, "method_not_allowed")
    assert set(refused.headers["allow"].split(", ")) == wanted


def test_options_of_nothing_is_404(api: httpx.Client):
    """There is nothing to ask about."""
    assert api.options("/api/nothing-here").status_code == 404


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_pages_of_other_origins_may_ask_first(api: httpx.Client, contract_model: str, method: str):
    """A browser's question is answered for every method and every header that a route reads, without a caller."""
    names = "authorization, content-type, idempotency-key, x-api-key, inference-header-content-length, if-none-match"
    headers = {
        "origin": "https://elsewhere.example",
        "access-control-request-method": method,
        "access-control-request-headers": names,
    }

    answer = api.options(f"/api/models/{contract_model}", headers=headers)

    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == "*"
    assert method in answer.headers["access-control-allow-methods"].split(", ")
    assert set(names.split(", ")) <= set(answer.headers["access-control-allow-headers"].split(", "))
    assert "access-control-allow-credentials" not in answer.headers


def test_pages_read_what_the_answer_tells(api: httpx.Client, contract_model: str):
    """Every header that means something is exposed to the page."""
    headers = {"origin": "https://elsewhere.example"}

    answer = api.post(f"/api/predict/{contract_model}", json={"length": 1}, headers=headers)

    exposed = set(answer.headers["access-control-expose-headers"].split(", "))
    told = {name for name in answer.headers if name.startswith(("x-rowcast", "server-timing", "ratelimit"))}
    assert told <= exposed
    assert {"etag", "x-request-id", "retry-after", "idempotency-replayed", "x-rowcast-degraded"} <= exposed


def test_model_file_is_kept_for_good(api: httpx.Client, contract_model: str):
    """Its tag is the SHA-256 of its bytes, strong; a number never changes, an alias may at any moment."""
    path = f"/api/models/{contract_model}/artifact"
    champion, numbered = api.get(path), api.get(path, params={"version": "1"})

    for answer in (champion, numbered):
        assert answer.headers["etag"] == f'"{hashlib.sha256(answer.content).hexdigest()}"'
        again = api.get(path, headers={"if-none-match": answer.headers["etag"]})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", answer.headers["etag"])
    assert "immutable" in numbered.headers["cache-control"]
    assert "must-revalidate" in champion.headers["cache-control"]


@pytest.mark.parametrize(
    ("known", "status"), [("*", 304), ('"other"', 200), ('"a", {}, "b"', 304), ("W/{}", 304), ("", 200)]
)
def test_if_none_match_is_read_as_the_standard_says(api: httpx.Client, contract_model: str, known: str, status: int):
    """A list, a star, a weak tag: RFC 9110 section 13.1.2."""
    path = f"/api/models/{contract_model}/card"
    etag = api.get(path, headers={"accept-encoding": "identity"}).headers["etag"]

    assert api.get(path, headers={"if-none-match": known.format(etag)}).status_code == status


def test_what_is_private_is_not_kept_by_others(api: httpx.Client, contract_owner: User, contract_model: str):
    """An answer to somebody says so to the caches on the way."""
    listed = api.get("/api/models", headers=contract_owner.headers)

    assert listed.headers["cache-control"].startswith("private")
    assert "authorization" in listed.headers["vary"]
    assert api.get("/api/keys", headers=contract_owner.headers).headers["cache-control"] == "no-store"
