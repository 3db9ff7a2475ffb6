"""Runs the command line as a person does: a process of its own, its own streams, its exit code."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Return a function that runs one command in an empty folder, where no stack runs unless `environ` names one."""

    def run_command(
        *words: str, environ: Mapping[str, str] | None = None, text: str | None = None, seconds: float = 60
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "api._cli", *words],
            cwd=tmp_path,
            env={
                **os.environ,
                "PYTHONPATH": str(REPOSITORY),
                "ROWCAST_HOME": str(tmp_path / "no-home"),
                **(environ or {}),
            },
            input=text,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    return run_command
