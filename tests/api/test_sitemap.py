"""What crawlers find: the pages of public models, and nothing of private ones."""

import io
import re

import httpx
import pytest
from PIL import Image

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


def test_a_shared_link_shows_the_model_to_readers_without_script(
    api: httpx.Client, stack: RunningStack, public_model: str
):
    """A link preview finds title, description and picture in the page itself; people get the site's own page."""
    path, bot = f"/models/{public_model}", {"user-agent": "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)"}

    page = api.get(path, headers=bot)
    told = dict(re.findall(r'<meta (?:property|name)="([^"]+)" content="([^"]*)">', page.text))

    assert (page.status_code, page.headers["vary"]) == (200, "user-agent")
    assert told["og:url"] == f"{stack.site_url}{path}"
    assert told["twitter:card"] == "summary_large_image"
    assert "Predicts " in told["description"]
    assert f"<h1>{told['og:title'].removesuffix(' · Rowcast')}</h1>" in page.text
    image = api.get(told["og:image"])
    assert image.headers["content-type"] == "image/png"
    with Image.open(io.BytesIO(image.content)) as picture:
        assert (picture.format, picture.size) == ("PNG", (1200, 630))
        assert len(set(picture.convert("RGB").tobytes())) > 50
    assert "og:url" not in api.get(path).text


def test_no_page_and_no_picture_of_what_is_not_public(api: httpx.Client, private_model: str):
    """A private model looks like one that is not there, with the status that search engines go by."""
    for slug in (private_model, "never-trained", "a<b"):
        page = api.get(f"/models/{slug}", headers={"user-agent": "Mozilla/5.0 (compatible; bingbot/2.0)"})
        assert page.status_code == 404
        assert "noindex" in page.text
        assert "<b" not in page.text.replace("<body", "")
    assert api.get(f"/api/models/{private_model}/image.png").status_code == 404
