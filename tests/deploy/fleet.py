"""All functions of a build, each started by the first request for it, as the platform does."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from tests.deploy.platform import Running, running
from tests.deploy.rehearsal import Build


class Fleet:
    """One process for each function that was ever asked; use it in a `with`."""

    def __init__(self, build: Build, folder: Path, environ: Mapping[str, str]) -> None:
        self._build = build
        self._folder = folder
        self._environ = environ
        self._stack = ExitStack()
        self._running: dict[str, Running] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    async def reach(self, name: str) -> Running:
        """Return a function that answers, starting it if this is its first request."""
        async with self._locks[name]:
            if name not in self._running:
                folder = self._folder / name.replace("/", "-")
                folder.mkdir()
                started = running(self._build.functions[name], folder, self._environ)
                self._running[name] = await asyncio.to_thread(self._stack.enter_context, started)
            return self._running[name]
