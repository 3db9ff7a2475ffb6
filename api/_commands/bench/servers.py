"""One server under measurement: a process of its own on a core of its own, its CPU time and memory in view."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import httpx
import psutil

from api._commands.errors import CliError
from api._stack.settings import REPOSITORY, Ports

START_SECONDS = 150.0
"""A start takes a second; on a machine that does five other things, with the core to share, more than thirty."""

FUNCTION = "api.predict:app"
ECHO = "api._commands.bench.limits:echo"
FLOOR = "api._commands.bench.limits:floor"
BARE = "api._commands.bench.limits:bare"


class Server:
    """A uvicorn with one application; use it in a `with`."""

    def __init__(self, application: str, environ: Mapping[str, str], log: Path) -> None:
        self.port = Ports.free().site
        self._started = time.perf_counter()
        command = [sys.executable, "-m", "uvicorn", application, "--port", str(self.port)]
        command += ["--no-access-log", "--log-level", "warning", "--lifespan", "off"]
        command += ["--timeout-keep-alive", "120"]  # while others have their turn, connections wait
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command, cwd=REPOSITORY, env={**os.environ, **environ}, stdout=output, stderr=output
            )
        self._view = psutil.Process(self._process.pid)
        _pin(self._process.pid, 0)

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
        threads = list(Path(f"/proc/{self._process.pid}/task").glob("*/schedstat"))
        if threads:
            return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9
        times = self._view.cpu_times()
        return times.user + times.system

    @property
    def memory_bytes(self) -> int:
        """Resident memory."""
        return int(self._view.memory_info().rss)


def pin_client() -> None:
    """Keep this process off the core of the servers, where there is another."""
    _pin(os.getpid(), 1)


def _pin(pid: int, core: int) -> None:
    if hasattr(os, "sched_setaffinity") and core in os.sched_getaffinity(0) | os.sched_getaffinity(pid) | {0}:
        cores = set(range(os.cpu_count() or 1))
        if core in cores:
            os.sched_setaffinity(pid, {core})
