"""Measured durations, smoothed: what something costs when nothing interrupts it."""

import time
from collections.abc import Callable

_UP, _DOWN = 0.05, 0.3
"""A longer measurement may be an interruption, a shorter one cannot be: the average leans to the short side."""

FORGET_SECONDS = 60.0


class Average:
    """A moving average in seconds, of the shorter ones. After a minute without a measurement the first guess holds again."""

    __slots__ = ("_clock", "_guess", "_measured_at", "_value")

    def __init__(self, guess: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._guess = guess
        self._value = guess
        self._clock = clock
        self._measured_at: float | None = None

    def add(self, seconds: float) -> None:
        """Take a measurement in."""
        now = self._clock()
        fresh = self._measured_at is None or now - self._measured_at > FORGET_SECONDS
        weight = 1.0 if fresh else _UP if seconds > self._value else _DOWN
        self._value += weight * (seconds - self._value)
        self._measured_at = now

    @property
    def value(self) -> float:
        """The present estimate in seconds."""
        if self._measured_at is None or self._clock() - self._measured_at > FORGET_SECONDS:
            return self._guess
        return self._value
