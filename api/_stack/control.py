"""Handles a stack that another process runs: starts it, waits for it, stops it, deletes its data."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from api._stack import postgres, state
from api._stack.errors import StackError
from api._stack.settings import HOME_VARIABLE, REPOSITORY, Ports, Settings
from api._stack.state import State

START_SECONDS = 180.0
STOP_SECONDS = 60.0
INTRODUCTION_SECONDS = 10.0
_POLL_SECONDS = 0.05
_DATA = ("pg", postgres.DRAFT, "redis", "supabase", "cache", "env", "gallery", "state.json", "lock")
"""What a stack keeps in its home. The folder holds what is installed as well, which stays."""


def start_detached(settings: Settings, on_event: Callable[[str], None]) -> None:
    """Start the stack in a process of its own, which outlives this one, and wait until it is ready.

    Raises:
        StackError: it could not be started; the message is the stack's own.
    """
    settings.logs.mkdir(mode=0o700, parents=True, exist_ok=True)
    log = settings.logs / "stack.log"
    environ = {**os.environ, HOME_VARIABLE: str(settings.home), "PYTHONPATH": str(REPOSITORY)}
    environ |= {Ports.variable(name): str(port) for name, port in asdict(settings.ports).items()}
    command = [sys.executable, "-P", "-m", "api._stack.daemon"]
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, env=environ, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True
        )
    try:
        _follow_start(settings, process, log, on_event)
    except BaseException:
        process.terminate()
        process.wait()
        raise


def _follow_start(
    settings: Settings, process: subprocess.Popen[bytes], log: Path, on_event: Callable[[str], None]
) -> None:
    deadline, shown = time.monotonic() + START_SECONDS, 0
    while not ((current := state.read(settings)) and current.is_ready and current.supervisor.pid == process.pid):
        has_ended = process.poll() is not None
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        if has_ended:
            raise StackError(lines[-1].removeprefix("error: ") if lines else f"the stack ended at once (log: {log})")
        if time.monotonic() > deadline:
            raise StackError(f"the stack was not ready within {START_SECONDS:.0f} s (log: {log})")
        for line in lines[shown:]:
            on_event(line)
        shown = len(lines)
        time.sleep(_POLL_SECONDS)


def wait_until_ready(settings: Settings) -> State | None:
    """Wait for a stack that is starting; None when it ends or does not get ready in time."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and state.is_running(settings):
        current = state.read_running(settings)
        if current is not None and current.is_ready:
            return current
        time.sleep(_POLL_SECONDS)
    return None


def stop(settings: Settings) -> bool:
    """End whatever runs in this home, politely first; tell whether there was anything.

    Raises:
        StackError: something holds the home and does not say who it is.
    """
    current = _find_running(settings)
    if current is None:
        return bool(settings.home.is_dir() and _end_leftovers(settings))
    _signal(current.supervisor.pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while state.is_running(settings):
        if time.monotonic() > deadline:
            _signal(current.supervisor.pid, signal.SIGKILL)  # its watchdog ends the services
            deadline += STOP_SECONDS
        time.sleep(_POLL_SECONDS)
    _end_leftovers(settings)
    return True


def delete_data(settings: Settings) -> None:
    """Delete what the stack keeps, and nothing else."""
    if not settings.home.is_dir():
        return
    postgres.remove(settings)
    for name in _DATA:
        path = settings.home / name
        if path.is_symlink() or path.is_file():
            path.unlink()
        elif path.is_dir():
            shutil.rmtree(path)
    for log in settings.logs.glob("*.log"):
        if log.name != "install.log":
            log.unlink()


def _find_running(settings: Settings) -> State | None:
    """Find the run that goes on, giving one that has only just begun the time to say so."""
    deadline = time.monotonic() + INTRODUCTION_SECONDS
    while state.is_running(settings):
        if (current := state.read_running(settings)) is not None:
            return current
        if time.monotonic() > deadline:
            raise StackError(f"something holds {settings.home / 'lock'} and does not say who it is; end it yourself")
        time.sleep(_POLL_SECONDS)
    return None


def _end_leftovers(settings: Settings) -> list[str]:
    lock = state.Lock(settings)
    if not lock.acquire():
        return []
    try:
        return state.end_leftovers(settings)
    finally:
        lock.release()


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
