"""What crawlers ask a site for: which pages there are, and which they may read."""

from xml.sax.saxutils import escape

import orjson
from fastapi import APIRouter, Response

from api._lib import catalogue
from api._lib.app import create_app
from api._lib.auth import ANONYMOUS
from api._lib.settings import settings

router = APIRouter()

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


def _page(path: str, changed_at: str = "") -> str:
    changed = f"<lastmod>{escape(changed_at)}</lastmod>" if changed_at else ""
    return f"<url><loc>{escape(settings().site_url + path)}</loc>{changed}</url>\n"


def _answer(text: str, media_type: str) -> Response:
    return Response(text, media_type=media_type, headers={"cache-control": _SHARED})


app = create_app(router)
