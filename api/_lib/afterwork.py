"""What is left to do for requests that were answered, in a server that says when it ends.

Where a platform may stop a process that has no request in hand, a request ends when its record is durable. A server that
runs the ASGI lifespan lasts: it waits for what is left before it ends, so none of its requests has to.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager

from fastapi import FastAPI

from api._lib.settings import settings

_tasks: set[asyncio.Future[object]] = set()


@asynccontextmanager
async def living(app: FastAPI) -> AsyncIterator[None]:
    """Note for the time of an app's life whether its server lasts; do at its end what is left."""
    # Vercel's runs the lifespan, too, but sleeps between requests and gives an end half a second.
    app.state.lasts = not settings().is_on_vercel
    try:
        yield
    finally:
        app.state.lasts = False
        await _finish()


def leave(rest: Awaitable[object]) -> None:
    """See to it that something is done, without waiting.

    What is no coroutine is a place in the prediction log, whose writer is at work whether somebody waits or not.
    """
    if asyncio.iscoroutine(rest):
        task = asyncio.ensure_future(rest)
        _tasks.add(task)
        task.add_done_callback(_tasks.discard)


async def _finish() -> None:
    from api._lib import kv, prediction_log, upstream

    loop = asyncio.get_running_loop()
    while own := {task for task in _tasks if task.get_loop() is loop}:
        await asyncio.wait(own)
    await prediction_log.finish()
    await upstream.close()
    await kv.close()
