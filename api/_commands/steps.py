"""Says what is being done: on a terminal one line that changes, elsewhere a line per step."""

from typing import Self

from rich.console import Console
from rich.status import Status


class Steps:
    """The steps of one command, on stderr."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._status: Status | None = None
        self._is_done = False
        self._said = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.done()

    def say(self, line: str) -> None:
        """Show the step that begins; once `done`, a line that stays."""
        if line == self._said:
            return
        self._said = line
        if not self._console.is_terminal or self._is_done:
            self._console.print(f"rowcast: {line}", markup=False, soft_wrap=True)
        elif self._status is None:
            self._status = self._console.status(line)
            self._status.start()
        else:
            self._status.update(line)

    def done(self) -> None:
        """Take the changing line away."""
        self._is_done = True
        if self._status is not None:
            self._status.stop()
            self._status = None
