"""Handles a stack that another process runs: waits for it, stops it, deletes its data."""

import os
import shutil
import signal
import time
from contextlib import suppress

from api._stack import postgres, state
from api._stack.errors import StackError
from api._stack.settings import Settings
from api._stack.state import State

STOP_SECONDS = 60.0
_POLL_SECONDS = 0.05
_DATA = ("pg", "redis", "supabase", "cache", "env", "gallery", "state.json", "lock")
"""What a stack keeps in its home. The folder holds what is installed as well, which stays."""


def wait_until_ready(settings: Settings, seconds: float) -> State | None:
    """Wait for a stack that is starting; None when it ends or does not get ready in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and state.is_running(settings):
        current = state.read(settings)
        if current is not None and current.is_ready:
            return current
        time.sleep(_POLL_SECONDS)
    return None


def stop(settings: Settings) -> bool:
    """End whatever runs in this home, politely first; tell whether there was anything.

    Raises:
        StackError: a stack is starting and cannot be told apart yet; it is worth another try.
    """
    if not state.is_running(settings):
        return bool(settings.home.is_dir() and _end_leftovers(settings))
    current = state.read(settings)
    if current is None or not current.supervisor.is_alive():
        raise StackError("a stack is just starting here; try again in a moment")
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
