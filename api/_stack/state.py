"""What is running, written where other commands can read it, and the lock that lets only one stack run per home."""

import fcntl
import json
import os
import signal
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import psutil

from api._stack.settings import Settings

_GRACE_SECONDS = 10.0


@dataclass(frozen=True)
class RunningProcess:
    """A process that can be recognised later, even if its number has been given to another by then."""

    pid: int
    created_at: float

    @classmethod
    def of(cls, pid: int) -> Self | None:
        """Describe a process that is running now; None when it has ended."""
        with suppress(psutil.NoSuchProcess):
            return cls(pid, psutil.Process(pid).create_time())
        return None

    def is_alive(self) -> bool:
        """Tell whether this very process still runs."""
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(self.pid)
            return process.create_time() == self.created_at and process.status() != psutil.STATUS_ZOMBIE
        return False


@dataclass(frozen=True)
class State:
    """One run of the stack as last recorded."""

    supervisor: RunningProcess
    started_at: str
    is_ready: bool
    ports: dict[str, int]
    processes: dict[str, RunningProcess]
    restarts: dict[str, int] = field(default_factory=dict)


def read(settings: Settings) -> State | None:
    """Read the record of the last run; None when there is none or it was cleanly stopped."""
    try:
        raw: dict[str, Any] = json.loads(_path(settings).read_text(encoding="utf-8"))
        raw["supervisor"] = RunningProcess(**raw["supervisor"])
        raw["processes"] = {name: RunningProcess(**each) for name, each in raw["processes"].items()}
        return State(**raw)
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return None


def read_running(settings: Settings) -> State | None:
    """Read the record of the run that is going on; None when nothing runs or nothing is recorded of it yet."""
    current = read(settings) if is_running(settings) else None
    return current if current is not None and current.supervisor.is_alive() else None


def write(settings: Settings, state: State) -> None:
    """Replace the record as a whole."""
    draft = _path(settings).with_suffix(f".{os.getpid()}")
    draft.write_text(json.dumps(asdict(state), indent=2) + "\n", encoding="utf-8")
    draft.replace(_path(settings))


def clear(settings: Settings) -> None:
    """Forget the run: it was stopped cleanly."""
    _path(settings).unlink(missing_ok=True)


class Lock:
    """Held by the one process that runs the stack of a home; the system frees it however that process ends."""

    def __init__(self, settings: Settings) -> None:
        self._path = settings.home / "lock"
        self._descriptor: int | None = None

    @property
    def is_held(self) -> bool:
        """Tell whether this process holds it."""
        return self._descriptor is not None

    def acquire(self) -> bool:
        """Take the lock; False when another process holds it."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Give the lock back."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def is_running(settings: Settings) -> bool:
    """Tell whether a stack of this home is running or starting."""
    if not settings.home.is_dir():
        return False
    lock = Lock(settings)
    if lock.acquire():
        lock.release()
        return False
    return True


def end_leftovers(settings: Settings) -> list[str]:
    """End what an earlier run left behind and return the names of those services; call with the lock held."""
    state = read(settings)
    left = {name: each for name, each in (state.processes if state else {}).items() if each.is_alive()}
    for each in left.values():
        _signal(each, signal.SIGINT)
        _signal(each, signal.SIGTERM)
    deadline = time.monotonic() + _GRACE_SECONDS
    while any(each.is_alive() for each in left.values()) and time.monotonic() < deadline:
        time.sleep(0.05)
    for each in left.values():
        _signal(each, signal.SIGKILL)
    clear(settings)
    return list(left)


def _signal(process: RunningProcess, number: signal.Signals) -> None:
    if process.is_alive():
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)


def _path(settings: Settings) -> Path:
    return settings.home / "state.json"
