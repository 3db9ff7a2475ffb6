"""Other people's command lines: Vercel's, Supabase's and GitHub's. Secrets reach them by environment or standard input only.

What stands on a command line can be read by everybody on the machine, and lands in logs.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from api._commands.errors import CliError
from api._stack import tools
from api._stack.errors import StackError
from api._stack.settings import REPOSITORY

SUPABASE_CLI = "supabase@3.1.0"
VERCEL_SECONDS, SUPABASE_SECONDS, GITHUB_SECONDS = 900.0, 600.0, 60.0

_QUIET = {
    "VERCEL_TELEMETRY_DISABLED": "1",
    "NO_UPDATE_NOTIFIER": "1",
    "SUPABASE_TELEMETRY_DISABLED": "1",
    "DO_NOT_TRACK": "1",
}


def vercel() -> list[str]:
    """Name the locked command line of Vercel."""
    try:
        return [str(tools.node()), str(tools.npm_command("vercel"))]
    except StackError as error:
        raise CliError(
            "Vercel's command line is not installed; ./rowcast check installs what building needs"
        ) from error


def supabase() -> list[str]:
    """Name the pinned command line of Supabase; npm fetches it on first use."""
    return [str(tools.node()), str(tools.npm_script()), "exec", "--yes", f"--package={SUPABASE_CLI}", "--", "supabase"]


def github() -> list[str]:
    """Name GitHub's command line."""
    found = shutil.which("gh")
    if found is None:
        raise CliError("GitHub's command line is not here: https://cli.github.com, then gh auth login")
    return [found]


def run(
    command: Sequence[str], *, environ: Mapping[str, str], seconds: float, text: str = "", folder: Path = REPOSITORY
) -> str:
    """Run a program and return what it printed; what it says about its work goes on to stderr.

    Raises:
        CliError: it failed or took too long. Its own words were shown.
    """
    name = next((_NAMES[word] for each in command if (word := each.rpartition("/")[2]) in _NAMES), "the command")
    try:
        done = subprocess.run(
            list(command),
            cwd=folder,
            env={**_surroundings(), **_QUIET, **environ},
            input=text,
            stdout=subprocess.PIPE,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise CliError(f"{name} took longer than {seconds:.0f} s and was ended") from error
    if done.returncode:
        sys.stderr.write(done.stdout)
        raise CliError(f"{name} failed with exit code {done.returncode}; its own words are above")
    return done.stdout


_NAMES = {"vc.js": "vercel", "supabase": "supabase", "gh": "gh", "api._cli": "./rowcast"}


def _surroundings() -> dict[str, str]:
    """Compose what these programs may know of the caller's shell, with the locked Node and uv first on the path."""
    folders = [str(tools.node().parent), str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
    kept = ("HOME", "LANG", "TMPDIR", "CI", "GH_TOKEN", "GITHUB_TOKEN", "XDG_CONFIG_HOME", "XDG_DATA_HOME")
    passed = {
        name: value
        for name, value in os.environ.items()
        if name in kept or name.startswith(("UV_", "NPM_", "npm_", "SSL_"))
    }
    return {**passed, "PATH": os.pathsep.join(folders)}
