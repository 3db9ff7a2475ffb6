"""Ends the stack's processes when the one that started them dies without a chance to do so itself.

Started by the supervisor with a pipe as standard input. Each line names a process group to care for (`+123`) or one
that has ended (`-123`). The end of the pipe is the end of the supervisor, however it came; what is then still listed
is asked to end and, a few seconds later, made to. Standard library only: it must start fast and stay small.
"""

import os
import signal
import sys
import time
from contextlib import suppress

_GRACE_SECONDS = 3.0


def main() -> None:
    """Follow the supervisor's lines until they end, then end what is left."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: set[int] = set()
    for line in sys.stdin:
        groups.add(int(line[1:])) if line.startswith("+") else groups.discard(int(line[1:]))
    _end(groups)


def _end(groups: set[int]) -> None:
    _signal(groups, signal.SIGINT)  # PostgreSQL takes SIGINT as "now, cleanly" and SIGTERM as "when all have left"
    _signal(groups, signal.SIGTERM)
    deadline = time.monotonic() + _GRACE_SECONDS
    while groups and time.monotonic() < deadline:
        time.sleep(0.05)
        groups = {group for group in groups if _is_alive(group)}
    _signal(groups, signal.SIGKILL)


def _signal(groups: set[int], number: signal.Signals) -> None:
    for group in groups:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, number)


def _is_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


if __name__ == "__main__":
    main()
