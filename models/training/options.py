"""What a caller may choose about a training run."""

import os
from dataclasses import dataclass

from models.contract import Task

MAX_THREADS = 2
"""Default limit: training shares its machine with the people who wait for it."""


@dataclass(frozen=True)
class TrainOptions:
    """The choices for one run. Everything but the target and the name has a sensible default."""

    target: str
    name: str
    title: str = ""
    description: str = ""
    time_budget_seconds: float = 30
    """About how long a run may take. The plain recipes are always tried, and the certificate is never skipped."""
    seed: int = 0
    drop: tuple[str, ...] = ()
    task: Task | None = None
    source: str | None = None
    licence: str | None = None
    threads: int = min(MAX_THREADS, os.cpu_count() or 1)
