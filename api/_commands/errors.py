"""How a command fails: one readable line on stderr, further lines only where there are several wrong fields."""

import sys
from collections.abc import Sequence
from urllib.parse import unquote

SHOWN_DETAILS = 10


class CliError(Exception):
    """Something the caller can put right. `message` is one line; `details` are further lines, one per wrong field."""

    def __init__(self, message: str, details: Sequence[str] = (), *, exit_code: int = 1) -> None:
        self.message = " ".join(message.split())
        self.details = tuple(details)
        self.exit_code = exit_code
        super().__init__(self.message)


class ServerUnreachable(CliError):
    """Nobody answered in time. Worth another try."""


class RequestRefused(CliError):
    """The server said no: `status` is its HTTP status, `code` the fixed word for the reason."""

    def __init__(self, message: str, details: Sequence[str] = (), *, status: int, code: str = "") -> None:
        self.status = status
        self.code = code
        super().__init__(message, details)


def report(error: CliError) -> int:
    """Write the error to stderr and return the exit code. Shows the first ten details and says how many more there are."""
    lines = [f"rowcast: {error.message}"]
    lines += [f"  {detail}" for detail in error.details[:SHOWN_DETAILS]]
    if len(error.details) > SHOWN_DETAILS:
        lines.append(f"  … and {len(error.details) - SHOWN_DETAILS} more")
    print("\n".join(lines), file=sys.stderr)
    return error.exit_code


def summarise(message: str, wrong: Sequence[tuple[str, str]]) -> tuple[str, list[str]]:
    """Split a refusal into its line and its details: one wrong field is the line itself, several are listed under it."""
    details = [describe(pointer, detail) for pointer, detail in wrong]
    if len(details) == 1:
        return details[0], []
    return (f"{len(details)} values do not fit" if message.startswith("#/") else message), details


def describe(pointer: str, detail: str) -> str:
    """Say for people where a JSON pointer points: `#/rows/3/age` is "row 4, age"."""
    parts = [
        unquote(part).replace("~1", "/").replace("~0", "~") for part in pointer.removeprefix("#").split("/") if part
    ]
    if len(parts) > 1 and parts[0] == "rows" and parts[1].isdigit():
        parts = [f"row {int(parts[1]) + 1}", *parts[2:]]
    return f"{', '.join(parts)}: {detail}" if parts else detail


def moved(pointer: str, first_row: int) -> str:
    """Let a pointer into a batch point into the caller's file, of which `first_row` rows were sent before."""
    match pointer.split("/"):
        case ["#", "rows", row, *rest] if row.isdigit():
            return "/".join(["#", "rows", str(first_row + int(row)), *rest])
        case _:
            return pointer
