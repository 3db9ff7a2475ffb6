"""Builds the site when its sources have changed since the last build."""

import fcntl
import hashlib
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from api._stack import tools
from api._stack.errors import ServiceFailed
from api._stack.settings import REPOSITORY, Settings

_WEB = REPOSITORY / "web"
_DIST = _WEB / "dist"
_LOCAL = REPOSITORY / ".rowcast"
_STAMP = _LOCAL / "site-sources"


def build(settings: Settings, on_event: Callable[[str], None]) -> None:
    """Build the site unless what is there was built from the same sources.

    Raises:
        ServiceFailed: the build ended with an error; what was there before is still there.
    """
    _LOCAL.mkdir(mode=0o711, exist_ok=True)
    with (_LOCAL / "site.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        digest = _digest()
        if (_DIST / "index.html").exists() and _STAMP.exists() and _STAMP.read_text(encoding="utf-8") == digest:
            return
        on_event("building the site")
        _run_build(settings)
        _STAMP.write_text(digest, encoding="utf-8")


def _run_build(settings: Settings) -> None:
    log = settings.logs / "build.log"
    log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    node = tools.node()
    with log.open("wb") as file:
        done = subprocess.run(
            [str(node), "--run", "build"],
            cwd=REPOSITORY,
            env={**os.environ, "PATH": f"{node.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            check=False,
        )
    if done.returncode:
        lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
        first = next((number for number, line in enumerate(lines) if "error" in line.lower()), -1)
        said = " ".join(lines[first : first + 2] if first >= 0 else lines[-1:])
        raise ServiceFailed("the site", "could not be built", log, said[:300])


def _digest() -> str:
    digest = hashlib.sha256()
    for path in sorted(_sources()):
        digest.update(f"{path.relative_to(REPOSITORY)}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _sources() -> Iterator[Path]:
    yield REPOSITORY / "package.json"
    yield REPOSITORY / "package-lock.json"
    for folder, names, files in _WEB.walk():
        names[:] = [
            name for name in names if (folder / name) not in {_DIST, _WEB / "dashboard"} and name != "node_modules"
        ]
        yield from (folder / name for name in files)
