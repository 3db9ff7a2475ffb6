"""Cold starts: how long until the first prediction, and where the time of importing goes."""

import os
import re
import statistics
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from api._commands.bench.figures import Figure
from api._commands.bench.limits import FOLDER_VARIABLE
from api._commands.bench.servers import BARE, FUNCTION, Server
from api._stack.settings import REPOSITORY

_STARTS = 9
_PACKAGES = 8
_IMPORT_LINE = re.compile(r"import time:\s+(\d+) \|\s+\d+ \|\s+(\w+)")


def measure_cold(body: bytes, environ: dict[str, str], folder: Path) -> Iterator[Figure]:
    """Measure process start to first prediction, and imports."""
    log, bare_environ = folder / "log", {FOLDER_VARIABLE: str(folder / "models" / "m2")}
    ours, bare = [], []
    for _ in range(_STARTS):
        with Server(FUNCTION, environ, log) as server:
            ours.append(server.first_answer("/api/predict/m2", body))
        with Server(BARE, bare_environ, log) as server:
            bare.append(server.first_answer("/predict", body))
    cold, limit = statistics.median(ours) * 1e3, statistics.median(bare) * 1e3
    yield Figure("process start → first prediction", "ms", cold, limit, at_most=1.25)
    fastapi = _import_seconds("fastapi") * 1e3
    for function in ("health", "models", "runs"):
        taken = _import_seconds(f"api.{function}") * 1e3
        yield Figure(f"import of the function {function}, beside fastapi", "ms", taken, fastapi, at_most=1.15)
    for package, seconds in _import_by_package("api.predict"):
        yield Figure(f"import of the function predict: {package}", "ms", seconds * 1e3)


def _import_seconds(module: str) -> float:
    code = f"import time; t = time.process_time(); import {module}; print(time.process_time() - t)"
    return statistics.median(float(_run("-c", code).stdout) for _ in range(_STARTS))


def _import_by_package(module: str) -> list[tuple[str, float]]:
    """Tell how long the modules of each package take without what they import in turn; the longest first."""
    spent: Counter[str] = Counter()
    for microseconds, package in _IMPORT_LINE.findall(_run("-X", "importtime", "-c", f"import {module}").stderr):
        known = (
            package if package in {"api", "models"} or package not in sys.stdlib_module_names else "standard library"
        )
        spent[known] += int(microseconds)
    return [(package, total / 1e6) for package, total in spent.most_common(_PACKAGES)]


def _run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=REPOSITORY, env=os.environ, capture_output=True, text=True, check=True)
