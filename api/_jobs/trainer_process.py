"""The worker's end of a child process: start it, read what it tells, end it at any moment.

A process of its own, because a fit can neither be interrupted nor kept from eating the memory of a thread's process,
and because a heartbeat must not wait for one.
"""

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import orjson

from api._jobs.errors import RunInterrupted, RunPostponed, RunRejected
from api._jobs.trainer import ENDED, Order

REPOSITORY = Path(__file__).parents[2]
PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
"""The child reads uploaded data, so it gets no key and no address."""

_LOOK_SECONDS = 0.5
NICENESS = 10
"""Training yields to whatever answers people on the same machine."""


class TrainerProcess:
    """A running child and the lines that it has written so far."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    @classmethod
    @contextmanager
    def start(cls, order: Order) -> Iterator["TrainerProcess"]:
        """Start a child; it is gone when the block is left, however that happens."""
        environ = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        process = subprocess.Popen(
            ["nice", "-n", str(NICENESS), sys.executable, "-m", "api._jobs.trainer"],
            cwd=REPOSITORY,
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # A signal from the terminal is the worker's to handle, not the child's.
            start_new_session=True,
        )
        try:
            assert process.stdin is not None
            process.stdin.write(order.to_json() + b"\n")
            process.stdin.flush()
            yield cls(process)
        finally:
            # The group, because libraries start helpers of their own.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    stream.close()

    def next_event(self, timeout_seconds: float) -> dict[str, Any] | None:
        """Return the next event; None when none came in time.

        Raises:
            EOFError: the child is gone; the message says how.
        """
        try:
            line = self._lines.get(timeout=timeout_seconds)
        except queue.Empty:
            return None
        if line is None:
            raise EOFError(_how_it_ended(self._process.wait()))
        event: Mapping[str, Any] = orjson.loads(line)
        return dict(event)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put(None)


def run_to_end(process: TrainerProcess, seconds: float, stop: threading.Event) -> None:
    """Wait until a child has done what it was asked, whatever it tells on the way.

    Raises:
        RunRejected: it cannot be done; with the child's reason, or because it takes too long.
        RunPostponed: the child is gone.
        RunInterrupted: the worker has to stop.
    """
    gives_up_at = time.monotonic() + seconds
    while time.monotonic() < gives_up_at:
        if stop.is_set():
            raise RunInterrupted("The worker was told to stop.")
        try:
            event = process.next_event(_LOOK_SECONDS)
        except EOFError as error:
            raise RunPostponed(str(error)) from error
        if event is not None and event["kind"] == ENDED:
            if event["reason"]:
                raise RunRejected(event["reason"])
            return
    raise RunRejected(f"It took longer than {seconds:.0f} seconds.")


def _how_it_ended(code: int) -> str:
    if code in {-signal.SIGKILL, -signal.SIGABRT}:
        return "The machine ended it, most likely because its memory ran out."
    if code < 0:
        return f"It was ended by {signal.Signals(-code).name}."
    return f"It ended with code {code}; the worker's log says why."
