"""Routes and schemas are read late: once, by whoever first needs them, and never by an import."""

import asyncio
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, Depends, Query
from fastapi import Path as PathPart
from fastapi.exceptions import FastAPIError
from fastapi.routing import APIRoute

from api._lib.app import create_app
from api._lib.hot import HotAnswer, HotRoute
from api._lib.idempotency import IdempotentRoute
from api._lib.late import LateRoute
from api._lib.openapi import describe
from api._lib.routers import load_routers
from api._lib.schema import Sent

REPOSITORY = Path(__file__).resolve().parents[2]


async def _two() -> int:
    return 2


async def tell(
    word: str,
    factor: Annotated[int, Depends(_two)],
    times: Annotated[int, Query(ge=1)] = 1,
) -> dict[str, str]:
    """Tell a word several times."""
    return {"told": word * times * factor}


def make_route(path: str = "/words/{word}", **options: Any) -> LateRoute:
    """Declare one route on a router of its own."""
    router = APIRouter(route_class=LateRoute)
    router.add_api_route(path, tell, **options)
    [route] = router.routes
    assert isinstance(route, LateRoute)
    return route


def ask(route: LateRoute, method: str, *urls: str) -> list[httpx.Response]:
    """Send requests to an app of this route, all at once."""
    router = APIRouter()
    router.routes.append(route)

    async def story() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app=create_app(router))
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return await asyncio.gather(*(client.request(method, url) for url in urls))

    return asyncio.run(story())


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Name the routes that FastAPI reads."""
    paths: list[str] = []
    whole = APIRoute.__init__

    def note(self: APIRoute, path: str, *arguments: Any, **options: Any) -> None:
        paths.append(path)
        whole(self, path, *arguments, **options)

    monkeypatch.setattr(APIRoute, "__init__", note)
    return paths


def test_imports_read_no_route():
    """Every route of every function waits, but for WebSockets, which have no answers to describe."""
    code = """
from fastapi.routing import APIRoute
from api._lib.late import LateRoute
from api._lib.routers import load_routers
routes = [route for router in load_routers() for route in router.routes if isinstance(route, APIRoute)]
print(len(routes), *(route.path for route in routes if not isinstance(route, LateRoute) or route.is_read))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    count, *read = done.stdout.split()

    assert int(count) > 50
    assert read == []


def test_imports_build_no_answer():
    """What is answered waits for the first answer; what is sent does not."""
    code = """
from api._lib.routers import load_routers
from api._lib.schema import Schema, Sent
load_routers()
kinds = [Schema]
for kind in kinds:
    kinds += kind.__subclasses__()
answers = [kind for kind in kinds if not issubclass(kind, Sent)]
print(len(answers), *(kind.__name__ for kind in answers if kind.__pydantic_complete__))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    count, *built = done.stdout.split()

    assert int(count) > 50
    assert built == []


def test_first_request_reads_its_route_once(readings: list[str]):
    """Two first requests at once and one behind them: one reading."""
    route = make_route()
    assert readings == []

    answers = ask(route, "GET", "/words/ha", "/words/ho?times=2")
    again = ask(route, "GET", "/words/ha?times=0")

    assert [answer.json() for answer in answers] == [{"told": "haha"}, {"told": "hohohoho"}]
    assert again[0].status_code == 422
    assert readings == ["/words/{word}"]


def test_what_only_finds_a_route_does_not_read_it(readings: list[str]):
    """Another path, another method, and the list of methods that an answer of 405 carries."""
    route = make_route()

    missing, refused = ask(route, "GET", "/other")[0], ask(route, "DELETE", "/words/ha")[0]

    assert (missing.status_code, refused.status_code) == (404, 405)
    assert {"GET", "HEAD"} <= set(refused.headers["allow"].replace(",", " ").split())
    assert route.methods == {"GET"}
    assert route.endpoint is tell
    assert readings == []


def test_route_is_found_by_converted_parts():
    """The path's convertors are there from the beginning."""
    route = make_route("/words/{word:path}")

    assert ask(route, "GET", "/words/a/b")[0].json() == {"told": "a/ba/b"}
    assert route.path_format == "/words/{word}"
    assert route.url_path_for("tell", word="a/b") == "/words/a/b"


@pytest.mark.parametrize("route_class", [LateRoute, HotRoute, IdempotentRoute])
def test_late_route_is_what_it_would_have_been(route_class: type[LateRoute]):
    """Whoever looks at a route sees FastAPI's own, whatever is looked at first."""
    options: dict[str, Any] = {"methods": ["post"], "status_code": 202, "tags": ["words"], "responses": {404: {}}}
    late = route_class("/words/{word}", tell, **options)
    eager = APIRoute("/words/{word}", tell, **options, **({"response_model": None} if route_class is HotRoute else {}))
    plain = {"endpoint", "path", "name", "methods", "path_format", "description", "status_code", "tags", "responses"}
    plain |= {"include_in_schema", "unique_id", "response_model", "openapi_extra", "dependencies", "path_regex"}

    assert not late.is_read
    assert {name: getattr(late, name) for name in plain} == {name: getattr(eager, name) for name in plain}
    assert late.is_read
    assert [field.name for field in late.dependant.query_params] == ["times"]
    assert set(vars(eager)) <= set(vars(late))
    assert not hasattr(late, "no_such_thing")


def test_threads_read_a_route_once(readings: list[str]):
    """A server may have an event loop in each thread: those who come second wait for the whole route."""
    route = make_route()

    with ThreadPoolExecutor(8) as pool:
        seen = list(pool.map(lambda _: (route.app, route.dependant), range(64)))

    assert len({(id(app), id(dependant)) for app, dependant in seen}) == 1
    assert readings == ["/words/{word}"]


def test_wrong_declaration_is_refused_each_time():
    """Not at the import; when the API is described, which other tests do, and at every request."""
    router = APIRouter(route_class=LateRoute)

    @router.get("/wrong", response_model=APIRouter)
    async def wrong() -> None:
        """Answer with what is no type."""

    for _ in range(2):
        with pytest.raises(FastAPIError, match="Invalid args for response field"):
            describe(create_app(router))


def test_description_lists_every_route():
    """Looking at the description is what reads all of them."""
    app = create_app(*load_routers())
    routes = [route for route in app.routes if isinstance(route, LateRoute) and route.include_in_schema]

    paths = describe(app)["paths"]

    declared = {(route.path_format, method.lower()) for route in routes for method in route.methods}
    assert declared == {(path, method) for path, operations in paths.items() for method in operations}
    assert all(route.is_read for route in routes)


def test_bodies_are_sent():
    """FastAPI makes the field of a body under a filter of warnings, which must not be left to the first request."""
    routes = [route for router in load_routers() for route in router.routes if isinstance(route, LateRoute)]
    bodies = [route.body_field.field_info.annotation for route in routes if route.body_field]

    assert len(bodies) > 20
    assert [body for body in bodies if not issubclass(body, Sent)] == []


def test_described_hot_route_still_answers_by_itself():
    """FastAPI's own way to call the function exists then, and nobody takes it."""

    async def echo(request: Any, word: Annotated[str, PathPart()]) -> HotAnswer:
        return HotAnswer(f'"{request.method} {word}"'.encode(), [])

    route = HotRoute("/echo/{word}", echo, methods=["PUT", "GET"])
    route.read()

    assert ask(route, "PUT", "/echo/ha")[0].json() == "PUT ha"
    assert ask(route, "DELETE", "/echo/ha")[0].status_code == 405
