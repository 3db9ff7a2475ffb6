"""What the platform makes of this checkout is what we mean it to be."""

import base64
import importlib
import json
import re
from pathlib import Path
from urllib.parse import urlencode

import pytest
from uuid_utils import uuid7
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import connect

from api._stack.static import HeaderRules, load_rules
from tests.deploy.platform import running
from tests.deploy.rehearsal import MEGABYTE, REPOSITORY, Build

MAX_FUNCTION_BYTES = 150 * MEGABYTE
"""All of it is fetched at a cold start. The platform's own limit is 250, and its builder changes its ways at 225."""

ROUTERS = sorted(path.stem for path in (REPOSITORY / "api").glob("*.py") if not path.stem.startswith("_"))

_OFFLINE = {
    "sklearn",
    "scipy",
    "pandas",
    "onnx",
    "skl2onnx",
    "optuna",
    "joblib",
    "supabase",
    "streamlit",
    "procrastinate",
}
_OWN_FILES = re.compile(
    r"api/(__init__\.py|[a-z]\w*\.py|_lib/.+\.(py|sql|bin)|requirements\.txt|pyproject\.toml|uv\.lock|\.python-version)"
    r"|models/(\w+\.py|gallery/[\w-]+/(model\.onnx|card\.json))"
    r"|vc__handler__python\.py"
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def test_functions_are_the_routers_and_nothing_else(build: Build):
    """One router, one file, one function; no framework preset swallows them."""
    assert sorted(build.functions) == [f"api/{name}" for name in ROUTERS]


CRAWLERS = (
    "Twitterbot/1.0",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
    "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
    "Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)",
    "LinkedInBot/1.0 (compatible; Mozilla/5.0; Apache-HttpClient +http://www.linkedin.com)",
    "WhatsApp/2.23.20.0",
    "TelegramBot (like TwitterBot)",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "Mozilla/5.0 (compatible; Bluesky Cardyb/1.1; +mailto:support@bsky.app)",
)
PEOPLE = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 Mobile",
    "Mozilla/5.0 (Linux; Android 14; CUBOT X70) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Mobile",
)


@pytest.mark.parametrize("router", ROUTERS)
def test_function_stays_under_the_size_limit(build: Build, router: str):
    """Every function fits, byte-code included; the message of a failure names the heavy packages."""
    function = build.functions[f"api/{router}"]
    print(f"{router}: {function.size / MEGABYTE:.1f} MB")

    assert function.size < MAX_FUNCTION_BYTES, f"{function.size / MEGABYTE:.1f} MB:\n{function.largest()}"


@pytest.mark.parametrize("router", ROUTERS)
def test_function_carries_only_what_it_runs(build: Build, router: str):
    """No training code, no tests, no local secrets and no offline package travels with a function."""
    function = build.functions[f"api/{router}"]

    assert [name for name in sorted(function.own_files()) if not _OWN_FILES.fullmatch(name)] == []
    assert function.packages() & _OFFLINE == set()


@pytest.mark.parametrize("router", ROUTERS)
def test_every_route_of_a_router_leads_to_its_function(build: Build, router: str):
    """The rewrites reach each declared address, and only through the file that declares it."""
    for route in importlib.import_module(f"api.{router}").router.routes:
        example = re.sub(r"\{\w+(:path)?\}", "x-1", route.path)
        assert build.router.resolve(example, agent="Twitterbot/1.0").function == f"api/{router}", route.path


def test_only_readers_without_script_are_sent_to_a_function_for_a_page(build: Build):
    """Link previews and search engines get a model's page from a function; people get the file, which costs nothing."""
    path = "/models/penguins"

    assert {build.router.resolve(path, agent).function for agent in CRAWLERS} == {"api/sitemap"}
    assert {build.router.resolve(path, agent).file for agent in ("", *PEOPLE)} == {"index.html"}


def test_unknown_api_address_reaches_no_function(build: Build):
    """What no router declares is the platform's own 404."""
    target = build.router.resolve("/api/nothing/here")

    assert (target.status, target.function, target.file) == (404, None, None)


def test_functions_run_the_python_they_are_built_for(build: Build):
    """The interpreter is the one the lock was made for, and byte-code is looked for where it lies."""
    for function in build.functions.values():
        assert function.config["runtime"] == "python3.12"
        assert function.config["environment"] == {"PYTHONPATH": "_vendor", "PYTHONDONTWRITEBYTECODE": "1"}


def test_site_is_built_beside_the_functions(build: Build):
    """The visitor's pages are static files, with a page of their own for addresses that do not exist."""
    page = (build.static / "index.html").read_text()
    scripts = re.findall(r'src="(/assets/[^"]+\.js)"', page)

    assert scripts
    assert all((build.static / script.lstrip("/")).is_file() for script in scripts)
    assert (build.static / "404.html").is_file()
    assert "immutable" in build.router.resolve(scripts[0]).headers["cache-control"]
    assert build.router.resolve("/index.html").headers.get("cache-control") is None


def test_pages_allow_no_script_but_their_own(build: Build):
    """The content security policy covers every page and bars inline script."""
    policy = build.router.resolve("/models/penguins").headers["content-security-policy"]
    script = re.search(r"script-src ([^;]+)", policy)

    assert script
    assert set(script[1].split()) == {"'self'", "'wasm-unsafe-eval'"}
    assert build.router.resolve("/api/models").headers["content-security-policy"].startswith("default-src 'none'")


@pytest.mark.parametrize(
    "path", ["/", "/models/penguins", "/assets/x-1.js", "/api/models", "/v2/health/live", "/ping", "/pin"]
)
def test_this_machine_adds_the_headers_of_the_platform(build: Build, path: str):
    """What the local server makes of the rules for a path is what the platform's own builder makes of them."""
    assert HeaderRules(load_rules(REPOSITORY)).of(path) == build.router.resolve(path).headers


def test_rewrites_of_pages_lead_to_files_that_exist(build: Build):
    """Every address of the site's own router is answered by the page that holds it."""
    targets = {address for address in build.router.addresses() if address.endswith(".html")}

    assert "/index.html" in targets
    assert all((build.static / target.lstrip("/")).is_file() for target in targets)


@pytest.mark.parametrize("router", ROUTERS)
def test_function_answers_alone(build: Build, router: str, tmp_path: Path):
    """Put together in an empty folder, with nothing around it and no service to reach, a function starts and answers."""
    routes = importlib.import_module(f"api.{router}").router.routes
    example = re.sub(r"\{\w+(:path)?\}", "x-1", routes[0].path)
    method = min(routes[0].methods)

    with running(build.functions[f"api/{router}"], tmp_path, {}) as function:
        answer = function.request(method, example, build=build)

    assert answer.status_code in {200, 400, 401, 404, 503}, answer.text
    assert answer.headers["x-request-id"] == "fra1::iad1::rehearsal-1"
    assert json.loads(answer.content) if "json" in answer.headers["content-type"] else answer.text
    kinds = [event["type"] for event in function.events]
    assert kinds[:2] == ["server-started", "handler-started"]
    assert kinds[-1] == "end"
    assert _logged(function.events)[-1]["route"] == routes[0].path


@pytest.mark.parametrize("path_is_rewritten", [False, True])
def test_bundled_model_predicts_with_nothing_else_to_reach(build: Build, tmp_path: Path, path_is_rewritten: bool):
    """Without database and key-value store the predict function answers from the model in its own bundle, and says so."""
    card = json.loads((build.folder / "models/gallery/penguins/card.json").read_text())
    row = card["examples"][0]
    options = {"build": build, "path_is_rewritten": path_is_rewritten}

    with running(build.functions["api/predict"], tmp_path, {}) as function:
        posted = function.request("POST", "/api/predict/penguins", json=row, **options)
        asked = function.request("GET", f"/api/predict/penguins?{urlencode(_known(row))}", **options)
        wrong = function.request("POST", "/api/predict/penguins", json={**row, "no_such_column": 1}, **options)

    answer = posted.json()
    assert posted.status_code == 200, posted.text
    assert sum(answer["predictions"][0]["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert set(answer["predictions"][0]["probabilities"]) == set(card["classes"])
    assert "database" in posted.headers["x-rowcast-degraded"]
    assert asked.json()["predictions"] == answer["predictions"]
    assert wrong.status_code == 422
    assert wrong.json()["errors"][0]["pointer"].endswith("no_such_column")
    print(f"start {function.start_seconds:.2f} s, {answer['timing']}")


@pytest.mark.parametrize("path_is_rewritten", [False, True])
def test_websocket_is_upgraded_and_ends_its_invocation(build: Build, tmp_path: Path, path_is_rewritten: bool):
    """The function's own invocation is over with the upgrade; what is said on it still reaches the route."""
    path = f"/api/runs/{uuid7()}/events"
    address = build.router.resolve(path).address if path_is_rewritten else path
    with (
        running(build.functions["api/runs"], tmp_path, {}) as function,
        connect(function.url.replace("http", "ws", 1) + address, proxy=None) as socket,
    ):
        socket.send("no greeting")
        told = json.loads(socket.recv(10))
        with pytest.raises(ConnectionClosedError) as closed:
            socket.recv(10)

    assert (told["code"], closed.value.rcvd.code) == ("request_malformed", 1008)
    assert "end" in [event["type"] for event in function.events]


def _known(row: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in row.items() if value is not None}


def _logged(events: list[dict]) -> list[dict]:
    """Read the JSON lines that the function sent to the platform's log."""
    lines = [base64.b64decode(event["payload"]["message"]) for event in events if event["type"] == "log"]
    return [json.loads(line) for line in lines if line.startswith(b"{")]
