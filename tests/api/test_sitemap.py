"""What crawlers find: the pages of public models, and nothing of private ones."""

import re

import httpx
import pytest

from tests.conftest import RunningStack

pytestmark = pytest.mark.stack


def test_the_map_lists_public_models_only(
    api: httpx.Client, stack: RunningStack, public_model: str, private_model: str
):
    answer = api.get("/sitemap.xml")

    places = re.findall(r"<url><loc>([^<]+)</loc>", answer.text)
    assert answer.headers["content-type"].startswith("application/xml")
    assert f"{stack.site_url}/" in places
    assert f"{stack.site_url}/models/{public_model}" in places
    assert private_model not in answer.text


def test_crawlers_are_led_to_the_map_and_kept_from_what_is_nobodys_page(api: httpx.Client, stack: RunningStack):
    said = api.get("/robots.txt").text.splitlines()

    assert f"Sitemap: {stack.site_url}/sitemap.xml" in said
    assert {"Disallow: /api/predict/", "Disallow: /sign-in", "Disallow: /workspace"} <= set(said)
