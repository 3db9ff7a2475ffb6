"""Measured durations, smoothed: what something costs at present."""

import time
from collections.abc import Callable

_WEIGHT = 0.2
FORGET_SECONDS = 60.0


class Average:
    """A moving average in seconds. After a minute without a measurement the first guess holds again."""

    __slots__ = ("_clock", "_guess", "_measured_at", "_value")

    def __init__(self, guess: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._guess = guess
        self._value = guess
        self._clock = clock
        self._measured_at: float | None = None

    def add(self, seconds: float) -> None:
        """Take a measurement in."""
        fresh = self._measured_at is None or self._clock() - self._measured_at > FORGET_SECONDS
        self._value = seconds if fresh else self._value + _WEIGHT * (seconds - self._value)
        self._measured_at = self._clock()

    @property
    def value(self) -> float:
        """The present estimate in seconds."""
        if self._measured_at is None or self._clock() - self._measured_at > FORGET_SECONDS:
            return self._guess
        return self._value
