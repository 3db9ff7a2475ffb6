"""One environment for each peer, installed once and kept between runs and checkouts."""

import hashlib
import os
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

from api._stack import bootstrap

VERSIONS = Path(__file__).with_name("versions.toml")
INSTALL_SECONDS = 600
_STAMP = "complete"


class CannotInstall(Exception):
    """A peer's packages are not to be had; the message is what the installer said."""


@cache
def pins() -> dict[str, list[str]]:
    """Read what each peer is installed with."""
    read = tomllib.loads(VERSIONS.read_text(encoding="utf-8"))
    return {name: [*read["common"], *own] for name, own in read["peers"].items()}


def prepare(peer: str) -> Path:
    """Return the folder of a peer's programs, installing them if they are not there.

    Raises:
        CannotInstall: where the package index does not have them.
    """
    wanted = pins()[peer]
    digest = hashlib.sha256("\n".join([sys.version, *wanted]).encode()).hexdigest()[:12]
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rowcast" / "peers" / f"{peer}-{digest}"
    if not (home / _STAMP).exists():
        index = bootstrap.find_pip_index()
        environ = os.environ | ({"UV_DEFAULT_INDEX": index} if index else {})
        python = home / "bin" / "python"
        _uv(["venv", "--quiet", "--clear", "--python", sys.executable, str(home)], environ)
        _uv(["pip", "install", "--quiet", "--python", str(python), *wanted], environ)
        _uv(["pip", "check", "--quiet", "--python", str(python)], environ)
        (home / _STAMP).touch()
    return home / "bin"


def installed_bytes(programs: Path) -> int:
    """Sum the sizes of a peer's packages, without byte-code."""
    packages = next((programs.parent / "lib").glob("python3.*")) / "site-packages"
    return sum(file.stat().st_size for file in packages.rglob("*") if file.is_file() and file.suffix != ".pyc")


def _uv(arguments: list[str], environ: dict[str, str]) -> None:
    uv = Path(sys.executable).parent / "uv"
    done = subprocess.run(
        [uv, *arguments], env=environ, capture_output=True, text=True, check=False, timeout=INSTALL_SECONDS
    )
    if done.returncode:
        raise CannotInstall(done.stderr.strip())
