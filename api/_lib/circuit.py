"""A memory of failure: after one, the part is left alone for a while instead of being waited for again."""

import math
import time
from collections.abc import Callable


class Circuit:
    """Closed: ask. Open: do not ask until `seconds` have passed since the last failure."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._failed_at = -math.inf

    @property
    def is_open(self) -> bool:
        """Whether the part failed so lately that asking is a waste of the caller's time."""
        return self.failed_within(self._seconds)

    def failed_within(self, seconds: float) -> bool:
        """Whether the last answer was a failure, not longer ago than this."""
        return self._clock() - self._failed_at < seconds

    def failed(self) -> None:
        """Remember that the part did not answer."""
        self._failed_at = self._clock()

    def worked(self) -> None:
        """Forget earlier failures."""
        self._failed_at = -math.inf
