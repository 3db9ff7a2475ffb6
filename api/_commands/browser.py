"""Finds the Chromium that the browser tests drive, or gets one."""

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from api._commands.errors import CliError

VARIABLE = "ROWCAST_CHROMIUM"
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_DOWNLOADED = ("chrome-linux*/chrome", "chrome-mac*/Chromium.app/Contents/MacOS/Chromium")
_DOWNLOAD_SECONDS = 300


def find() -> Path | None:
    """Look for a Chromium: the one that is named, the system's, the one Playwright has downloaded."""
    if named := os.environ.get(VARIABLE):
        return Path(named) if os.access(named, os.X_OK) else None
    for name in _NAMES:
        if found := shutil.which(name):
            return Path(found)
    caches = [Path.home() / ".cache" / "ms-playwright", Path.home() / "Library" / "Caches" / "ms-playwright"]
    named_cache = os.environ.get("PLAYWRIGHT_BROWSERS_PATH")
    for cache in [Path(named_cache)] if named_cache else caches:
        for pattern in _DOWNLOADED:
            if found_here := sorted(cache.glob(f"chromium-*/{pattern}")):
                return found_here[-1]
    return None


def require() -> Path:
    """Return a Chromium, downloading or installing one where there is none.

    Raises:
        CliError: there is none and none can be had here.
    """
    if (found := find()) is not None:
        return found
    if named := os.environ.get(VARIABLE):
        raise CliError(f"{VARIABLE} is {named}, which is no program")
    _say("getting Chromium for the browser tests")
    for commands in _ways():
        if all(_try(command) for command in commands) and (found := find()) is not None:
            return found
    raise CliError(
        f"the browser tests need Chromium: install it (Debian: apt-get install chromium) or name it in {VARIABLE}"
    )


def _ways() -> list[list[list[str]]]:
    """List what may bring a Chromium, the likeliest first: Debian has a package, Ubuntu's is only a pointer to a snap."""
    is_root = os.geteuid() == 0
    download = [[sys.executable, "-m", "playwright", "install", *(["--with-deps"] if is_root else []), "chromium"]]
    if not is_root or not shutil.which("apt-get"):
        return [download]
    install = ["apt-get", "install", "-q", "-y", "--no-install-recommends", "chromium"]
    is_debian = platform.freedesktop_os_release().get("ID") == "debian"
    package = [["apt-get", "update", "-q"], install]
    return [package, download] if is_debian else [download, package]


def launch_flags() -> list[str]:
    """List the switches a test's Chromium gets: no sandbox where root needs that, nothing that phones home."""
    flags = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-component-update", "--disable-sync"]
    flags += ["--disable-background-networking", "--disable-dev-shm-usage"]
    return [*flags, "--no-sandbox"] if os.geteuid() == 0 else flags


def _try(command: list[str]) -> bool:
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            command,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_DOWNLOAD_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _say(line: str) -> None:
    print(f"rowcast: {line}", file=sys.stderr, flush=True)
