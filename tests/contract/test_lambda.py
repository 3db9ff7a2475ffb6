"""The API on AWS Lambda: each way an event can come, with texts and with bytes, gets what HTTP gets."""

import base64
import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote

import httpx
import numpy as np
import orjson
import pytest

from tests.conftest import RunningStack, User

REPOSITORY = Path(__file__).parents[2]
ROW = {"length": 2.5, "width": 3, "island": "Dream"}
Event = dict[str, Any]


def rest_event(method: str, path: str, query: str, headers: dict[str, str], body: Any, *, is_base64: bool) -> Event:
    """API Gateway, REST API (payload format 1.0)."""
    pairs = parse_qsl(query)
    return {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": method,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": dict(pairs) or None,
        "multiValueQueryStringParameters": {name: [value] for name, value in pairs} or None,
        "requestContext": {
            "stage": "prod",
            "identity": {"sourceIp": "203.0.113.7"},
            "httpMethod": method,
            "path": path,
        },
        "body": body,
        "isBase64Encoded": is_base64,
    }


def http_event(method: str, path: str, query: str, headers: dict[str, str], body: Any, *, is_base64: bool) -> Event:
    """API Gateway, HTTP API (payload format 2.0)."""
    event = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers,
        "requestContext": {
            "domainName": "id.execute-api.eu-central-1.amazonaws.com",
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "203.0.113.7"},
            "stage": "$default",
        },
        "isBase64Encoded": is_base64,
    }
    return event if body is None else {**event, "body": body}


def url_event(method: str, path: str, query: str, headers: dict[str, str], body: Any, *, is_base64: bool) -> Event:
    """A function URL: format 2.0 with another domain, and an authorizer that is null."""
    event = http_event(method, path, query, headers, body, is_base64=is_base64)
    event["requestContext"] |= {"domainName": "id.lambda-url.eu-central-1.on.aws", "authentication": None}
    return event


def balancer_event(method: str, path: str, query: str, headers: dict[str, str], body: Any, *, is_base64: bool) -> Event:
    """An application load balancer: it leaves the query encoded."""
    return {
        "requestContext": {"elb": {"targetGroupArn": "arn:aws:elasticloadbalancing:eu-central-1:1:targetgroup/x/1"}},
        "httpMethod": method,
        "path": path,
        "queryStringParameters": {quote(name): quote(value) for name, value in parse_qsl(query)},
        "headers": {"host": "lb.example", "x-forwarded-for": "203.0.113.7", "x-forwarded-proto": "https", **headers},
        "body": body or "",
        "isBase64Encoded": is_base64,
    }


WAYS = {"REST API": rest_event, "HTTP API": http_event, "function URL": url_event, "load balancer": balancer_event}


class Lambda:
    """A running function, and the way its events come."""

    def __init__(self, process: subprocess.Popen[str], make_event: Callable[..., Event]) -> None:
        self._process = process
        self._make_event = make_event

    def ask(
        self,
        method: str,
        path: str,
        query: str = "",
        *,
        headers: dict[str, str] | None = None,
        body: str | bytes | None = None,
    ) -> tuple[int, dict[str, str], bytes, bool]:
        """Send an event and return status, headers, body, and whether the body came in base64."""
        is_base64 = isinstance(body, bytes)
        sent = base64.b64encode(body).decode() if isinstance(body, bytes) else body
        event = self._make_event(method, path, query, headers or {}, sent, is_base64=is_base64)
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(event) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        told = {name: ", ".join(values) for name, values in answer.get("multiValueHeaders", {}).items()}
        told |= {name.lower(): value for name, value in (answer.get("headers") or {}).items()}
        content = base64.b64decode(answer["body"]) if answer["isBase64Encoded"] else answer["body"].encode()
        return answer["statusCode"], told, content, answer["isBase64Encoded"]


@pytest.fixture(scope="module")
def process(stack: RunningStack, contract_model: str) -> Iterator[subprocess.Popen[str]]:
    """Run the handler in a process of its own, with the stack around it."""
    environ = {**os.environ, **stack.environ, "PYTHONPATH": str(REPOSITORY)}
    script = str(Path(__file__).with_name("lambda_process.py"))
    command = [sys.executable, "-W", "error", script]
    with subprocess.Popen(
        command,
        cwd=REPOSITORY,
        env=environ,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as running:
        yield running
        assert running.stdin
        running.stdin.close()
        assert running.wait(timeout=15) == 0


@pytest.fixture(params=WAYS)
def function(request: pytest.FixtureRequest, process: subprocess.Popen[str]) -> Lambda:
    """Reach the function in one of the ways."""
    return Lambda(process, WAYS[request.param])


def test_prediction_is_the_same_as_over_http(function: Lambda, api: httpx.Client, contract_model: str):
    """One row as JSON text: text in, text out."""
    path = f"/api/predict/{contract_model}"
    headers = {"content-type": "application/json"}

    status, told, content, is_base64 = function.ask("POST", path, headers=headers, body=json.dumps(ROW))

    assert (status, is_base64) == (200, False)
    assert json.loads(content)["predictions"] == api.post(path, json=ROW).json()["predictions"]
    assert told["content-type"] == "application/json"
    assert told["x-request-id"]


def test_query_is_read_as_it_was_written(function: Lambda, api: httpx.Client, contract_model: str):
    """A permalink with spaces, an ampersand and letters beyond ASCII."""
    path, query = f"/api/predict/{contract_model}", "length=1&island=S%C3%A3o%20%26%20Co%2B"

    status, _, content, _ = function.ask("GET", path, query)

    answer = json.loads(content)
    assert status == 200
    assert answer["warnings"] == api.get(f"{path}?{query}").json()["warnings"]
    assert "island" in answer["warnings"][0]["pointer"]


def test_bytes_come_in_and_go_out(function: Lambda, contract_model: str):
    """Binary tensors: the event's body in base64, and so is the answer's."""
    numbers, texts = np.array([1.5, 2.5], "<f4"), [b"Dream", "Zürich".encode()]
    blocks = [numbers.tobytes(), b"".join(len(text).to_bytes(4, "little") + text for text in texts)]
    inputs = [
        {"name": name, "datatype": kind, "shape": [2], "parameters": {"binary_data_size": len(block)}}
        for (name, kind), block in zip([("length", "FP32"), ("island", "BYTES")], blocks, strict=True)
    ]
    head = orjson.dumps({"inputs": inputs, "parameters": {"binary_data_output": True}})
    headers = {"content-type": "application/octet-stream", "inference-header-content-length": str(len(head))}

    status, told, content, is_base64 = function.ask(
        "POST", f"/v2/models/{contract_model}/infer", headers=headers, body=head + b"".join(blocks)
    )

    assert (status, is_base64) == (200, True), content
    answer = orjson.loads(content[: int(told["inference-header-content-length"])])
    assert [output["shape"] for output in answer["outputs"]] == [[2, 1], [2, 3]]


def test_model_file_leaves_whole(function: Lambda, api: httpx.Client, contract_model: str):
    """The bytes of the artefact, with their digest as the tag."""
    path = f"/api/models/{contract_model}/artifact"

    status, told, content, is_base64 = function.ask("GET", path)

    assert (status, is_base64) == (200, True)
    assert (content, told["etag"]) == ((served := api.get(path)).content, served.headers["etag"])


def test_packed_answer_leaves_in_base64(function: Lambda, contract_model: str):
    """Gzip inside the event's JSON."""
    body = json.dumps([{"length": index / 100} for index in range(2000)])
    headers = {"content-type": "application/json", "accept-encoding": "gzip"}

    status, told, content, is_base64 = function.ask(
        "POST", f"/api/predict/{contract_model}", headers=headers, body=body
    )

    assert (status, is_base64, told["content-encoding"]) == (200, True, "gzip")
    assert len(json.loads(gzip.decompress(content))["predictions"]) == 2000


def test_failures_leave_as_readable_text(function: Lambda, contract_owner: User):
    """Problems are text in every way an event can come; rights are checked as ever."""
    missing = function.ask("GET", "/api/models/none")
    malformed = function.ask(
        "POST", "/api/predict/tiny-contract", headers={"content-type": "application/json"}, body="{"
    )
    refused = function.ask("GET", "/api/runs")
    allowed = function.ask("GET", "/api/runs", headers=contract_owner.headers)

    assert [each[0] for each in (missing, malformed, refused, allowed)] == [404, 400, 401, 200]
    for _, told, content, is_base64 in (missing, malformed, refused):
        assert not is_base64
        assert told["content-type"] == "application/problem+json"
        assert json.loads(content)["detail"]


def test_head_and_empty_answers(function: Lambda):
    """No body is no body."""
    status, told, content, _ = function.ask("HEAD", "/api/health")
    assert (status, content) == (200, b"")
    assert int(told["content-length"]) > 0

    status, told, content, _ = function.ask("OPTIONS", "/api/models")
    assert (status, content) == (204, b"")
    assert "GET" in told["allow"]


def test_deployed_functions_do_without_it():
    """Mangum is no dependency of the functions on Vercel, and its module's name is none of a function."""
    assert "mangum" not in (REPOSITORY / "api" / "requirements.txt").read_text().lower()
    excluded = json.loads((REPOSITORY / "vercel.json").read_text())["functions"]["api/*.py"]["excludeFiles"]
    assert "api/_[!_]*.py" in excluded
