"""The command line as another process, in a home of its own, and what is left when it has ended."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import psutil
import pytest

from api._stack import control
from api._stack.settings import HOME_VARIABLE, REPOSITORY, Ports, Settings


class Machine:
    """A home and ports nobody else uses, and `rowcast` commands run there."""

    def __init__(self, home: Path) -> None:
        self.settings = Settings(home=home, ports=Ports.free())
        self.environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("ROWCAST_", "FORCE_COLOR"))},
            **{Ports.variable(name): str(port) for name, port in asdict(self.settings.ports).items()},
            HOME_VARIABLE: str(home),
            "PYTHONPATH": str(REPOSITORY),
        }

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start a command and return at once."""
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "api._cli", *arguments],
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str, seconds: float = 60) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=seconds)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def up(self, *options: str) -> "subprocess.CompletedProcess[str]":
        """Start the stack in the background; if that fails, say what it said."""
        done = self.run("up", "--detach", *options, seconds=240)
        log = self.settings.logs / "stack.log"
        assert done.returncode == 0, done.stderr + (log.read_text() if log.exists() else "")
        return done

    def status(self) -> dict:
        """Ask for the status as a program does."""
        return json.loads(self.run("status", "--json").stdout)

    def processes(self) -> list[psutil.Process]:
        """Find every process that has anything to do with this home, whoever started it."""
        ports = {f"{port}" for port in asdict(self.settings.ports).values()}
        addresses = tuple(f":{port}" for port in ports)  # what is left of a Redis's command line
        found = []
        for process in psutil.process_iter():
            try:
                words = {word.strip() for word in (*process.cmdline(), *process.environ().values())}
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
            is_ours = (
                any(str(self.settings.home) in word or word.endswith(addresses) for word in words) or ports & words
            )
            if is_ours and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        return found

    def wait_until_empty(self, seconds: float) -> list[psutil.Process]:
        """Wait until no such process is left and return those that are."""
        wait_for(lambda: not self.processes(), seconds)
        return self.processes()


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    """Provide an empty home; whatever a test leaves in it is ended and deleted."""
    home = Path(tempfile.mkdtemp(prefix="rowcast-test-"))
    machine = Machine(home)
    yield machine
    control.stop(machine.settings)
    for process in machine.processes():
        process.send_signal(signal.SIGKILL)
    control.delete_data(machine.settings)
    shutil.rmtree(home)


def wait_for(is_true: Callable[[], bool], seconds: float) -> bool:
    """Wait until something holds and tell whether it came to that."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if is_true():
            return True
        time.sleep(0.05)
    return is_true()
