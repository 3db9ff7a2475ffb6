"""The rehearsal's own origin keeps to the platform's rules: tried with a function that tells what reached it."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import orjson
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from websockets.exceptions import ConnectionClosedError, ConnectionClosedOK, InvalidStatus
from websockets.sync.client import connect

from tests.deploy.edge import MAX_BODY_BYTES
from tests.deploy.origin import Origin, bind, served
from tests.deploy.routing import Router, RuleNotUnderstood

ROUTES = [
    {"src": "^(?:/(.*))$", "headers": {"X-Frame-Options": "DENY", "Policy": "https://*.supabase.co"}, "continue": True},
    {"handle": "filesystem"},
    {"src": "^/api/echo(?:/(.*))$", "dest": "/api/echo?__path=%2Fapi%2Fecho%2F$1", "check": True},
    {"src": "^/pages(?:/(.*))$", "dest": "/index.html", "check": True},
    {"src": "^/api/gone$", "dest": "/api/nowhere", "check": True},
    {"src": "^/api(/.*)?$", "status": 404},
    {"handle": "error"},
    {"status": 404, "src": "^(?!/api).*$", "dest": "/404.html"},
    {"handle": "miss"},
    {"src": r"^/api/(.+)(?:\.(?:py))$", "dest": "/api/$1", "check": True},
]
SECONDS = {"api/short": 0.0, "api/short-talk": 0.3}
ANSWER_SECONDS = 10


@dataclass(frozen=True)
class Somewhere:
    """A function that runs already."""

    url: str
    max_seconds: float = 30


class NoDoor:
    """Nothing answers before the rules."""

    def takes(self, scope: object) -> bool:
        """Take nothing."""
        return not scope

    async def close(self) -> None:
        """Hold nothing."""


@pytest.fixture
def go_on() -> threading.Event:
    """Hold back the second half of the function's slow answer."""
    return threading.Event()


@pytest.fixture
def function(go_on: threading.Event) -> Iterator[str]:
    """Run a function that tells what reached it."""

    async def echo(request: Request) -> JSONResponse:
        address = request.url.path + "?" + request.url.query
        return JSONResponse({"address": address, **request.headers, "size": len(await request.body())})

    def slow(_: Request) -> StreamingResponse:
        def pieces() -> Iterator[bytes]:
            yield b"first"
            assert go_on.wait(ANSWER_SECONDS)
            yield b"second"

        return StreamingResponse(pieces(), headers={"x-vercel-id": "made up"})

    async def talk(websocket: WebSocket) -> None:
        if "refuse" in websocket.query_params:
            await websocket.close()
            return
        await websocket.accept("spoken")
        await websocket.send_json({"address": str(websocket.url), **websocket.headers})
        async for said in websocket.iter_text():
            await websocket.send_text(said)
            if said == "leave":
                await websocket.close(4001, "as you wish")

    routes = [Route("/api/echo/{rest:path}", echo, methods=["GET", "POST"]), Route("/api/slow", slow)]
    at = bind()
    with served(
        Starlette(routes=[*routes, WebSocketRoute("/api/talk", talk), WebSocketRoute("/api/short-talk", talk)]), at
    ):
        yield f"http://127.0.0.1:{at.getsockname()[1]}"


@pytest.fixture
def origin(function: str, tmp_path: Path) -> Iterator[str]:
    """Serve a small build: one page and some functions; those that are called short are cut off at once, or soon."""
    (tmp_path / "index.html").write_text("the page")
    (tmp_path / "404.html").write_text("no such page")
    router = Router(ROUTES, ["api/echo", "api/slow", "api/talk", "api/short", "api/short-talk"], tmp_path)

    async def reach(name: str) -> Somewhere:
        return Somewhere(function, SECONDS.get(name, 30))

    at = bind()
    with served(Origin(router, tmp_path, reach, supabase_url="http://127.0.0.1:1", door=NoDoor()), at):
        yield f"http://127.0.0.1:{at.getsockname()[1]}"


def test_what_only_the_platform_tells_cannot_be_said_by_a_caller(origin: str):
    """Address and request id are the platform's, whatever was sent; queries of caller and rewrite both arrive."""
    lies = dict.fromkeys(("x-real-ip", "x-forwarded-for", "x-vercel-forwarded-for", "x-vercel-id", "x-vercel-x"), "lie")

    answer = httpx.get(f"{origin}/api/echo/a%20b?c=d%26e", headers=lies, trust_env=False)

    told = answer.json()
    assert "lie" not in told.values()
    assert {told[name] for name in ("x-real-ip", "x-forwarded-for", "x-vercel-forwarded-for")} == {"127.0.0.1"}
    assert told["x-vercel-id"] == answer.headers["x-vercel-id"]
    assert told["address"].endswith("?c=d%26e&__path=%2Fapi%2Fecho%2Fa%20b")
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["policy"] == "https://*.supabase.co http://127.0.0.1:1"


def test_large_body_never_reaches_the_function(origin: str):
    """Four and a half megabytes pass; a byte more is the platform's refusal, told by length or found while reading."""
    address = f"{origin}/api/echo/x"
    with httpx.Client(trust_env=False) as client:
        assert client.post(address, content=bytes(MAX_BODY_BYTES)).json()["size"] == MAX_BODY_BYTES
        told = client.post(address, content=bytes(MAX_BODY_BYTES + 1))
        found = client.post(address, content=iter([bytes(MAX_BODY_BYTES), b"1"]))

    for refused in (told, found):
        assert refused.status_code == 413
        assert refused.headers["x-vercel-error"] == "FUNCTION_PAYLOAD_TOO_LARGE"
        assert refused.text.startswith("FUNCTION_PAYLOAD_TOO_LARGE")


def test_answer_arrives_piece_by_piece(origin: str, go_on: threading.Event):
    """The first piece is here before the function has said the second."""
    with (
        httpx.Client(trust_env=False, timeout=ANSWER_SECONDS) as client,
        client.stream("GET", f"{origin}/api/slow") as answer,
    ):
        assert answer.headers["x-vercel-id"].startswith("fra1::iad1::")
        pieces = answer.iter_raw()
        assert next(pieces) == b"first"
        go_on.set()
        assert b"".join(pieces) == b"second"


def test_function_without_time_is_cut_off(origin: str):
    """What takes longer than its function may is answered by the platform."""
    answer = httpx.get(f"{origin}/api/short", trust_env=False)

    assert (answer.status_code, answer.headers["x-vercel-error"]) == (504, "FUNCTION_INVOCATION_TIMEOUT")


def test_rules_lead_to_files_functions_and_errors(origin: str):
    """Files first, then rewrites in order, then what a miss leads to; the page for errors is for pages only."""
    with httpx.Client(base_url=origin, trust_env=False) as client:
        answers = {
            path: client.get(path) for path in ("/", "/pages/x", "/nope", "/api/gone", "/api/slow.py.py", "/../x")
        }
        posted = client.post("/index.html")
        again = client.get("/", headers={"if-none-match": answers["/"].headers["etag"]})

    seen = {path: (answer.status_code, answer.text.strip()) for path, answer in answers.items()}
    assert seen == {
        "/": (200, "the page"),
        "/pages/x": (200, "the page"),
        "/nope": (404, "no such page"),
        "/api/gone": (404, "NOT_FOUND"),
        "/api/slow.py.py": (404, "NOT_FOUND"),
        "/../x": (404, "no such page"),
    }
    assert posted.status_code == 405
    assert again.status_code == 304


def test_source_name_of_a_function_leads_to_it(tmp_path: Path):
    """The builder's rule for a miss lets `/api/echo.py` mean the function."""
    router = Router(ROUTES, ["api/echo"], tmp_path)

    assert router.resolve("/api/echo.py").function == "api/echo"


@pytest.mark.parametrize(
    "rule",
    [
        {"src": "^/x$", "dest": "/y", "check": True, "has": [{"type": "header", "key": "x"}]},
        {"src": "^/x$", "headers": {"location": "/y"}, "status": 308, "continue": True},
        {"src": "^/x$", "dest": "https://example.com"},
        {"handle": "hit"},
    ],
)
def test_rule_that_is_not_understood_is_refused(tmp_path: Path, rule: dict):
    """A rule of a new kind stops the rehearsal instead of being read half."""
    with pytest.raises(RuleNotUnderstood):
        Router([{"handle": "filesystem"}, rule], [], tmp_path)


def test_websocket_is_closed_when_the_time_of_its_function_is_over(origin: str):
    """No function holds a connection for longer than it may run; both sides hear of the end."""
    with connect(origin.replace("http", "ws", 1) + "/api/short-talk", subprotocols=["spoken"], proxy=None) as socket:
        socket.recv(ANSWER_SECONDS)
        with pytest.raises(ConnectionClosedOK) as closed:
            socket.recv(ANSWER_SECONDS)

    assert closed.value.rcvd.code == 1001


def test_websocket_passes_both_ways(origin: str):
    """Subprotocol, messages and the function's own closing pass; the caller cannot say who they are."""
    address = origin.replace("http", "ws", 1) + "/api/talk"
    lies = {"x-real-ip": "lie", "x-vercel-id": "lie"}
    with connect(address, subprotocols=["spoken", "other"], additional_headers=lies, proxy=None) as socket:
        told = orjson.loads(socket.recv(ANSWER_SECONDS))
        assert socket.subprotocol == "spoken"
        assert told["x-real-ip"] == "127.0.0.1"
        assert told["x-vercel-id"].startswith("fra1::iad1::")
        for said in ("hello", "leave"):
            socket.send(said)
            assert socket.recv(ANSWER_SECONDS) == said
        with pytest.raises(ConnectionClosedError) as closed:
            socket.recv(ANSWER_SECONDS)
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4001, "as you wish")
    for refused in (f"{address}?refuse=1", origin.replace("http", "ws", 1) + "/pages/x"):
        with pytest.raises(InvalidStatus, match="403"):
            connect(refused, proxy=None)
