"""One piece of work for everybody who wants the same thing at the same time."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any


class Flight[Key, Value]:
    """Work in progress by key. It belongs to all its callers: one who leaves does not end it for the others."""

    def __init__(self) -> None:
        self._tasks: dict[Key, asyncio.Task[Value]] = {}

    async def join(self, key: Key, work: Callable[[], Coroutine[Any, Any, Value]]) -> Value:
        """Wait for the work of this key, starting it if nobody has."""
        return await asyncio.shield(self.start(key, work))

    def start(self, key: Key, work: Callable[[], Coroutine[Any, Any, Value]]) -> asyncio.Task[Value]:
        """Start the work of this key unless it is under way, without waiting."""
        task = self._tasks.get(key)
        if task is None or task.get_loop() is not asyncio.get_running_loop():
            task = self._tasks[key] = asyncio.get_running_loop().create_task(work())
            task.add_done_callback(lambda done: self._land(key, done))
        return task

    def _land(self, key: Key, done: asyncio.Task[Value]) -> None:
        if self._tasks.get(key) is done:
            del self._tasks[key]
        if not done.cancelled():
            done.exception()  # seen: work that nobody waited for may fail quietly
