"""What every answer carries, what none may carry, and what never reaches a log."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.api.conftest import api_process
from tests.conftest import RunningStack, User

PAGES = ["/", "/models/penguins", "/nowhere", "/pinging", "/v2000"]
ANSWERS = [
    "/api/health",
    "/api/models",
    "/api/models/no-such-model",
    "/api/nothing/here",
    "/api/keys",
    "/v2/health/live",
    "/ping",
]
YEAR_SECONDS = 365 * 24 * 3600

ROW_VALUE = "planted-cell-7261"
WRONG_KEY = "rc_planted0key_" + "k" * 40
WRONG_TOKEN = "planted.token.value"


@pytest.mark.parametrize("path", [*PAGES, *ANSWERS])
def test_every_answer_is_hardened(api: httpx.Client, path: str):
    """Transport, framing, sniffing, referrer and features: on pages, on data, on refusals."""
    headers = api.get(path).headers

    age = re.match(r"max-age=(\d+); includeSubDomains", headers["strict-transport-security"])
    assert age is not None
    assert int(age[1]) >= YEAR_SECONDS
    assert headers["x-frame-options"] == "DENY"
    assert headers.get_list("x-content-type-options") == ["nosniff"]
    assert headers["referrer-policy"] == "strict-origin-when-cross-origin"
    for feature in ("camera", "geolocation", "microphone", "payment"):
        assert f"{feature}=()" in headers["permissions-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "set-cookie" not in headers


@pytest.mark.parametrize("path", PAGES)
def test_pages_run_their_own_scripts_only(api: httpx.Client, path: str):
    """Nothing inline, nothing evaluated but WebAssembly, nothing from elsewhere."""
    policy = _policy(api.get(path))

    assert set(policy["script-src"]) == {"'self'", "'wasm-unsafe-eval'"}
    assert policy["style-src"] == ["'self'"]
    assert policy["object-src"] == policy["base-uri"] == ["'none'"]
    assert "*" not in policy["connect-src"]


@pytest.mark.parametrize("path", ANSWERS)
def test_data_is_no_page(api: httpx.Client, path: str):
    """An answer that a browser shows as a page can load, send and frame nothing."""
    policy = _policy(api.get(path))

    assert policy["default-src"] == policy["form-action"] == policy["base-uri"] == ["'none'"]


def test_no_page_gets_credentials_of_a_browser(api: httpx.Client, analyst: User):
    """Tokens travel in headers that a foreign page does not have: no cookie is set, none is asked for."""
    for origin in ("https://evil.example", "null"):
        asked = api.options("/api/keys", headers={"origin": origin, "access-control-request-method": "POST"})
        answered = api.get("/api/keys", headers={"origin": origin, **analyst.headers})
        for answer in (asked, answered):
            assert "access-control-allow-credentials" not in answer.headers
            assert "set-cookie" not in answer.headers


@pytest.fixture
def talkative(
    stack: RunningStack, public_model: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[httpx.Client, Path]]:
    """Run an instance that logs all it ever would, and say where."""
    folder = tmp_path_factory.mktemp("talkative")
    with api_process(stack, folder, ROWCAST_LOG_LEVEL="debug", KV_REST_API_URL="http://127.0.0.1:9") as client:
        yield client, folder / "log"


def test_logs_hold_neither_secrets_nor_rows(
    talkative: tuple[httpx.Client, Path], stack: RunningStack, public_model: str, private_model: str, analyst: User
):
    """A whole session, with everything that can go wrong in it, leaves no value, token, key or password in the log."""
    client, log = talkative
    key = client.post("/api/keys", json={"name": "k", "scopes": ["predict", "train"]}, headers=analyst.headers).json()[
        "key"
    ]
    row = {"length": 1, "island": ROW_VALUE}
    answers = [
        client.post(f"/api/predict/{public_model}", json=row),
        client.post(f"/api/predict/{private_model}?explain=1", json=row, headers={"x-api-key": key}),
        client.get(f"/api/predict/{public_model}", params=row),
        client.post(f"/api/predict/{public_model}", json={"length": ROW_VALUE}),
        client.post(
            f"/api/predict/{public_model}", content=f"length,{ROW_VALUE}\n1,2\n", headers={"content-type": "text/csv"}
        ),
        client.post(f"/api/predict/{public_model}", content=f'{{"length": {ROW_VALUE}'.encode()),
        client.post(f"/api/predict/{public_model}/what-if", json={"row": row, "feature": ROW_VALUE}),
        client.post(f"/invocations/{public_model}", json={"dataframe_records": [row]}),
        client.post(
            f"/v2/models/{public_model}/infer",
            json={"inputs": [{"name": "island", "datatype": "BYTES", "shape": [1], "data": [ROW_VALUE]}]},
        ),
        client.post("/api/keys", json={"name": "k", "scopes": [ROW_VALUE]}, headers=analyst.headers),
        client.get("/api/me", headers={"x-api-key": WRONG_KEY}),
        client.get("/api/me", headers={"authorization": f"Bearer {WRONG_TOKEN}"}),
        client.get(f"/api/models/{public_model}", headers={"authorization": f"Basic {WRONG_TOKEN}"}),
        client.post("/api/datasets", json={"filename": f"{ROW_VALUE}.csv", "size_bytes": 0}, headers=analyst.headers),
        client.get("/api/keys", headers=analyst.headers),
    ]
    assert {answer.status_code // 100 for answer in answers} == {2, 4}

    ends_at = time.monotonic() + 10
    while (written := log.read_text()).count('"event":"request"') < len(answers):
        assert time.monotonic() < ends_at, "a request has left no line"
        time.sleep(0.05)
    secrets = {
        name: value for name, value in stack.environ.items() if "KEY" in name or "SECRET" in name or "TOKEN" in name
    }
    secrets |= {
        "the row": ROW_VALUE,
        "the key": key,
        "the person's token": analyst.access_token,
        "address": analyst.email,
    }
    secrets |= {
        "the wrong key": WRONG_KEY,
        "the wrong token": WRONG_TOKEN,
        "the database": stack.environ["DATABASE_URL"],
    }
    assert [name for name, value in secrets.items() if value in written] == []


def test_failures_tell_nothing_of_the_inside(talkative: tuple[httpx.Client, Path], public_model: str):
    """A refusal names what the caller sent and what to change: no path, no statement, no traceback, no package."""
    client, _ = talkative
    bodies = [
        client.post(f"/api/predict/{public_model}", content=b"\xff\xfe"),
        client.post(f"/api/predict/{public_model}", json={"length": {"a": 1}}),
        client.get("/api/models/%00"),
        client.get("/api/runs/'or 1=1"),
        client.get("/api/me", headers={"authorization": "Bearer é.é.é".encode()}),
    ]

    for answer in bodies:
        assert 400 <= answer.status_code < 500, answer.text
        assert not re.search(r"Traceback|File \"|/site-packages/|psycopg|select |PGRST|\bpydantic\b", answer.text)


def _policy(answer: httpx.Response) -> dict[str, list[str]]:
    """Read a content security policy."""
    parts = [part.split() for part in answer.headers["content-security-policy"].split(";")]
    return {name: values for name, *values in parts}
