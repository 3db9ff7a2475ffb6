"""The platform's side of a running function.

The function is started as the platform starts it: the runtime inside its own bundle, under a bare interpreter, announces
its port on a control socket, is reached over HTTP with the platform's internal headers, and reports each invocation.
"""

import json
import os
import queue
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.deploy.rehearsal import Build, Function

START_SECONDS = 60

type _Messages = queue.Queue[dict[str, Any]]


class StartFailed(Exception):
    """The function did not come up; the message is what it printed."""


@dataclass
class Running:
    """A function that answers requests."""

    function: Function
    client: httpx.Client
    start_seconds: float
    events: list[dict[str, Any]] = field(default_factory=list)
    """What the function told the platform, in order."""

    @property
    def url(self) -> str:
        """Where it answers."""
        return str(self.client.base_url).rstrip("/")

    @property
    def max_seconds(self) -> float:
        """After this long the platform cuts it off."""
        return float(self.function.config["maxDuration"])

    def request(
        self, method: str, path: str, *, build: Build, path_is_rewritten: bool = False, **options: Any
    ) -> httpx.Response:
        """Send one request through the routing rules.

        Args:
            method: The HTTP method.
            path: The address as the caller writes it, query included.
            build: Whose routing rules apply.
            path_is_rewritten: Hand the function the address after the rewrite instead of the caller's own. The platform
                has done both over the years.
            options: Passed on to httpx.
        """
        bare, _, query = path.partition("?")
        routed = build.router.resolve(bare, options.get("headers", {}).get("user-agent", ""))
        assert routed.function == self.function.name, f"{bare} leads to {routed}, not to {self.function.name}"
        target, _, added = routed.address.partition("?")
        given = target if path_is_rewritten else bare
        joined = "&".join(filter(None, [query, added]))
        headers = {
            "x-vercel-id": "fra1::iad1::rehearsal-1",
            "x-vercel-internal-invocation-id": "invocation-1",
            "x-vercel-internal-request-id": "1",
            **options.pop("headers", {}),
        }
        return self.client.request(method, f"{given}?{joined}" if joined else given, headers=headers, **options)


@contextmanager
def running(function: Function, folder: Path, environ: Mapping[str, str]) -> Iterator[Running]:
    """Assemble a function alone in an empty folder, start it there and stop it afterwards."""
    home, output = folder / "task", folder / "output"
    function.assemble(home)
    with _control_socket() as (control, messages), output.open("w") as printed:
        started = time.perf_counter()
        process = subprocess.Popen(
            # -S: nothing of this machine's packages; only what the function brought along.
            [sys._base_executable, "-S", "vc__handler__python.py"],
            cwd=home,
            env={
                "PATH": os.defpath,
                "HOME": str(folder),
                "TMPDIR": str(folder),
                "VERCEL": "1",
                "VERCEL_IPC_PATH": str(control),
                **function.config["environment"],
                **environ,
            },
            stdout=printed,
            stderr=subprocess.STDOUT,
        )
        try:
            events: list[dict[str, Any]] = []
            port = _await_start(process, messages, events)
            seconds = time.perf_counter() - started
            if port is None:
                raise StartFailed(f"{output.read_text()}\n{events}")
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
                yield Running(function, client, seconds, events)
        finally:
            process.terminate()
            process.wait(10)
            while not messages.empty():
                events.append(messages.get())


def _await_start(process: subprocess.Popen[bytes], messages: _Messages, events: list[dict[str, Any]]) -> int | None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            events.append(messages.get(timeout=0.05))
        except queue.Empty:
            continue
        if events[-1]["type"] == "server-started":
            return int(events[-1]["payload"]["httpPort"])
    return None


@contextmanager
def _control_socket() -> Iterator[tuple[Path, _Messages]]:
    """Listen for the runtime's messages: JSON objects, each ended by a zero byte."""
    messages: _Messages = queue.Queue()

    def listen() -> None:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        with connection:
            rest = b""
            while chunk := connection.recv(65536):
                *complete, rest = (rest + chunk).split(b"\0")
                for each in complete:
                    messages.put(json.loads(each))

    # A folder of its own: the address of such a socket may have at most 107 characters.
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        path = Path(folder) / "control"
        server.bind(str(path))
        server.listen(1)
        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        try:
            yield path, messages
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join(5)
