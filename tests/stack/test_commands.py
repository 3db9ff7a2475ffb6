"""`up`, `status`, `logs` and friends against one stack that runs for the whole file."""

import json
import signal
import socket
import stat

import httpx
import pytest

from api._stack import secrets
from tests.stack.conftest import wait_for

pytestmark = [pytest.mark.stack, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def running(machine):
    """Start the stack once for this file."""
    done = machine.run("up", "--detach", "--no-gallery")
    assert done.returncode == 0, done.stderr
    return machine


def test_a_taken_port_is_named_with_its_holder_and_the_way_out(machine):
    """One line: which port, held by whom, which flag and which variable choose another; nothing is left running."""
    with socket.create_server(("127.0.0.1", machine.settings.ports.dashboard)):
        done = machine.run("up", "--no-gallery")

    [line] = [line for line in done.stderr.splitlines() if "taken" in line]
    assert done.returncode == 1
    assert f"port {machine.settings.ports.dashboard} (dashboard) is taken by python" in line
    assert "(pid " in line
    assert line.endswith("stop it, or choose another with --dashboard-port or ROWCAST_DASHBOARD_PORT")
    assert machine.wait_until_empty(5) == []


def test_status_says_that_nothing_runs(machine):
    done = machine.run("status")

    assert done.returncode == 1
    assert done.stdout == "Rowcast is not running here; ./rowcast up starts it.\n"
    assert machine.status()["is_running"] is False


def test_status_tells_programs_everything_but_secrets(running):
    """Addresses, the public key, versions, process numbers and health; secrets stay in their file."""
    done = running.run("status", "--json")
    report = json.loads(done.stdout)

    known = secrets.load(running.settings)
    assert done.returncode == 0
    assert report["is_healthy"] is True
    assert report["urls"]["site"] == running.settings.site_url
    assert report["keys"]["publishable"] == known.publishable_key
    assert set(report["services"]) == {"database", "redis", "kv", "supabase", "site", "worker", "dashboard"}
    assert all(each["is_healthy"] and each["pid"] > 0 for each in report["services"].values())
    assert report["versions"]["postgres"].startswith("18.")
    assert "unknown" not in report["versions"].values()
    for secret in (known.secret_key, known.jwt_secret, known.database_password, known.admin_password, known.kv_token):
        assert secret not in done.stdout


def test_a_second_up_says_so_and_changes_nothing(running):
    before = running.status()["services"]

    done = running.run("up")

    assert done.returncode == 0
    assert done.stdout.startswith("Rowcast is running already.")
    assert running.settings.site_url in done.stdout
    assert running.status()["services"] == before


def test_a_crashed_service_comes_back_and_status_counts_it(running):
    """A service that is killed is started again by itself, and the stack says that it happened."""
    pid = running.status()["services"]["kv"]["pid"]
    [process] = [each for each in running.processes() if each.pid == pid]

    process.send_signal(signal.SIGKILL)

    assert wait_for(lambda: running.status()["services"].get("kv", {}).get("restarts") == 1, 15)
    assert wait_for(lambda: running.status()["is_healthy"], 15)
    assert "kv ended with exit code -9" in running.run("logs", "stack").stdout


def test_logs_are_shown_without_secrets(running):
    """Supabase's server prints its keys when it starts; nobody should paste them into a bug report."""
    known = secrets.load(running.settings)

    everything = running.run("logs", "-n", "200").stdout
    one = running.run("logs", "supabase").stdout
    unknown = running.run("logs", "mysql")

    assert "site       " in everything
    assert "Secret key" in one
    assert "********" in one
    for secret in (known.secret_key, known.jwt_secret, known.database_password, known.supabase_lite_password):
        assert secret not in everything
    assert unknown.returncode == 1
    assert "there is no log of 'mysql'; there are" in unknown.stderr


def test_logs_can_be_followed(running):
    """`-f` shows a line soon after a service has said it."""
    process = running.start("logs", "site", "--follow", "--lines", "1")
    try:
        process.stdout.readline()
        httpx.get(f"{running.settings.site_url}/api/models", headers={"x-request-id": "seen-in-the-log"})
        line = next(line for line in process.stdout if "seen-in-the-log" in line)
    finally:
        process.terminate()
        process.communicate(timeout=10)

    assert '"route":"/api/models"' in line


def test_one_more_worker_can_be_run(running):
    """`worker --drain` finds the running stack by itself and ends when the queue is empty."""
    done = running.run("worker", "--drain")

    assert done.returncode == 0, done.stdout + done.stderr


def test_nothing_local_can_be_read_by_other_users(running):
    """Secrets, logs, objects and the store's data are the owner's; only the database's own folder is another user's."""
    open_to_others = {
        path.name
        for path in running.settings.home.iterdir()
        if stat.S_IMODE(path.stat().st_mode) & 0o077 and path.name not in {"state.json", "cache"}
    }

    assert open_to_others == set()
    assert stat.S_IMODE(running.settings.home.stat().st_mode) == 0o711


def test_the_administrator_is_there_with_the_password_of_the_file(running):
    """Nobody has to be told a default password: there is none."""
    known = secrets.load(running.settings)
    account = {"email": known.admin_email, "password": known.admin_password}

    signed_in = httpx.post(
        f"{running.settings.supabase_url}/auth/v1/token?grant_type=password",
        json=account,
        headers={"apikey": known.publishable_key},
    )
    token = signed_in.raise_for_status().json()["access_token"]
    me = httpx.get(f"{running.settings.site_url}/api/me", headers={"Authorization": f"Bearer {token}"}).json()

    assert me["role"] == "admin"
