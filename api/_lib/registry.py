"""Which version a reference means: `model`, `model@alias` or `model@number` → id, number, digest.

Answers are kept in this process for a moment. A promotion is seen within `MAX_AGE_SECONDS`, without asking on every
request: in its second half an answer is renewed behind the caller's back. What the database said last goes on while it
does not answer, then the bundled champions do. What one caller may see is never kept for another: public models are
shared, private ones are kept per user.
"""

import re
import time
from dataclasses import dataclass

from api._lib import artifacts, log
from api._lib.auth import Caller
from api._lib.circuit import Circuit
from api._lib.errors import ModelNotFound, NotAllowed, Unavailable, VersionNotFound
from api._lib.flight import Flight
from api._lib.memory import remember
from api._lib.store import models
from api._lib.upstream import PUBLIC, Rights

RENEW_SECONDS = 0.9
MAX_AGE_SECONDS = 1.8
SUSPECT_SECONDS = 10.0
"""So long after a failure nobody waits for the database if an earlier answer is at hand."""

_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,61}[a-z0-9]", re.ASCII)
_REFERENCE = re.compile(r"[a-z][a-z0-9-]{0,31}|[0-9]{1,9}", re.ASCII)
CHAMPION = "champion"


@dataclass(frozen=True, slots=True)
class Version:
    """One immutable version: which file answers. A bundled one whose number nobody could tell has none."""

    id: str
    number: int | None
    digest: str


@dataclass(frozen=True, slots=True)
class Found:
    """What a reference meant at this moment."""

    model_id: str
    slug: str
    alias: str | None
    version: Version


@dataclass(frozen=True, slots=True)
class _Known:
    """What the database said about one model to one audience."""

    asked_at: float
    model_id: str
    aliases: dict[str, Version]


_PUBLIC = ""
_known: dict[tuple[str, str], _Known] = {}
_missing: dict[tuple[str, str], float] = {}
_versions: dict[tuple[str, int], Version] = {}
_asking: Flight[tuple[str, str], _Known | None] = Flight()
_circuit = Circuit(seconds=2.0)


async def resolve(reference: str, caller: Caller) -> Found:
    """Find the version that `model`, `model@alias` or `model@number` means for this caller.

    Raises:
        ModelNotFound: there is none, or not for this caller: the two are not told apart.
        VersionNotFound: the model is there, the alias or number is not.
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
    if not wanted[0].isdecimal():
        if version := known.aliases.get(wanted):
            return Found(known.model_id, slug, wanted, version)
        raise VersionNotFound(slug, wanted)
    return Found(known.model_id, slug, None, await _numbered(known, slug, wanted, caller))


def forget(slug: str) -> None:
    """Ask again about a model that was just changed through this process."""
    for key in [key for key in _known if key[1] == slug]:
        del _known[key]


async def _look_up(slug: str, caller: Caller) -> _Known | None:
    audience = f"{caller.kind}:{caller.user_id}:{caller.rights.sees_all}" if caller.user_id else _PUBLIC
    key = (_PUBLIC, slug) if (_PUBLIC, slug) in _known else (audience, slug)
    known = _known.get(key)
    rights = PUBLIC if key[0] == _PUBLIC else caller.rights
    age = time.monotonic() - (known.asked_at if known else _missing.get(key, -MAX_AGE_SECONDS))
    if age < RENEW_SECONDS:
        return known
    if known and (age < MAX_AGE_SECONDS or _circuit.failed_within(SUSPECT_SECONDS)):
        if age >= MAX_AGE_SECONDS:
            log.note_degraded("database")
        if not _circuit.is_open:
            _asking.start(key, lambda: _ask(key, rights))
        return known
    try:
        answer = await _asking.join(key, lambda: _ask(key, rights))
    except Unavailable:
        if known is None:
            raise
        log.note_degraded("database")
        return known
    if answer is None and key[0] != audience:
        return await _look_up(slug, caller)  # no longer public: it may still be the caller's own
    return answer


async def _ask(key: tuple[str, str], rights: Rights) -> _Known | None:
    if _circuit.is_open:
        raise Unavailable("The database does not answer at the moment")
    audience, slug = key
    asked_at = time.monotonic()
    try:
        row = await models.find_aliases(slug, rights)
    except Unavailable:
        _circuit.failed()
        raise
    _circuit.worked()
    if row is None:
        _known.pop(key, None)
        remember(_missing, key, asked_at)
        return None
    aliases = {each["name"]: Version(**each["versions"]) for each in row["aliases"]}
    known = _Known(asked_at, row["id"], aliases)
    is_public = row["visibility"] == "public"
    if not is_public:
        _known.pop((_PUBLIC, slug), None)
    remember(_known, (_PUBLIC if is_public else audience, slug), known)
    return known


async def _numbered(known: _Known, slug: str, wanted: str, caller: Caller) -> Version:
    number = int(wanted)
    for version in known.aliases.values():
        if version.number == number:
            return version
    key = (known.model_id, number)
    if key not in _versions:
        row = await models.find_version(known.model_id, number, caller.rights)
        if row is None:
            raise VersionNotFound(slug, wanted)
        remember(_versions, key, Version(**row))
    return _versions[key]


def _bundled(slug: str, wanted: str) -> Found:
    """Fall back on the champion that travels with the function."""
    bundled = artifacts.bundled_artifacts().get(slug)
    if bundled is None or wanted != CHAMPION:
        raise Unavailable(f"The database does not answer at the moment, and {slug!r} is not known here without it")
    return Found("", slug, CHAMPION, Version("", None, bundled[0]))
