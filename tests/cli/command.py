"""The command line as a person uses it: a process of its own, its own streams, its exit code."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]

Run = Callable[..., subprocess.CompletedProcess[str]]


def run_in(
    folder: Path, *words: str, environ: Mapping[str, str] | None = None, text: str | None = None, seconds: float = 100
) -> subprocess.CompletedProcess[str]:
    """Run one command in a folder, where no stack runs unless `environ` names one."""
    return subprocess.run(
        [sys.executable, "-m", "api._cli", *words],
        cwd=folder,
        env=composed_environ(folder, environ or {}),
        input=text,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def composed_environ(folder: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Compose what the process sees: wide lines, no stack of its own, and what the test adds."""
    own = {"PYTHONPATH": str(REPOSITORY), "ROWCAST_HOME": str(folder / "no-home"), "COLUMNS": "200"}
    return {**os.environ, **own, **environ}
