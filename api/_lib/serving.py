"""What every door does before and around a prediction: the caller, the version, its engine, and where the work is done."""

import asyncio
from collections.abc import Callable

from fastapi import Request

from api._lib import auth, engines, log, registry
from models.runtime import OnnxModel

INLINE_BYTES = 32 * 1024
"""A larger body is worked on in a thread: other callers' answers must not wait for it."""


async def find_engine(request: Request, reference: str) -> tuple[registry.Found, OnnxModel]:
    """Find the opened model that `model`, `model@alias` or `model@number` means for whoever sent the request.

    Raises:
        ApiError: the caller may not, there is no such version, or it cannot be had at the moment.
    """
    headers = request.headers
    caller = await auth.identify(headers.get("authorization"), headers.get("x-api-key"))
    caller.must_hold("predict")
    found = await registry.resolve(reference, caller)
    log.note(model=found.slug, version=found.version.number)
    return found, engines.peek(found.version.digest) or await engines.find(found.version.digest)


async def work[Result](size: int, compute: Callable[[], Result]) -> Result:
    """Do the work for a body of this size: at once if it is small, else in a thread."""
    return compute() if size <= INLINE_BYTES else await asyncio.to_thread(compute)
