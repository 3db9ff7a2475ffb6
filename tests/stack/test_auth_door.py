"""Sign-in through the site's own origin: the embedded service answers there as it does at its own address."""

import asyncio
import http.client

import httpx
import pytest

from api._stack.auth_door import AuthDoor
from tests.conftest import RunningStack

pytestmark = pytest.mark.stack


@pytest.fixture
def door(stack: RunningStack, site_url: str):
    """Open a client of the site with the publishable key."""
    headers = {"apikey": stack.environ["SUPABASE_PUBLISHABLE_KEY"]}
    with httpx.Client(base_url=site_url, headers=headers, timeout=30, trust_env=False) as client:
        yield client


def test_answers_are_the_services_own(door: httpx.Client, stack: RunningStack, viewer):
    with stack.client() as direct:
        assert door.get("/auth/v1/settings").json() == direct.get("/auth/v1/settings").json()

    wrong = {"email": viewer.email, "password": "not this one"}
    refused = door.post("/auth/v1/token?grant_type=password", json=wrong)
    found = door.get("/auth/v1/user", headers=viewer.headers)

    assert (refused.status_code, refused.json()["error_code"]) == (400, "invalid_credentials")
    assert found.json()["email"] == viewer.email


def test_ways_to_other_pages_are_passed_on_and_not_followed(door: httpx.Client):
    """A provider's page is for the browser to open."""
    answer = door.get("/auth/v1/authorize?provider=github")

    assert answer.status_code in {302, 400}
    assert answer.headers["content-type"].startswith(("application/json", "text/html"))


def test_a_mails_link_is_the_sites_page_and_only_its_redemption_the_services(door: httpx.Client):
    page = door.get("/auth/v1/verify?token=x&type=recovery")
    redeemed = door.post("/auth/v1/verify", json={"token_hash": "x", "type": "recovery"})

    assert page.headers["content-type"].startswith("text/")
    assert redeemed.status_code in {400, 403, 422}
    assert redeemed.headers["content-type"].startswith("application/json")


def test_nothing_but_sign_in_goes_through(door: httpx.Client, stack: RunningStack):
    """Tables and files are reached at the service's own address only."""
    secret = {"apikey": stack.environ["SUPABASE_SECRET_KEY"]}

    for path in ("/rest/v1/models", "/storage/v1/bucket", "/auth/v2/user"):
        assert "json" not in door.get(path, headers=secret).headers["content-type"], path
    for path in ("/auth/v1/../../rest/v1/models", "/auth/v1/%2e%2e/%2e%2e/rest/v1/models"):
        bare = http.client.HTTPConnection(door.base_url.host, door.base_url.port)  # sends a path as it is written
        bare.request("GET", path, headers=secret)
        assert bare.getresponse().status == 404, path
        bare.close()


def test_a_service_that_is_away_is_a_bad_gateway():
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(AuthDoor("http://127.0.0.1:9"))
        async with httpx.AsyncClient(transport=transport, base_url="http://site") as client:
            return await client.get("/auth/v1/settings")

    assert asyncio.run(ask()).status_code == 502


def test_the_site_tells_where_to_sign_in(door: httpx.Client, stack: RunningStack, site_url: str):
    told = door.get("/api/config")

    assert told.json() == {
        "supabase_url": site_url,
        "supabase_publishable_key": stack.environ["SUPABASE_PUBLISHABLE_KEY"],
    }
    assert told.headers["cache-control"] == "public, max-age=300"
