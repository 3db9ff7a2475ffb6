"""One server under measurement: a process of its own on a core of its own, its CPU time and memory in view."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self

import httpx
import psutil

from api._commands.errors import CliError
from api._stack.settings import REPOSITORY, Ports

SERVER_CORE, CLIENT_CORE = 0, 1

START_SECONDS = 150.0
"""A start takes a second; on a machine that does five other things, with the core to share, more than thirty."""

FUNCTION = "api.predict:app"
ECHO = "api._commands.bench.limits:echo"
FLOOR = "api._commands.bench.limits:floor"
KEPT = "api._commands.bench.limits:kept"
BARE = "api._commands.bench.limits:bare"


class Server:
    """A uvicorn with one application; use it in a `with`."""

    def __init__(self, application: str, environ: Mapping[str, str], log: Path) -> None:
        self.port = Ports.free().site
        self._started = time.perf_counter()
        command = [sys.executable, "-m", "uvicorn", application, "--port", str(self.port)]
        command += ["--no-access-log", "--log-level", "warning"]
        command += ["--timeout-keep-alive", "120"]  # while others have their turn, connections wait
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command, cwd=REPOSITORY, env={**surroundings(), **environ}, stdout=output, stderr=output
            )
        self._view = psutil.Process(self._process.pid)
        self._threads: dict[str, int] = {}
        """Nanoseconds that each thread has used."""
        pin(self._process.pid, SERVER_CORE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(timeout=20)

    def first_answer(self, path: str, body: bytes) -> float:
        """Ask until there is a good answer; returns the seconds since the process was started."""
        with httpx.Client(base_url=f"http://127.0.0.1:{self.port}", trust_env=False, timeout=30) as client:
            while True:
                if self._process.poll() is not None or time.perf_counter() - self._started > START_SECONDS:
                    raise CliError("a server of the benchmark did not start; its log says why")
                try:
                    answer = client.post(path, content=body, headers={"content-type": "application/json"})
                except httpx.TransportError:
                    time.sleep(0.002)
                    continue
                if answer.status_code != httpx.codes.OK:
                    raise CliError(f"a server of the benchmark answered {answer.status_code}: {answer.text[:200]}")
                return time.perf_counter() - self._started

    @property
    def cpu_seconds(self) -> float:
        """CPU time used so far: to the nanosecond where Linux tells, else in hundredths of a second."""
        for thread in Path(f"/proc/{self._process.pid}/task").glob("*/schedstat"):
            with suppress(OSError):  # it has ended meanwhile: what it had used when last seen still counts
                self._threads[thread.parent.name] = int(thread.read_text().split()[0])
        if self._threads:
            return sum(self._threads.values()) / 1e9
        times = self._view.cpu_times()
        return times.user + times.system

    @property
    def memory_bytes(self) -> int:
        """Resident memory."""
        return int(self._view.memory_info().rss)


def surroundings() -> dict[str, str]:
    """Return this process's environment, with byte code kept: a deployment has it compiled."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def pin_client() -> None:
    """Keep this process off the core of the servers, where there is another, and let it go on as soon as an answer is there.

    By default a process that wakes up waits for the next tick, up to 4 ms, if the core works for another: the client's delay
    would count as the server's. Only root may ask for that; others' higher quantiles tell of their own machine, too.
    """
    pin(os.getpid(), CLIENT_CORE)
    if hasattr(os, "SCHED_RR"):
        with suppress(PermissionError):
            os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(1))


def pin(pid: int, core: int) -> None:
    """Keep a process with its threads, and what they start, on one core where there is another."""
    if hasattr(os, "sched_setaffinity") and core < (os.cpu_count() or 1):
        for thread in threads_of(pid):
            with suppress(ProcessLookupError):
                os.sched_setaffinity(thread, {core})


def threads_of(pid: int) -> list[int]:
    """List the threads of a process, where the system tells; each is scheduled by itself."""
    with suppress(FileNotFoundError):
        return [int(thread.name) for thread in Path(f"/proc/{pid}/task").iterdir()]
    return [pid]
