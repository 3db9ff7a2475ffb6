"""An app in this process whose requests go one of two ways, and what both must say alike."""

import json
import re
import time
from collections.abc import Mapping

import httpx
import orjson
import pytest
from starlette.testclient import TestClient

from api._lib import auth, kv, limits, registry, upstream
from api._lib.app import Api
from api._lib.store import predictions
from tests.api.test_quotas import NOON
from tests.conftest import RunningStack

ROW = {"length": 1.5, "width": 2, "island": "Dream"}


class Ways:
    """An app in this process, and which way its requests went."""

    def __init__(self, client: TestClient) -> None:
        self.client = client
        self.short = 0
        self.lines: list[bytes] = []
        self.records: list[bytes] = []

    def ask(self, model: str, content: bytes = orjson.dumps(ROW), **headers: str) -> tuple[httpx.Response, str]:
        """Send a question; says which way it went."""
        before = self.short
        path = f"/api/predict/{model}"
        answer = self.client.post(path, content=content, headers={"content-type": "application/json", **headers})
        return answer, "short" if self.short > before else "long"

    def become_regular(self, model: str, content: bytes = orjson.dumps(ROW), **headers: str) -> None:
        """Ask until a question goes the short way; the next one does, too."""
        ends_at = time.monotonic() + 5
        while self.ask(model, content, **headers)[1] == "long":
            assert time.monotonic() < ends_at

    def ask_in_parts(self, app: Api, model: str, parts: list[bytes], key: str) -> list[object]:
        """Send a body in several messages, as no client of this process does; returns the status of each that came back."""
        answered: list[object] = []

        async def receive() -> dict[str, object]:
            return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}

        async def send(message: Mapping[str, object]) -> None:
            answered.append(message.get("status"))

        self.client.portal.call(app, _scope(model, key), receive, send)
        return answered

    async def ask_here(self, app: Api, model: str, content: bytes, key: str) -> dict[str, object]:
        """Send a body from within the app's event loop, where others may do the same meanwhile; returns the answer."""
        told: list[bytes] = []

        async def receive() -> dict[str, object]:
            return {"type": "http.request", "body": content, "more_body": False}

        async def send(message: Mapping[str, object]) -> None:
            told.append(message.get("body", b""))

        await app(_scope(model, key), receive, send)
        return orjson.loads(b"".join(told))


def _scope(model: str, key: str) -> dict[str, object]:
    headers = [(b"accept", b"*/*"), (b"content-type", b"application/json"), (b"x-api-key", key.encode())]
    return {
        "type": "http",
        "method": "POST",
        "path": f"/api/predict/{model}",
        "query_string": b"",
        "headers": headers,
    }


def told(answer: httpx.Response) -> list[tuple[str, str]]:
    """Give the headers but for their order, with what is new in each request left out."""
    kept = {**answer.headers, "ratelimit": re.sub(r"[rt]=\d+", "", answer.headers["ratelimit"])}
    kept["server-timing"] = re.sub(r"\d+\.\d+", "", kept["server-timing"])
    if kept["x-request-id"] == answer.json()["id"]:
        kept["x-request-id"] = "made"
    kept["content-length"] = str(len(answer.content) - int(kept["content-length"]))
    return sorted(kept.items())


def body(answer: httpx.Response) -> dict[str, object]:
    return {name: value for name, value in answer.json().items() if name not in {"id", "timing"}} | {
        "timing": list(answer.json()["timing"])
    }


def line(line: bytes, answer: httpx.Response) -> bytes:
    """Give a log line, its members in their order, with what is new in each request left out."""
    made = answer.json()["id"]
    line = line.replace(made.encode(), b"made").replace(made.replace("-", "").encode(), b"made")
    return re.sub(rb'"timestamp":"[^"]*"|\d+\.\d+', b"", line)


def record(record: bytes, answer: httpx.Response) -> dict[str, object]:
    found = json.loads(record)
    assert found["id"] == answer.json()["id"]
    assert abs(found["total_ms"] - answer.json()["timing"]["total_ms"]) < 1e-9
    return {name: value for name, value in found.items() if name not in {"id", "at", "total_ms"}}


def believe(monkeypatch: pytest.MonkeyPatch, models: float, keys: float) -> None:
    """Say for how many seconds look-ups are believed: by default no renewal is due in the middle of a test."""
    monkeypatch.setattr(registry._public, "_max_age", models)
    monkeypatch.setattr(auth._keys, "_max_age", keys)


def stop_the_clock() -> None:
    """Let no window of the quotas end while requests are counted."""
    for ledger in limits._ledgers()[:-1]:
        ledger._clock = lambda: NOON


def loops_with_connections() -> set[object]:
    return {*upstream._clients, *predictions._connections, *kv._clients}


def promote(stack: RunningStack, slug: str, number: int) -> None:
    with stack.connect() as connection:
        connection.execute(
            "select private.move_alias(v.model_id, 'champion', v.id, 'better', '{}', null)"
            " from public.versions v join public.models m on m.id = v.model_id where m.slug = %s and v.number = %s",
            (slug, number),
        )


def left(answer: httpx.Response) -> int:
    return int(re.search(r"r=(\d+)", answer.headers["ratelimit"])[1])
