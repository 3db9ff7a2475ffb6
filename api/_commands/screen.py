"""Draws a training run on the terminal from its events; plain lines where stderr is no terminal."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID


class RunScreen:
    """One line that moves: bar, elapsed, time left in the search, best score so far, stage or trial.

    Without a terminal (a log file, CI) it writes a line per stage and per better score instead.
    """

    def __init__(self, console: "Console | None" = None) -> None:
        from rich.console import Console

        self._console = console or Console(stderr=True, highlight=False)
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._best: float | None = None
        self._said = ""

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._progress = _bar(self._console)
            self._progress.start()
            self._task = self._progress.add_task("waiting", total=1.0, best="", left="")
        return self

    def __exit__(self, *_: object) -> None:
        if self._progress is not None:
            self._progress.stop()

    def show(self, event: Mapping[str, Any]) -> None:
        """Draw one event. Unknown kinds are drawn by their message, so an older command line can watch a newer server."""
        message = str(event.get("message") or event["kind"])
        best = event.get("best")
        is_better = isinstance(best, int | float) and math.isfinite(best) and best != self._best
        if is_better:
            self._best = best
        if self._progress is not None and self._task is not None:
            self._redraw(self._progress, self._task, message, event)
        elif message != self._said and (is_better or event["kind"] != "trial"):
            self._console.print(f"{message}, the best so far" if is_better else message, markup=False)
        self._said = message

    def _redraw(self, progress: "Progress", task: "TaskID", message: str, event: Mapping[str, Any]) -> None:
        left = event.get("remaining_seconds")
        share = event.get("progress")
        progress.update(
            task,
            description=message,
            completed=share if isinstance(share, int | float) else None,
            best="" if self._best is None else f"best {self._best:.4g}, ",
            left=f"{left:.0f} s left, " if isinstance(left, int | float) and left >= 1 else "",
        )


def _bar(console: "Console") -> "Progress":
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    return Progress(
        SpinnerColumn(),
        BarColumn(bar_width=24),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}{task.fields[best]}{task.description}", markup=False),
        console=console,
        transient=True,
    )
