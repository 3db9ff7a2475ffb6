"""What every door does before and around a prediction: the caller, the version, its engine, and where the work is done."""

import asyncio
from collections.abc import Callable
from functools import cached_property

import orjson

from api._lib import engines, limits, log, prediction_log, registry
from api._lib.auth import admit, identify, peek_key
from api._lib.callers import ANONYMOUS, Caller
from api._lib.memory import remember
from models.runtime import OnnxModel

INLINE_BYTES = 96 * 1024
"""A larger body is worked on in a thread: other callers' answers must not wait for it. This one takes half a millisecond,
and the way to a thread and back a fifth of that."""

INLINE_SECONDS = 2e-3
"""What is known to take longer is done in a thread, however small its body."""


class Granted:
    """Who asks, and what they may use; with what all answers to them have in common."""

    def __init__(self, caller: Caller, found: registry.Found) -> None:
        self.caller = caller
        self.found = found

    @cached_property
    def names(self) -> bytes:
        """The members of an answer that name the version."""
        found = self.found
        return orjson.dumps({"model": found.slug, "version": found.version.number, "alias": found.alias})[1:-1]

    @cached_property
    def record_names(self) -> bytes:
        """The members of a record that say who asked what."""
        return prediction_log.names_of(self.found, self.caller)


_granted: dict[tuple[str, str, str], Granted] = {}


async def find_version(reference: str) -> Granted:
    """Find what `model`, `model@alias` or `model@number` means for whoever sent the request in hand.

    Raises:
        ApiError: the caller may not, there is no such version, or it cannot be had at the moment.
    """
    note = log.current()
    headers = note.headers
    authorization, api_key = headers.get(b"authorization"), headers.get(b"x-api-key")
    if authorization is None and api_key is None:
        caller = ANONYMOUS
        limits.admit_anonymous()
        found = registry.peek_public(reference) or await registry.resolve(reference, caller)
    else:
        known_by_key = peek_key(api_key) if api_key else None
        caller = known_by_key or await identify(
            (authorization or b"").decode("latin-1"), (api_key or b"").decode("latin-1")
        )
        admit(caller)
        caller.must_hold("predict")
        # What everybody may use means the same to everybody; a key for one model is held to it by the long way.
        known_to_all = None if caller.model_slug else registry.peek_public(reference)
        found = known_to_all or await registry.resolve(reference, caller)
    if prediction_log.is_pressed():
        await prediction_log.room()
    facts = note.facts
    facts["model"], facts["version"] = found.slug, found.version.number
    key = (reference, caller.kind, caller.user_id)
    known = _granted.get(key)
    if known is None or known.caller is not caller or (known.found is not found and known.found != found):
        remember(_granted, key, known := Granted(caller, found))
    known.found = found  # the same, told again; the next comparison is one of identity
    return known


async def find_engine(reference: str) -> tuple[Granted, OnnxModel]:
    """Find the opened model that a reference means for whoever sent the request in hand.

    Raises:
        ApiError: the caller may not, there is no such version, or it cannot be had at the moment.
    """
    granted = await find_version(reference)
    digest = granted.found.version.digest
    return granted, engines.peek(digest) or await engines.find(digest)


async def work[Result](size: int, compute: Callable[[], Result]) -> Result:
    """Do the work for a body of this size: at once if it is small, else in a thread."""
    return compute() if size <= INLINE_BYTES else await asyncio.to_thread(compute)
