"""What a child tells while it works: at least once a second, whatever it is that takes long."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

SILENCE_SECONDS = 0.75
"""How long a child may be silent; loading libraries and reading a large table take several seconds."""


class Voice:
    """Passes events on, and repeats what the last one was about before a second has passed without one."""

    def __init__(self, tell: Callable[[Mapping[str, Any]], None]) -> None:
        self._tell = tell
        self._lock = threading.Lock()
        self._last: dict[str, Any] = {"message": "Beginning", "progress": 0.0}
        self._told = time.monotonic()

    def tell(self, event: Mapping[str, Any]) -> None:
        """Pass an event on."""
        with self._lock:
            self._last |= {name: event[name] for name in self._last if name in event}
            self._send(event)

    def say(self, message: str) -> None:
        """Tell what is being done; a tick, which changes what is shown and is not kept in the story of a run."""
        self.tell({"kind": "tick", "message": message, "progress": self._last["progress"]})

    @contextmanager
    def beating(self) -> Iterator[None]:
        """Break every silence."""
        ended = threading.Event()
        beat = threading.Thread(target=self._beat_until, args=(ended,), daemon=True)
        beat.start()
        try:
            yield
        finally:
            ended.set()
            beat.join()

    def _beat_until(self, ended: threading.Event) -> None:
        while not ended.wait(SILENCE_SECONDS / 4):
            with self._lock:
                if time.monotonic() - self._told >= SILENCE_SECONDS:
                    self._send({"kind": "tick", **self._last})

    def _send(self, event: Mapping[str, Any]) -> None:
        self._told = time.monotonic()
        self._tell(event)
