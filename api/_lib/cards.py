"""The cards of versions, as JSON in the order of the contract; immutable, so read once per process."""

from api._lib import artifacts, log
from api._lib.errors import Unavailable
from api._lib.memory import remember
from api._lib.registry import Version
from api._lib.store import models
from api._lib.upstream import Rights
from models.contract import Card

_KEPT = 64
"""A card may have a hundred kilobytes."""

_cards: dict[str, bytes] = {}


async def read(version: Version, rights: Rights) -> bytes:
    """Return the card of a version that the caller was told of; without the database, the one beside the file."""
    if known := _cards.get(version.id):
        return known
    try:
        row = await models.find_card(version.id, rights) if version.id else None
    except Unavailable:
        row = None
        log.note_degraded("database")
    if row is not None:
        content = Card.model_validate(row).model_dump_json().encode()
        remember(_cards, version.id, content, limit=_KEPT)
        return content
    local = artifacts.find_local(version.digest)
    if local is None:
        raise Unavailable("The card cannot be fetched at the moment")
    return local.read_card().model_dump_json().encode()
