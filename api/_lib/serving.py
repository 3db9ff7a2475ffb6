"""What every door does before and around a prediction: the caller, the version, its engine, and where the work is done."""

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from api._lib import engines, limits, log, registry
from api._lib.auth import ANONYMOUS, Caller, admit, identify
from models.runtime import OnnxModel

INLINE_BYTES = 32 * 1024
"""A larger body is worked on in a thread: other callers' answers must not wait for it."""


class Granted(NamedTuple):
    """Who asks, and what they may use."""

    caller: Caller
    found: registry.Found


async def find_version(reference: str) -> Granted:
    """Find what `model`, `model@alias` or `model@number` means for whoever sent the request in hand.

    Raises:
        ApiError: the caller may not, there is no such version, or it cannot be had at the moment.
    """
    headers = log.current().headers
    authorization, api_key = headers.get(b"authorization"), headers.get(b"x-api-key")
    if authorization is None and api_key is None:
        caller = ANONYMOUS
        limits.admit_anonymous()
        found = registry.peek_public(reference) or await registry.resolve(reference, caller)
    else:
        caller = await identify((authorization or b"").decode("latin-1"), (api_key or b"").decode("latin-1"))
        admit(caller)
        caller.must_hold("predict")
        found = await registry.resolve(reference, caller)
    log.note(model=found.slug, version=found.version.number)
    return Granted(caller, found)


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
