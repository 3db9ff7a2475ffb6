"""What the benchmark reports: a value, the limit it stands beside, and whether the goal is met."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Figure:
    """One measured thing: Rowcast's value, the limit's, and the goal for their ratio, or for the value where alone."""

    what: str
    unit: str
    value: float
    limit: float | None = None
    at_most: float | None = None
    at_least: float | None = None
    is_aim: bool = False
    """The goal was set before it was measured what a request promises costs by itself: shown and counted apart (decision 0028)."""

    @property
    def ratio(self) -> float | None:
        """How many times the limit."""
        return self.value / self.limit if self.limit else None

    @property
    def is_met(self) -> bool | None:
        """Whether the goal is reached; None where there is none."""
        judged = self.value if self.ratio is None else self.ratio
        if self.at_most is not None:
            return judged <= self.at_most
        return None if self.at_least is None else judged >= self.at_least

    @property
    def goal(self) -> str:
        """The goal in words."""
        if self.at_most is not None:
            return f"≤ {self.at_most:g}"
        return "" if self.at_least is None else f"≥ {self.at_least:g}"

    def as_json(self) -> dict[str, Any]:
        """Write it for programs."""
        return {**asdict(self), "ratio": self.ratio, "is_met": self.is_met}


def quiet(values: Sequence[float]) -> float:
    """Choose among measurements of one thing: the lower quartile, as of a machine on which little else happens.

    What else runs makes a measurement longer and never shorter; the shortest of all may be an accident of the clock.
    """
    ordered = sorted(values)
    return ordered[len(ordered) // 4]
