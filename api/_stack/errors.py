"""What can go wrong while the embedded stack is started, used or stopped.

StackError
├── PortTaken            a port is held by another process
├── ServiceFailed        a service ended early or was not ready in time
├── MigrationFailed      a migration was refused by the database
└── MissingTool          a binary of the locked packages is not there

Every message is one line that says what to do next: the command line prints it and nothing else.
"""

from pathlib import Path


class StackError(Exception):
    """The stack cannot do what was asked; the message is for a person."""


class PortTaken(StackError):
    """A port that a service needs is held by another process."""

    def __init__(self, service: str, port: int, holder: str, variable: str) -> None:
        option = variable.removeprefix("ROWCAST_").replace("_", "-").lower()
        super().__init__(
            f"port {port} ({service}) is taken by {holder}; stop it, or choose another with --{option} or {variable}"
        )
        self.service = service
        self.port = port


class ServiceFailed(StackError):
    """A service ended before it was ready, or did not become ready in time."""

    def __init__(self, service: str, reason: str, log: Path, last_line: str = "") -> None:
        said = f": {last_line}" if last_line else ""
        super().__init__(f"{service} {reason}{said} (log: {log})")
        self.service = service
        self.log = log


class MigrationFailed(StackError):
    """The database refused a migration; nothing of it was kept."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"migration {name} was refused and undone: {reason}")
        self.name = name


class MissingTool(StackError):
    """A binary that the locked packages bring cannot be found."""

    def __init__(self, tool: str) -> None:
        super().__init__(f"{tool} is not installed here; run ./rowcast up, which installs what the locks name")
