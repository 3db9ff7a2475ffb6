"""However the stack is ended, nothing is left running, and the data is still there."""

import os
import signal
from pathlib import Path

import psycopg
import pytest

from api._stack import postgres, secrets, state
from api._stack.interrupts import interruptible, whole
from api._stack.settings import Ports, Settings

pytestmark = [pytest.mark.stack, pytest.mark.timeout(120)]

SERVICES = {"database", "redis", "kv", "supabase", "site", "worker", "dashboard"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_nothing_is_left_when_the_front_door_gets_a_signal(machine, number):
    """Ctrl-C, a polite end, a closed terminal and a hard kill all take every service along."""
    process = machine.start("up", "--no-gallery")
    ready = next(line for line in process.stdout if "is ready" in line)
    running = set(machine.status()["services"])

    process.send_signal(number)
    process.communicate(timeout=30)

    assert ready
    assert running == SERVICES
    assert machine.wait_until_empty(15) == []
    assert not state.is_running(machine.settings)


def test_a_signal_while_starting_leaves_nothing(machine):
    """Ctrl-C in the middle of a start ends what was started by then."""
    process = machine.start("up", "--no-gallery")
    next(line for line in process.stderr if "starting the database" in line)

    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)

    assert process.returncode == 130
    assert machine.wait_until_empty(15) == []


def test_what_is_begun_is_noted_before_an_interruption():
    """A child that is being started when the signal comes is in the list of those to end."""
    noted = []

    def begin():
        with interruptible():
            with whole():
                os.kill(os.getpid(), signal.SIGINT)
                noted.append("child")
            noted.append("more")

    with pytest.raises(KeyboardInterrupt):
        begin()

    assert noted == ["child"]


def test_a_database_that_was_begun_is_begun_anew(tmp_path, monkeypatch):
    """Interrupted while the data folder is made, the next start does not take the half of it for the whole."""

    def interrupted(command, **_):
        (Path(command[command.index("--pgdata") + 1]) / "PG_VERSION").write_text("18")
        raise KeyboardInterrupt

    monkeypatch.setattr(postgres.subprocess, "run", interrupted)
    cluster = postgres.Cluster(tmp_path, tmp_path / "pg", None)

    with pytest.raises(KeyboardInterrupt):
        postgres._initialise(cluster, Settings(home=tmp_path, ports=Ports.free()), "secret")

    assert not cluster.data.exists()


def test_data_stays_when_the_stack_is_stopped_and_goes_with_reset(machine):
    """`down` keeps every row; `reset --yes` deletes them and the secrets."""
    machine.up("--no-gallery")
    url = secrets.read_env(machine.settings.env_file)["DATABASE_URL"]
    with psycopg.connect(url) as connection:
        connection.execute("create table public.kept (id serial, answer integer)")
        connection.execute("insert into public.kept (answer) values (42)")

    down = machine.run("down")
    machine.up("--no-gallery")
    with psycopg.connect(url) as connection:
        kept = connection.execute("select answer from public.kept").fetchone()
    refused = machine.run("reset")
    reset = machine.run("reset", "--yes")

    assert "the data stays" in down.stdout
    assert kept == (42,)
    assert refused.returncode == 1
    assert "--yes" in refused.stderr
    assert "as new" in reset.stdout
    assert machine.wait_until_empty(5) == []
    assert [path.name for path in machine.settings.home.iterdir()] == ["logs"]


def test_left_over_processes_are_ended_by_the_next_start(machine):
    """When even the watchdog was killed, the next `up` cleans up and says so."""
    machine.up("--no-gallery")
    before = machine.status()
    supervisor, *others = [each for each in machine.processes() if each.pid == before["supervisor_pid"]]
    watchdogs = [each for each in supervisor.children() if "watchdog.py" in " ".join(each.cmdline())]
    for each in [*watchdogs, supervisor]:
        each.kill()

    again = machine.up("--no-gallery")
    after = machine.status()
    machine.run("down")

    assert not others
    assert "left over from an earlier run" in again.stderr
    assert {each["pid"] for each in before["services"].values()}.isdisjoint(
        each["pid"] for each in after["services"].values()
    )
    assert machine.wait_until_empty(10) == []
