"""One service of the stack as a process: how it is started, watched until ready, and stopped.

Each child leads a process group of its own. A Ctrl-C in the terminal therefore reaches only the front door, which then
stops the children in the right order; and whatever a child starts itself ends with its group.
"""

import os
import pwd
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, TypedDict

import psutil

from api._stack.errors import ServiceFailed

_POLL_SECONDS = 0.02


class Identity(TypedDict, total=False):
    """The arguments of `subprocess` that run a process as another user, with that user's rights and no more."""

    user: int
    group: int
    extra_groups: list[int]


def identity(user: int | None) -> Identity:
    """Compose the arguments for a user id; None is the caller."""
    return {} if user is None else {"user": user, "group": pwd.getpwuid(user).pw_gid, "extra_groups": []}


@dataclass(frozen=True)
class Service:
    """What has to be known to run one service."""

    name: str
    command: Sequence[str]
    environ: Mapping[str, str]
    log: Path
    is_ready: Callable[[], bool]
    cwd: Path = field(default_factory=Path.cwd)
    ready_seconds: float = 30
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 10
    user: int | None = None
    """Run as this user id; None keeps the caller's."""


class Child:
    """A started service."""

    def __init__(self, service: Service) -> None:
        self.service = service
        service.log.parent.mkdir(mode=0o700, exist_ok=True)
        with service.log.open("ab") as log:
            self._log_start = log.tell()
            self._process = subprocess.Popen(
                list(service.command),
                env=dict(service.environ),
                cwd=service.cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **identity(service.user),
            )
        self.pid = self._process.pid
        self.started_at = time.time()

    @property
    def exit_code(self) -> int | None:
        """How the process ended, or None while it runs."""
        return self._process.poll()

    def wait_ready(self) -> None:
        """Block until the service answers.

        Raises:
            ServiceFailed: it ended, or did not answer within its time.
        """
        deadline = time.monotonic() + self.service.ready_seconds
        while not self.service.is_ready():
            if self.exit_code is not None:
                raise self._failure(f"ended with exit code {self.exit_code} before it was ready")
            if time.monotonic() > deadline:
                raise self._failure(f"was not ready within {self.service.ready_seconds:.0f} s")
            time.sleep(_POLL_SECONDS)

    def stop(self) -> None:
        """Ask the service to end, then insist; returns when its whole group is gone."""
        if self.exit_code is None:
            _signal_group(self.pid, self.service.stop_signal, leader_only=True)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(self.service.stop_seconds)
        _signal_group(self.pid, signal.SIGKILL)
        self._process.wait()

    def last_line(self) -> str:
        """Read the last thing this process said, an error rather than what follows it."""
        with suppress(OSError):
            with self.service.log.open("rb") as log:
                log.seek(max(self._log_start, os.fstat(log.fileno()).st_size - 4096))
                lines = [line.strip() for line in log.read().decode(errors="replace").splitlines()]
            said = [line for line in reversed(lines) if line]
            return next((line for line in said if "error" in line.lower()), said[0] if said else "")[:300]
        return ""

    def _failure(self, reason: str) -> ServiceFailed:
        return ServiceFailed(self.service.name, reason, self.service.log, self.last_line())


def port_holder(port: int, *, patience: float = 0.0) -> str | None:
    """Name the process that has a loopback port, or None when the port is free.

    The usual ports lie among those that systems give to outgoing connections: with some patience, in seconds, one that holds
    the port by chance is waited for. What listens there is not.
    """
    deadline = time.monotonic() + patience
    while True:
        if _is_free(port):
            return None
        holder = _holder(port)
        if holder.is_listening or time.monotonic() > deadline:
            return holder.name
        time.sleep(_POLL_SECONDS)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


class _Holder(NamedTuple):
    name: str
    is_listening: bool = False


def _holder(port: int) -> _Holder:
    found = _Holder("another process")
    with suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("tcp"):
            if connection.laddr and connection.laddr.port == port:
                name = found.name
                if connection.pid:
                    name = f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
                if connection.status == psutil.CONN_LISTEN:
                    return _Holder(name, is_listening=True)
                found = _Holder(name)
    return found


def _signal_group(pid: int, number: signal.Signals, *, leader_only: bool = False) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number) if leader_only else os.killpg(pid, number)
