"""PostgreSQL refuses to run as root; root's checkout may be closed to everybody else. It must run all the same."""

import os
import pwd
from pathlib import Path

import psutil
import pytest

from api._stack import control, postgres
from api._stack.errors import ServiceFailed
from api._stack.settings import Ports, Settings
from api._stack.stack import Stack


@pytest.fixture
def closed(tmp_path):
    """Make a home inside a folder that only its owner may enter, and clear up behind it."""
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o700)
    settings = Settings(home=folder / "home", ports=Ports.free(), is_durable=False)
    yield settings
    control.delete_data(settings)


def test_a_database_in_a_home_nobody_else_can_enter(closed):
    """Root's lives elsewhere, with its binaries, as a clone under /root needs it, and `reset` deletes that place, too.

    Whoever is not root runs it as themselves, in the home.
    """
    stack = Stack(closed, applications=(), on_event=lambda _: None)
    is_root = os.geteuid() == 0
    place = postgres.fallback_folder(closed) if is_root else closed.home

    stack.start()
    try:
        pid = stack.pids()["database"]
        user = psutil.Process(pid).username()
        data = Path(psutil.Process(pid).cmdline()[2])
    finally:
        stack.stop()
    was_there = place.exists()
    control.delete_data(closed)

    assert user == ("nobody" if is_root else pwd.getpwuid(os.geteuid()).pw_name)
    assert data == place / "pg"
    assert was_there
    assert not data.exists()
    assert place.exists() is not is_root


def test_a_data_folder_that_cannot_be_made_is_reported_and_cleared_away(tmp_path_factory, closed, monkeypatch):
    """A failed initialisation leaves no half-made folder that the next start would take for a database."""
    monkeypatch.setattr(postgres, "_LOCALE", "xx_XX.broken")

    with pytest.raises(ServiceFailed, match="database could not be initialised"):
        Stack(closed, applications=(), on_event=lambda _: None).start()

    assert not postgres.find_cluster(closed).data.exists()
