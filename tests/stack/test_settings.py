"""Where the stack lives: flags before environment before defaults, and nonsense refused."""

import socket
import struct
import threading

import pytest

from api._stack import secrets
from api._stack.errors import StackError
from api._stack.processes import port_holder
from api._stack.settings import REPOSITORY, Ports, Settings


def test_ports_come_from_the_flag_then_the_environment_then_the_default():
    settings = Settings.load({"ROWCAST_SITE_PORT": "4000", "ROWCAST_KV_PORT": "4001"}, site=5000, dashboard=None)

    assert settings.ports == Ports(site=5000, dashboard=8501, supabase=54321, database=54322, kv=4001, redis=54324)
    assert settings.site_url == "http://127.0.0.1:5000"
    assert settings.home == REPOSITORY / ".rowcast"


@pytest.mark.parametrize("text", ["http", "0", "70000", "-1", "30 00"])
def test_a_port_that_is_none_is_refused(text):
    with pytest.raises(StackError, match=r"ROWCAST_SITE_PORT is .*; a port is a number from 1 to 65535"):
        Settings.load({"ROWCAST_SITE_PORT": text})


def test_two_services_cannot_share_a_port():
    with pytest.raises(StackError, match="two services share one port"):
        Settings.load({}, site=54321)


def test_free_ports_are_all_different():
    ports = Ports.free()

    assert len(set(vars(ports).values())) == 6


def test_a_taken_port_names_who_holds_it():
    """The name and the number of the process are what a person needs to act."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        holder = port_holder(port)

    assert holder is not None
    assert "python" in holder
    assert "(pid " in holder
    assert port_holder(port) is None


def test_a_port_that_a_connection_has_by_chance_is_waited_for():
    """The usual ports lie among those of outgoing connections: one that ends in a moment must not fail a start."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        leaving = socket.create_connection(server.getsockname())
        leaving.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # no waiting state behind it
        port = leaving.getsockname()[1]

        assert "(pid " in (port_holder(port) or "")
        timer = threading.Timer(0.3, leaving.close)
        timer.start()
        assert port_holder(port, patience=30) is None
        timer.join()


def test_a_server_on_a_port_is_not_waited_for():
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert port_holder(server.getsockname()[1], patience=1e9) is not None


def test_secrets_are_made_once_and_only_the_owner_reads_them(tmp_path):
    """Each home has its own; a second start keeps them, and what a person has added."""
    first, second = (Settings(home=tmp_path / name, ports=Ports()) for name in ("a", "b"))
    for settings in (first, second):
        settings.home.mkdir()

    made = secrets.load(first)
    other = secrets.load(second)
    secrets.write_env(first.env_file, {**secrets.read_env(first.env_file), "MINE": "kept=as it is"})

    assert first.env_file.stat().st_mode & 0o777 == 0o600
    assert secrets.load(first) == made
    assert secrets.read_env(first.env_file)["MINE"] == "kept=as it is"
    values = [value for name, value in vars(made).items() if name != "admin_email"]
    assert len(set(values)) == len(values)
    assert not set(values) & set(vars(other).values())
    assert min(len(value) for value in values) >= 24


def test_the_secrets_file_is_a_complete_environment(tmp_path):
    """`set -a; . .rowcast/env` is all a shell needs to be a job; addresses follow the ports of the last start."""
    settings = Settings(home=tmp_path, ports=Ports())
    secrets.load(settings)
    moved = Settings(home=tmp_path, ports=Ports(supabase=4000))

    known = secrets.load(moved)

    kept = secrets.read_env(settings.env_file)
    assert secrets.environ(moved, known).items() <= kept.items()
    assert kept["SUPABASE_URL"] == "http://127.0.0.1:4000"
