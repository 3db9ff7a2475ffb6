"""Tells the caller how far training is, and asks whether to go on."""

import time
from collections.abc import Callable
from typing import Any

from models.errors import TrainingStopped

type Event = dict[str, Any]


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
        self.budget_seconds = budget_seconds

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._started

    def tell(self, kind: str, message: str, progress: float, **facts: Any) -> None:
        """Send one event and, before it, honour a wish to stop. Raises TrainingStopped."""
        self.check()
        self._reached = min(max(self._reached, progress), 1.0)
        elapsed = round(self.elapsed, 3)
        self._on_event(
            {"kind": kind, "message": message, "progress": round(self._reached, 4), "elapsed_seconds": elapsed, **facts}
        )

    def stage(self, name: str, message: str, progress: float) -> None:
        """Announce the next stage. Raises TrainingStopped."""
        self.tell("stage", message, progress, stage=name)

    def check(self) -> None:
        """Raise TrainingStopped if the caller wants to stop."""
        if self._should_stop():
            raise TrainingStopped("training was stopped on request; nothing was written")
