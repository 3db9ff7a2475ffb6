"""Tells the caller how far training is, and asks whether to go on."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from models.errors import TrainingStopped

type Event = dict[str, Any]

TICK_SECONDS = 0.75
"""How long a run may be silent. Whoever watches over that looks four times as often, so a second never passes."""


class Progress:
    """One training run's clock and voice. Progress never goes back; every event is JSON-able."""

    def __init__(
        self,
        on_event: Callable[[Event], None],
        should_stop: Callable[[], bool],
        budget_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._on_event = on_event
        self._should_stop = should_stop
        self._clock = clock
        self._started = clock()
        self._reached = 0.0
        self._message = ""
        self._facts: dict[str, Any] = {}
        self._told = self._started
        self._lock = threading.Lock()
        self.budget_seconds = budget_seconds

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._started

    def tell(self, kind: str, message: str, progress: float, **facts: Any) -> None:
        """Send one event and, before it, honour a wish to stop. Raises TrainingStopped."""
        self.check()
        with self._lock:
            self._reached = min(max(self._reached, progress), 1.0)
            self._message = message
            self._send(kind, message, facts)

    def stage(self, name: str, message: str, progress: float) -> None:
        """Announce the next stage. Raises TrainingStopped."""
        self.tell("stage", message, progress, stage=name)

    def remember(self, **facts: Any) -> None:
        """Keep what a tick tells besides the time."""
        self._facts |= facts

    def check(self) -> None:
        """Raise TrainingStopped if the caller wants to stop."""
        if self._should_stop():
            raise TrainingStopped("training was stopped on request; nothing was written")

    @contextmanager
    def ticking(self) -> Iterator[None]:
        """Send an event before a second has passed without one."""
        ended = threading.Event()
        ticker = threading.Thread(target=self._tick_until, args=(ended,), daemon=True)
        ticker.start()
        try:
            yield
        finally:
            ended.set()
            ticker.join()

    def _tick_until(self, ended: threading.Event) -> None:
        while not ended.wait(TICK_SECONDS / 4):
            with self._lock:
                if self._clock() - self._told >= TICK_SECONDS and not ended.is_set():
                    remaining = round(max(self.budget_seconds - self.elapsed, 0.0), 3)
                    self._send("tick", self._message, {"remaining_seconds": remaining, **self._facts})

    def _send(self, kind: str, message: str, facts: dict[str, Any]) -> None:
        self._told = self._clock()
        progress, elapsed = round(self._reached, 4), round(self.elapsed, 3)
        self._on_event({"kind": kind, "message": message, "progress": progress, "elapsed_seconds": elapsed, **facts})
