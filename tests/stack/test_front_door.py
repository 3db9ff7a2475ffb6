"""`./rowcast`, the file people call: what it finds, what it says when it cannot go on, how little it costs."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from api._stack import bootstrap
from api._stack.settings import REPOSITORY

FRONT_DOOR = REPOSITORY / "rowcast"
NEEDED_TOOLS = ("bash", "dirname", "readlink", "cat", "env")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Make a checkout in which nothing is installed yet, on a machine that has no Python outside PATH and home."""
    folder = tmp_path / "checkout"
    (folder / "api" / "_stack").mkdir(parents=True)
    for name in ("poetry.lock", "package-lock.json", "pyproject.toml", "api/_stack/bootstrap.py"):
        shutil.copy(REPOSITORY / name, folder / name)
    script = (
        FRONT_DOOR.read_text().replace(" /usr/local/", f" {tmp_path}/usr/local/").replace(" /opt/", f" {tmp_path}/opt/")
    )
    (folder / "rowcast").write_text(script)
    (folder / "rowcast").chmod(0o755)
    return folder


@pytest.fixture
def bare_path(tmp_path: Path) -> Path:
    """Make a PATH with the tools of any machine and no Python."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in NEEDED_TOOLS:
        (folder / name).symlink_to(shutil.which(name))
    return folder


def call(door: Path, *arguments: str, cwd: Path | None = None, **environ: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [door, *arguments],
        cwd=cwd,
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def write_python(folder: Path, name: str, script: str) -> None:
    program = folder / name
    program.write_text(f"#!/bin/bash\n{script}\n")
    program.chmod(0o755)


def test_one_line_says_so_when_there_is_no_python(checkout, bare_path, tmp_path):
    """No Python 3.12 to 3.14 anywhere: what to install, and how to name one."""
    done = call(checkout / "rowcast", "up", PATH=str(bare_path), HOME=str(tmp_path))

    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == (
        "rowcast: no Python 3.12, 3.13 or 3.14 found; install one (Debian: python3.12 and python3.12-venv) "
        "or name it in ROWCAST_PYTHON\n"
    )


def test_a_python_that_only_says_it_is_one_is_not_taken(checkout, bare_path, tmp_path):
    """A version manager's shim answers to the name and fails; an old Python runs and is too old."""
    write_python(bare_path, "python3.12", "echo 'pyenv: python3.12: command not found' >&2; exit 127")
    write_python(bare_path, "python3", "exit 1")

    done = call(checkout / "rowcast", "up", PATH=str(bare_path), HOME=str(tmp_path))

    assert done.returncode == 1
    assert "no Python 3.12, 3.13 or 3.14 found" in done.stderr


def test_a_python_without_environments_is_named(checkout, bare_path, tmp_path):
    """Debian's Python comes without venv: the line names the package that is missing."""
    write_python(
        bare_path,
        "python3.13",
        '[[ $* == *ensurepip* ]] && exit 1; [[ $1 == --version ]] && echo "Python 3.13.5"; exit 0',
    )

    done = call(checkout / "rowcast", "up", PATH=str(bare_path), HOME=str(tmp_path))

    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "rowcast: Python 3.13.5 is here but cannot make environments; install its venv package (Debian: python3.13-venv)"
    ]


def test_a_python_named_by_the_caller_must_fit(checkout):
    """What the caller names is used or refused, never silently replaced."""
    done = call(checkout / "rowcast", "up", ROWCAST_PYTHON="/bin/false")

    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "rowcast: ROWCAST_PYTHON is /bin/false, which is no Python 3.12, 3.13 or 3.14 that runs"
    ]


def test_a_python_off_the_path_is_found(checkout, bare_path, tmp_path):
    """A version manager's Python serves even where its shims do not work."""
    folder = tmp_path / ".pyenv" / "versions" / "3.12.9" / "bin"
    folder.mkdir(parents=True)
    write_python(folder, "python", '[[ $* == *bootstrap.py* ]] && echo "bootstrapping $*"; exit 0')

    done = call(checkout / "rowcast", "test", PATH=str(bare_path), HOME=str(tmp_path))

    assert done.stdout == f"bootstrapping -I {checkout}/api/_stack/bootstrap.py full\n"


def test_the_front_door_works_through_a_link_and_from_anywhere(tmp_path):
    """A link in ~/bin, called in a folder that has an `api` of its own, opens the right house."""
    (tmp_path / "api").mkdir()
    (tmp_path / "api" / "_cli.py").write_text("raise SystemExit('the wrong api')")
    link = tmp_path / "rc"
    link.symlink_to(FRONT_DOOR)

    done = call(link, "--version", cwd=tmp_path)

    assert (done.returncode, done.stdout) == (0, "rowcast 0.1.0\n")


def test_help_loads_nothing_that_a_list_does_not_need():
    """The list of commands is there before a person notices: no command is imported to be listed."""
    done = subprocess.run(
        [sys.executable, "-P", "-X", "importtime", "-m", "api._cli", "--help"],
        env={**os.environ, "PYTHONPATH": str(FRONT_DOOR.parent)},
        capture_output=True,
        text=True,
        check=True,
    )

    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "up" in done.stdout
    assert loaded.isdisjoint({"fastapi", "httpx", "numpy", "onnxruntime", "pandas", "psycopg", "pydantic", "sklearn"})


def test_not_enough_disk_is_said_before_anything_is_downloaded(monkeypatch, tmp_path):
    """What cannot be finished is not begun."""
    usage = shutil.disk_usage(tmp_path)._replace(free=int(1.2e9))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    monkeypatch.setattr(bootstrap, "VENV", tmp_path / "none")

    with pytest.raises(bootstrap.CannotInstall, match=r"not enough disk: 1\.2 GB free at .*, 3\.5 GB are needed"):
        bootstrap.check_disk()


def test_a_part_is_made_again_only_when_its_lock_has_changed(tmp_path):
    """A stamp fits exactly what it was made from; a fitting one is dated now, which is what the front door goes by."""
    stamp = tmp_path / "stamp"
    stamp.write_text(bootstrap.sha256(b"lock"))
    os.utime(stamp, (0, 0))

    assert not bootstrap.is_stamped(tmp_path / "none", bootstrap.sha256(b"lock"))
    assert not bootstrap.is_stamped(stamp, bootstrap.sha256(b"another lock"))
    assert stamp.stat().st_mtime == 0
    assert bootstrap.is_stamped(stamp, bootstrap.sha256(b"lock"))
    assert stamp.stat().st_mtime > 0


def test_a_full_install_serves_both_sizes(monkeypatch, tmp_path):
    """After `./rowcast test`, `./rowcast up` has nothing to install: both stamps are kept, and dated together."""
    for name, folder in {"VENV": tmp_path / "venv", "NODE_MODULES": tmp_path / "npm", "LOCAL": tmp_path}.items():
        folder.mkdir(exist_ok=True)
        monkeypatch.setattr(bootstrap, name, folder)
    monkeypatch.setattr(bootstrap, "LOG", tmp_path / "logs" / "install.log")
    monkeypatch.setattr(bootstrap, "is_working_venv", lambda: True)
    stamps = [make(size) for size in bootstrap.sizes("full") for make in (bootstrap.python_stamp, bootstrap.npm_stamp)]
    for stamp, digest in stamps:
        bootstrap.write_stamp(stamp, digest)
        os.utime(stamp, (0, 0))

    bootstrap.main("run")

    assert len(stamps) == 4
    assert all(stamp.stat().st_mtime > 0 for stamp, _ in stamps)


def test_a_failing_step_ends_in_its_own_last_words(monkeypatch, tmp_path):
    """The person sees the tool's error, not a hundred lines of progress; all of it is in the log."""
    monkeypatch.setattr(bootstrap, "LOG", tmp_path / "install.log")
    script = "echo 'ERROR: no such package: flibber' >&2; echo 'hint: see above'; exit 3"

    with pytest.raises(bootstrap.CannotInstall, match="bash failed: ERROR: no such package: flibber"):
        bootstrap.run(["bash", "-c", script])

    assert "hint: see above" in (tmp_path / "install.log").read_text()


def test_the_pinned_installer_is_taken_with_its_hashes():
    """The installer comes first and is checked like everything else."""
    pinned = (REPOSITORY / "api" / "_stack" / "poetry.txt").read_text()

    lines = bootstrap.take(pinned, "uv").splitlines()

    assert lines[0].startswith("uv==0.13.9")
    assert len(lines) > 5
    assert all("--hash=sha256:" in line for line in lines[1:])
    assert not lines[-1].endswith("\\")
