"""The site as this machine serves it: the hosting platform's files, headers and answers."""

import asyncio
from pathlib import Path

import httpx
import pytest

from api._stack import site
from api._stack.errors import ServiceFailed
from api._stack.settings import REPOSITORY, Ports, Settings
from api._stack.static import Site, load_rules


@pytest.fixture
def dist(tmp_path) -> Path:
    """Make a built site."""
    folder = tmp_path / "dist"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<h1>home</h1>")
    (folder / "404.html").write_text("<h1>not here</h1>")
    (folder / "assets" / "app-1a2b3c.js").write_text("let a")
    (tmp_path / "secret.txt").write_text("outside")
    return folder


@pytest.fixture
def get(dist, monkeypatch):
    """Ask that site for a path, in this process."""
    monkeypatch.setenv("SUPABASE_URL", "http://127.0.0.1:54321")
    app = Site(dist, load_rules(REPOSITORY))

    def get(path: str, method: str = "GET", **headers: str) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://site") as client:
                return await client.request(method, path, headers={k.replace("_", "-"): v for k, v in headers.items()})

        return asyncio.run(ask())

    return get


def test_the_home_page_is_checked_for_changes_at_each_visit(get):
    first = get("/")
    again = get("/", if_none_match=first.headers["etag"])

    assert first.text == "<h1>home</h1>"
    assert first.headers["cache-control"] == "public, max-age=0, must-revalidate"
    assert again.status_code == 304


def test_hashed_assets_are_kept_for_ever(get):
    answer = get("/assets/app-1a2b3c.js")

    assert answer.text == "let a"
    assert "javascript" in answer.headers["content-type"]
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"


def test_text_is_packed_for_who_can_unpack_it(get, dist):
    """Same validator, same meaning, fewer bytes; a part of a file and a picture go as they are."""
    (dist / "assets" / "app-1a2b3c.js").write_text("let a" * 500)
    (dist / "og.png").write_bytes(b"png" * 500)
    plain, packed = get("/assets/app-1a2b3c.js", accept_encoding=""), get("/assets/app-1a2b3c.js")

    assert packed.headers["content-encoding"] == "gzip"
    assert packed.text == plain.text
    assert int(packed.headers["content-length"]) < len(plain.content)
    assert packed.headers["etag"] == plain.headers["etag"]
    assert packed.headers["vary"] == plain.headers["vary"] == "accept-encoding"
    assert "content-encoding" not in plain.headers
    assert "content-encoding" not in get("/og.png").headers
    assert get("/assets/app-1a2b3c.js", range="bytes=0-4").text == "let a"
    assert get("/assets/app-1a2b3c.js", if_none_match=packed.headers["etag"]).status_code == 304


def test_pages_come_under_the_hosted_content_security_policy(get):
    """No inline script; and where the policy names hosted Supabase projects, this machine's doors may be reached, too."""
    policy = get("/").headers["content-security-policy"]

    [script] = [part for part in policy.split("; ") if part.startswith("script-src")]
    [connect] = [part for part in policy.split("; ") if part.startswith("connect-src")]
    assert "unsafe-inline" not in script
    assert connect.endswith("https://*.supabase.co http://127.0.0.1:54321")
    assert get("/").headers["x-content-type-options"] == "nosniff"


def test_a_page_of_the_sites_own_router_is_its_shell(get):
    assert get("/models/penguins").text == "<h1>home</h1>"
    assert get("/models/penguins").status_code == 200


def test_an_unknown_page_says_so(get):
    answer = get("/nowhere")

    assert (answer.status_code, answer.text) == (404, "<h1>not here</h1>")


@pytest.mark.parametrize(
    "path", ["/../secret.txt", "/%2e%2e/secret.txt", "/assets/..%2f..%2fsecret.txt", "//etc/passwd", "/%00"]
)
def test_nothing_outside_the_site_is_served(get, path):
    answer = get(path)

    assert answer.status_code == 404
    assert "outside" not in answer.text


def test_the_site_is_read_only(get):
    answer = get("/", method="POST")

    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD"
    assert get("/", method="HEAD").status_code == 200


def test_a_site_that_is_not_built_says_how_to_build_it(get, dist):
    (dist / "index.html").unlink()

    answer = get("/")

    assert answer.status_code == 404
    assert "./rowcast build" in answer.text


@pytest.mark.stack
def test_site_and_api_share_one_origin(site_url):
    """Unknown API paths are answered by the API, with its problem body; everything else by the site."""
    api = httpx.get(f"{site_url}/api/nowhere")
    health = httpx.get(f"{site_url}/api/health")

    assert api.status_code == 404
    assert api.headers["content-type"].startswith("application/problem+json")
    assert health.status_code == 200
    assert "uvicorn" not in health.headers.get("server", "")


@pytest.fixture
def web(tmp_path, monkeypatch) -> Settings:
    """Make a small project whose build counts how often it was run."""
    (tmp_path / "web" / "src").mkdir(parents=True)
    (tmp_path / "web" / "src" / "main.ts").write_text("1")
    (tmp_path / "package-lock.json").write_text("{}")
    (tmp_path / "package.json").write_text(
        '{"scripts": {"build": "mkdir -p web/dist && echo built >> web/dist/index.html && test ! -e web/src/broken.ts"}}'
    )
    for name, path in {"REPOSITORY": "", "_WEB": "web", "_DIST": "web/dist", "_LOCAL": ".rowcast"}.items():
        monkeypatch.setattr(site, name, tmp_path / path)
    monkeypatch.setattr(site, "_STAMP", tmp_path / ".rowcast" / "site-sources")
    return Settings(home=tmp_path / ".rowcast", ports=Ports())


def test_the_site_is_built_only_when_its_sources_have_changed(web, tmp_path):
    said: list[str] = []
    for _ in range(2):
        site.build(web, said.append)
    (tmp_path / "web" / "src" / "main.ts").write_text("2")
    site.build(web, said.append)

    assert said == ["building the site"] * 2
    assert (tmp_path / "web" / "dist" / "index.html").read_text() == "built\nbuilt\n"


def test_a_broken_build_is_reported_and_tried_again(web, tmp_path):
    """The line says where all of it can be read; a repaired source is built."""
    (tmp_path / "web" / "src" / "broken.ts").touch()
    with pytest.raises(ServiceFailed, match=r"the site could not be built.*\(log: .*build\.log\)"):
        site.build(web, print)
    (tmp_path / "web" / "src" / "broken.ts").unlink()
    said: list[str] = []

    site.build(web, said.append)

    assert said == ["building the site"]
