"""What crawlers ask a site for: which pages there are, which they may read, and what a model's page says and looks like."""

from urllib.parse import quote
from xml.sax.saxutils import escape

import orjson
from fastapi import APIRouter, Response

from api._lib import cards, catalogue, preview_image, preview_page, registry
from api._lib.app import create_app
from api._lib.callers import ANONYMOUS
from api._lib.errors import ModelNotFound, VersionNotFound
from api._lib.late import LateRoute
from api._lib.model_schemas import Slug
from api._lib.settings import settings
from models.contract import Card

router = APIRouter(route_class=LateRoute)

# The pages are files of the site, which functions do not carry; a test keeps the list equal to `web/docs`.
DOCS = (
    "api",
    "architecture",
    "concepts",
    "deploy",
    "doctor",
    "free-tiers",
    "lambda",
    "limits",
    "migrating",
    "monitoring",
    "predict",
    "quick-start",
    "security",
    "training",
    "webhooks",
)

_SHARED = "public, max-age=3600, stale-while-revalidate=86400"
# The same address shows people another file.
_DEPENDS = {"cache-control": "private, max-age=0", "vary": "user-agent"}
_ROBOTS = """User-agent: *
Allow: /
Disallow: /api/predict/
Disallow: /sign-in
Disallow: /workspace

Sitemap: {site}/sitemap.xml
"""


@router.get("/robots.txt", include_in_schema=False)
async def get_robots() -> Response:
    """Say what may be read; the map of the site needs its full address, which only the deployment knows."""
    return _answer(_ROBOTS.format(site=settings().site_url), "text/plain")


@router.get("/sitemap.xml", include_in_schema=False)
async def get_sitemap() -> Response:
    """List the home page, the documentation, and the page of every public model that answers."""
    models = orjson.loads(await catalogue.list_models(ANONYMOUS))["models"]
    pages = [_page("/"), _page("/docs"), *(_page(f"/docs/{name}") for name in DOCS)]
    pages += [_page(f"/models/{each['slug']}", each["updated_at"]) for each in models if each["champion"]]
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{"".join(pages)}</urlset>\n'
    )
    return _answer(text, "application/xml")


@router.get("/models/{reference}", include_in_schema=False)
async def get_page(reference: str) -> Response:
    """Show a public model to a reader that runs no script. `vercel.json` sends those here; people get the site's page."""
    try:
        model, card = await _find(reference)
    except (ModelNotFound, VersionNotFound):
        page = preview_page.missing_page(settings().site_url, f"/models/{quote(reference)}")
        return Response(page, status_code=404, media_type="text/html", headers=_DEPENDS)
    description = model.description or card.description
    page = preview_page.model_page(settings().site_url, model.slug, model.title or card.title, description, card)
    return Response(page, media_type="text/html", headers=_DEPENDS)


@router.get("/api/models/{slug}/image.png", include_in_schema=False)
async def get_image(slug: Slug) -> Response:
    """Draw the picture that link previews show of a public model."""
    model, card = await _find(slug)
    image = preview_image.draw(model.title or card.title or slug, card)
    return Response(image, media_type="image/png", headers={"cache-control": _SHARED})


async def _find(reference: str) -> tuple[catalogue.Model, Card]:
    found = await registry.resolve(reference, ANONYMOUS)
    model = await catalogue.find_model(found.slug, ANONYMOUS)
    return model, Card.model_validate_json(await cards.read(found.version, ANONYMOUS.rights))


def _page(path: str, changed_at: str = "") -> str:
    changed = f"<lastmod>{escape(changed_at)}</lastmod>" if changed_at else ""
    return f"<url><loc>{escape(settings().site_url + path)}</loc>{changed}</url>\n"


def _answer(text: str, media_type: str) -> Response:
    return Response(text, media_type=media_type, headers={"cache-control": _SHARED})


app = create_app(router)
