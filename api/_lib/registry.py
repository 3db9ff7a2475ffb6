"""Which version a reference means: `model`, `model@alias`, `model@number` or `model@digest` → id, number, digest.

What one caller may see is never kept for another: public models are looked up as nobody and shared, private ones are
looked up and kept for each caller. Without the database the bundled champions go on.
"""

import asyncio
import re
from collections.abc import Awaitable, Sequence
from typing import NamedTuple

from api._lib import artifacts, log
from api._lib.callers import Caller
from api._lib.errors import ModelNotFound, NotAllowed, Unavailable, VersionNotFound
from api._lib.lookup import Held, Lookup
from api._lib.memory import remember
from api._lib.store import models
from api._lib.upstream import PUBLIC, Rights

CHAMPION = "champion"

_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,61}[a-z0-9]", re.ASCII)
_REFERENCE = re.compile(r"[a-z][a-z0-9-]{0,31}|[0-9]{1,9}|[0-9a-f]{64}", re.ASCII)
_DIGEST_LENGTH = 64


class Version(NamedTuple):
    """One immutable version: which file answers. A bundled one whose number nobody could tell has none."""

    id: str
    number: int | None
    digest: str


class Found(NamedTuple):
    """What a reference meant at this moment."""

    slug: str
    alias: str | None
    version: Version
    is_public: bool
    keeps_inputs: bool
    """Whether the rows that were asked about may be kept with the predictions."""


class _Known(NamedTuple):
    """What the database said about one model."""

    id: str
    is_public: bool
    keeps_inputs: bool
    aliases: dict[str, Found]


_versions: dict[tuple[str, str], Version] = {}


async def resolve(reference: str, caller: Caller) -> Found:
    """Find the version that `model`, `model@alias`, `model@number` or `model@digest` means for this caller.

    Raises:
        ModelNotFound: there is none, or not for this caller: the two are not told apart.
        VersionNotFound: the model is there, the alias, number or digest is not, or its file was deleted.
        Unavailable: the database does not answer, and nothing was known before.
    """
    slug, _, wanted = reference.partition("@")
    wanted = wanted or CHAMPION
    if not _SLUG.fullmatch(slug):
        raise ModelNotFound(slug)
    if not _REFERENCE.fullmatch(wanted):
        raise VersionNotFound(slug, wanted)
    if caller.model_slug and caller.model_slug != slug:
        raise NotAllowed(f"This API key was made for the model {caller.model_slug!r} only")
    try:
        known = await _look_up(slug, caller)
    except Unavailable:
        log.note_degraded("database")
        return _bundled(slug, wanted)
    if known is None:
        raise ModelNotFound(slug)
    if wanted.isdecimal() or len(wanted) == _DIGEST_LENGTH:
        version = await _find_pinned(known, slug, wanted, caller)
        return Found(slug, None, version, known.is_public, known.keeps_inputs)
    if wanted not in known.aliases:
        raise VersionNotFound(slug, wanted)
    return known.aliases[wanted]


def peek_public(reference: str) -> Found | None:
    """Find what an alias of a public model means if that is known and fresh, without waiting."""
    slug, _, wanted = reference.partition("@")
    known = _public.peek(slug)
    return known.aliases.get(wanted or CHAMPION) if known else None


def hold_public(reference: str, found: Found) -> Held[str, _Known | None] | None:
    """Hold on to what is known of a public model if it says that its alias means this."""
    slug, _, wanted = reference.partition("@")
    held = _public.hold(slug)
    return held if held and held.value and held.value.aliases.get(wanted or CHAMPION) == found else None


def forget(slug: str) -> None:
    """Ask again about a model that was just changed through this process."""
    _public.forget(lambda key: key == slug)
    _private.forget(lambda key: key[1] == slug)
    _versions.clear()


async def _look_up(slug: str, caller: Caller) -> _Known | None:
    def own() -> Awaitable[_Known | None]:
        return _private.get((caller.audience, slug), lambda: _ask(slug, caller.rights))

    public = _public.get(slug, lambda: _ask(slug, PUBLIC))
    if caller.kind == "anonymous":
        return await public
    if _public.knows(slug) or _public.is_fresh(slug):  # what it says is at hand: the other question may be spared
        return await public or await own()
    known, owned = await asyncio.gather(public, own())
    return known or owned


async def _ask(slug: str, rights: Rights) -> _Known | None:
    row = await models.find_aliases(slug, rights)
    return _read(row) if row else None


async def _ask_together(slugs: Sequence[str]) -> dict[str, _Known | None]:
    found = await models.find_many_aliases(slugs, PUBLIC)
    return {slug: _read(found[slug]) if slug in found else None for slug in slugs}


def _read(row: models.Row) -> _Known:
    slug = row["slug"]
    is_public, keeps_inputs = row["visibility"] == "public", row["keep_inputs"]
    aliases = {
        each["name"]: Found(slug, each["name"], Version(**each["versions"]), is_public, keeps_inputs)
        for each in row["aliases"]
    }
    return _Known(row["id"], is_public, keeps_inputs, aliases)


_public: Lookup[str, _Known | None] = Lookup(ask_together=_ask_together)
"""What anybody may see, by slug."""

_private: Lookup[tuple[str, str], _Known | None] = Lookup()
"""What one caller may see, by audience and slug."""


async def _find_pinned(known: _Known, slug: str, wanted: str, caller: Caller) -> Version:
    """Find what a number or a digest means: always the same, so it is asked for once."""
    for found in known.aliases.values():
        if wanted in {found.version.digest, str(found.version.number)}:
            return found.version
    key = (known.id, wanted)
    if key not in _versions:
        pinned = {"digest": wanted} if len(wanted) == _DIGEST_LENGTH else {"number": int(wanted)}
        row = await models.find_version(known.id, caller.rights, **pinned)
        if row is None:
            raise VersionNotFound(slug, wanted)
        remember(_versions, key, Version(**row))
    return _versions[key]


def _bundled(slug: str, wanted: str) -> Found:
    """Fall back on the champion that travels with the function."""
    bundled = artifacts.bundled_artifacts().get(slug)
    if bundled is None or wanted != CHAMPION:
        raise Unavailable(f"The database does not answer at the moment, and {slug!r} is not known here without it")
    return Found(slug, CHAMPION, Version("", None, bundled[0]), is_public=True, keeps_inputs=True)
