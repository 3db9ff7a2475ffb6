"""Children that crash, refuse to end, or have children themselves."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from api._stack.errors import ServiceFailed
from api._stack.processes import Service
from api._stack.supervisor import Supervisor
from tests.stack.conftest import wait_for

STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGINT, signal.SIG_IGN)
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", "grandchild"])
print("ready", flush=True)
time.sleep(600)
"""


def describe(folder: Path, script: str, name: str = "thing", **options) -> Service:
    log = folder / f"{name}.log"
    options = {"is_ready": lambda: log.exists() and "ready" in log.read_text(), **options}
    return Service(name, [sys.executable, "-u", "-c", script, name], dict(os.environ), log, **options)


@pytest.fixture
def events():
    return []


@pytest.fixture
def supervisor(events):
    supervisor = Supervisor(events.append)
    yield supervisor
    supervisor.stop_all()


def test_a_crashed_child_is_started_again_and_it_is_said(supervisor, events, tmp_path):
    supervisor.start([describe(tmp_path, "print('ready'); import time; time.sleep(600)")])
    supervisor.watch()
    first = supervisor.children()["thing"].pid

    os.kill(first, signal.SIGKILL)

    assert wait_for(lambda: "thing was started again" in events, 5)
    assert events[0] == "thing ended with exit code -9: ready; starting it again in 0.5 s"
    assert supervisor.children()["thing"].pid != first
    assert supervisor.restarts("thing") == 1


def test_a_child_that_keeps_crashing_is_given_more_and_more_time(supervisor, events, tmp_path):
    supervisor.start([describe(tmp_path, "print('ready'); import time; time.sleep(0.2); raise SystemExit(7)")])
    supervisor.watch()

    assert wait_for(lambda: supervisor.restarts("thing") >= 2, 10)
    waits = [float(line.split()[-2]) for line in events if line.endswith(" s")]
    assert waits[:2] == [0.5, 1.0]


def test_a_child_that_will_not_end_is_made_to_with_everything_it_started(supervisor, tmp_path):
    supervisor.start([describe(tmp_path, STUBBORN, stop_seconds=0.5)])
    process = psutil.Process(supervisor.children()["thing"].pid)
    family = [process, *process.children(recursive=True)]

    supervisor.stop("thing")

    assert len(family) == 2
    assert wait_for(lambda: not any(each.is_running() and each.status() != "zombie" for each in family), 2)


def test_a_child_that_ends_before_it_is_ready_leaves_its_last_words(supervisor, tmp_path):
    service = describe(tmp_path, "import sys; print('Error: no such key'); print('at line 3'); sys.exit(4)")

    with pytest.raises(
        ServiceFailed, match=r"thing ended with exit code 4 before it was ready: Error: no such key \(log: "
    ):
        supervisor.start([service])


def test_a_child_that_is_never_ready_is_given_up(supervisor, tmp_path):
    with pytest.raises(ServiceFailed, match="thing was not ready within 0 s"):
        supervisor.start([describe(tmp_path, "import time; time.sleep(600)", ready_seconds=0.3)])


def test_children_are_stopped_in_reverse_order(tmp_path):
    """What was started last depends on what was started first."""
    script = "import signal, sys\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit())\nprint('ready')\nsignal.pause()"
    stopped: list[str] = []
    supervisor = Supervisor(stopped.append)
    supervisor.start([describe(tmp_path, script, name) for name in ("first", "second", "third")])
    children = supervisor.children()
    for name, child in children.items():
        child.stop = lambda stop=child.stop, name=name: (stopped.append(name), stop())

    supervisor.stop_all()

    assert stopped == ["third", "second", "first"]


def test_the_watchdog_ends_what_a_killed_supervisor_leaves(tmp_path):
    """Not even a hard kill of the front door leaves a process behind, stubborn ones and grandchildren included."""
    script = f"""
import os, sys, time
from pathlib import Path
from api._stack.supervisor import Supervisor
from api._stack.processes import Service
log = Path({str(tmp_path / "thing.log")!r})
service = Service("thing", [sys.executable, "-c", {STUBBORN!r}, {str(tmp_path)!r}], dict(os.environ), log, lambda: log.exists() and "ready" in log.read_text())
Supervisor(print).start([service])
print("started", flush=True)
time.sleep(600)
"""
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    process = subprocess.Popen([sys.executable, "-c", script], env=environ, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "started\n"
    family = psutil.Process(process.pid).children(recursive=True)

    process.kill()
    process.communicate()

    assert len(family) == 3
    assert wait_for(lambda: not any(each.is_running() and each.status() != "zombie" for each in family), 10)
