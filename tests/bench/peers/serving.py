"""One server under measurement: a process group on one core, watched, and ended with all that it started."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import httpx
import psutil

from api._stack.settings import REPOSITORY
from tests.bench.peers.peers import Peer

SERVER_CORE, CLIENT_CORE = 0, 1
START_SECONDS = 120.0
_STOP_SECONDS = 5.0


class PeerFailed(Exception):
    """A server did not start or answered badly; the message says what was seen."""


class Serving:
    """A running peer; use it in a `with`."""

    def __init__(self, peer: Peer, port: int, log: Path) -> None:
        self.peer = peer
        self.port = port
        self._log = log
        self._client = httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30)
        self._started = time.perf_counter()
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("VIRTUAL_ENV", "PYTHON"))}
        with on_core(SERVER_CORE), log.open("ab") as output:
            self._process = subprocess.Popen(
                peer.command,
                cwd=peer.folder or REPOSITORY,
                env=kept | {"PYTHONUNBUFFERED": "1"} | dict(peer.environ),
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()
        family = self.family()
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_STOP_SECONDS)
                break
        _, left = psutil.wait_procs(family, timeout=_STOP_SECONDS)
        for each in left:
            with suppress(psutil.Error):
                each.kill()

    def ask(self, body: bytes) -> Any:
        """Ask once. Raises PeerFailed for anything but an answer."""
        headers = {"content-type": "application/json", **self.peer.headers}
        answer = self._client.post(self.peer.path, content=body, headers=headers)
        if answer.status_code != httpx.codes.OK:
            raise PeerFailed(f"{self.peer.name} answered {answer.status_code}: {answer.text[:300]}")
        return answer.json()

    def first_answer(self, body: bytes) -> float:
        """Ask until there is a good answer; returns the seconds since the process was started."""
        while self._process.poll() is None and time.perf_counter() - self._started < START_SECONDS:
            with suppress(httpx.TransportError, PeerFailed):
                self.ask(body)
                return time.perf_counter() - self._started
            time.sleep(0.01)
        raise PeerFailed(f"{self.peer.name} did not start: {self._log.read_text(errors='replace')[-800:]}")

    @property
    def memory_bytes(self) -> int:
        """Memory of all its processes; what they share is counted once."""
        total = 0
        for each in self.family():
            with suppress(psutil.Error):
                told = each.memory_full_info()
                total += getattr(told, "pss", told.uss)
        return total

    def family(self) -> list[psutil.Process]:
        """List its processes: the one that was started, and all that it started."""
        with suppress(psutil.NoSuchProcess):
            head = psutil.Process(self._process.pid)
            return [head, *head.children(recursive=True)]
        return []


@contextmanager
def on_core(core: int) -> Iterator[None]:
    """Let what is started meanwhile live on one core, where the system can be told so and has another."""
    if not hasattr(os, "sched_setaffinity") or core >= (os.cpu_count() or 1):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
