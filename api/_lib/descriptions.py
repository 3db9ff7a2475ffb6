"""The API described in OpenAPI for whoever asks: all of it with the published models, or the doors of one model."""

import asyncio
from functools import cache
from typing import Any

import orjson

from api._lib import cards, catalogue, log, openapi, registry
from api._lib.callers import ANONYMOUS, Caller
from api._lib.errors import ApiError
from api._lib.memory import remember
from api._lib.model_openapi import add_model, describe_model
from api._lib.registry import Found
from api._lib.routers import load_routers
from models.contract import Card

MAX_PUBLISHED = 50
"""So many models stand in the description of the whole; each has one of its own."""

_KEPT = 4

_wholes: dict[tuple[str, ...], bytes] = {}


async def describe_api() -> bytes:
    """Describe every operation, and the newest public models with their own schemas."""
    listed = orjson.loads(await catalogue.list_models(ANONYMOUS))["models"]
    slugs = [model["slug"] for model in listed if model["champion"]][:MAX_PUBLISHED]
    found = [each for each in await asyncio.gather(*map(_find_card, slugs)) if each]
    key = tuple(f"{slug} {version}" for slug, version, _ in found)
    if key not in _wholes:
        described = orjson.loads(_whole())
        for slug, _, card in found:
            add_model(described, described, slug, Card.model_validate_json(card))
        remember(_wholes, key, orjson.dumps(described), limit=_KEPT)
    return _wholes[key]


async def describe_version(found: Found, caller: Caller) -> bytes:
    """Describe what one model answers, by the card of the version that was found."""
    card = Card.model_validate_json(await cards.read(found.version, caller.rights))
    reference = (
        found.slug if found.alias == registry.CHAMPION else f"{found.slug}@{found.alias or found.version.number}"
    )
    return orjson.dumps(describe_model(orjson.loads(_whole()), reference, card))


async def _find_card(slug: str) -> tuple[str, str, bytes] | None:
    try:
        found = await registry.resolve(slug, ANONYMOUS)
        return slug, found.version.id or found.version.digest, await cards.read(found.version, ANONYMOUS.rights)
    except ApiError as error:  # it was just taken back, or the database fell silent: the others are described
        log.info("model not described", model=slug, reason=error.detail)
        return None


@cache
def _whole() -> bytes:
    from api._lib.app import create_app

    described: dict[str, Any] = openapi.describe(create_app(*load_routers()))
    return orjson.dumps(described)
