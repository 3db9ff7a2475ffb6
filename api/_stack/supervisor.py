"""Keeps a set of services running: starts them, restarts what crashes, stops all in reverse order."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from api._stack import watchdog
from api._stack.interrupts import whole
from api._stack.processes import Child, Service

_WATCH_SECONDS = 0.25
_FIRST_BACK_OFF_SECONDS = 0.5
_LONGEST_BACK_OFF_SECONDS = 30.0
_STEADY_SECONDS = 60.0
"""A child that has run this long is healthy: its next crash starts again at the shortest back-off."""


class Supervisor:
    """The running children, and the one thread that looks after them."""

    def __init__(self, on_event: Callable[[str], None]) -> None:
        self._on_event = on_event
        self._lock = threading.RLock()
        self._children: dict[str, Child] = {}
        self._crashes: dict[str, int] = {}
        self._due: dict[str, float] = {}
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._watchdog = subprocess.Popen(
            [sys.executable, "-I", str(Path(watchdog.__file__))],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            text=True,
            bufsize=1,
        )

    def start(self, services: Sequence[Service]) -> None:
        """Start services side by side and return when all are ready."""
        started = [self._start(service) for service in services]
        for child in started:
            child.wait_ready()

    def watch(self) -> None:
        """From now on, restart a child that ends on its own."""
        self._thread = threading.Thread(target=self._watch, name="supervisor", daemon=True)
        self._thread.start()

    def stop(self, name: str) -> None:
        """Stop one service and forget it."""
        with self._lock:
            child = self._children.pop(name)
        self._stop(child)

    def stop_all(self) -> None:
        """Stop every service, last started first; never raises."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
        while self._children:
            _, child = self._children.popitem()
            self._stop(child)
        with suppress(OSError):
            assert self._watchdog.stdin is not None
            self._watchdog.stdin.close()
        self._watchdog.wait()

    def children(self) -> dict[str, Child]:
        """Look at the children as they are now."""
        with self._lock:
            return dict(self._children)

    def restarts(self, name: str) -> int:
        """Count how often a service has crashed since it last ran steadily."""
        return self._crashes.get(name, 0)

    def _start(self, service: Service) -> Child:
        # A child that is started and not yet noted would be left behind by whoever interrupts just then.
        with self._lock, whole():
            child = Child(service)
            self._tell_watchdog(f"+{child.pid}")
            self._children[service.name] = child
        return child

    def _stop(self, child: Child) -> None:
        child.stop()
        self._tell_watchdog(f"-{child.pid}")

    def _watch(self) -> None:
        while not self._stopping.wait(_WATCH_SECONDS):
            for name, child in self.children().items():
                if child.exit_code is not None:
                    self._revive(name, child)

    def _revive(self, name: str, child: Child) -> None:
        now = time.monotonic()
        if name not in self._due:
            is_steady = time.time() - child.started_at > _STEADY_SECONDS
            crashes = 1 if is_steady else self._crashes.get(name, 0) + 1
            wait = min(_LONGEST_BACK_OFF_SECONDS, _FIRST_BACK_OFF_SECONDS * 2 ** (crashes - 1))
            self._crashes[name] = crashes
            self._due[name] = now + wait
            said = child.last_line()
            self._on_event(
                f"{name} ended with exit code {child.exit_code}{': ' + said if said else ''}; starting it again in {wait:g} s"
            )
            self._stop(child)
        elif now >= self._due[name]:
            del self._due[name]
            self._start(child.service)
            self._on_event(f"{name} was started again")

    def _tell_watchdog(self, line: str) -> None:
        with suppress(OSError):
            assert self._watchdog.stdin is not None
            self._watchdog.stdin.write(line + "\n")
