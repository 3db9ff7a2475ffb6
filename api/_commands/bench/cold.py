"""Cold starts: how long until the first prediction, and where the time of importing goes."""

import re
import statistics
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from api._commands.bench.figures import Figure, quiet
from api._commands.bench.limits import FOLDER_VARIABLE
from api._commands.bench.servers import BARE, FUNCTION, Server, surroundings
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
    taken = import_seconds(("fastapi", "api.health", "api.models", "api.runs"))
    fastapi = taken.pop("fastapi") * 1e3
    for module, seconds in taken.items():
        name = module.removeprefix("api.")
        yield Figure(f"import of the function {name}, beside fastapi", "ms", seconds * 1e3, fastapi, at_most=1.15)
    for package, seconds in _import_by_package("api.predict"):
        yield Figure(f"import of the function predict: {package}", "ms", seconds * 1e3)


def import_seconds(modules: Sequence[str]) -> dict[str, float]:
    """Measure the CPU seconds that importing each module takes in a new process; they take turns."""
    code = "import time; t = time.process_time(); import {}; print(time.process_time() - t)"
    taken: dict[str, list[float]] = {module: [] for module in modules}
    for _ in range(_STARTS):
        for module in modules:
            taken[module].append(float(_run("-c", code.format(module)).stdout))
    return {module: quiet(seconds) for module, seconds in taken.items()}


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
    return subprocess.run(command, cwd=REPOSITORY, env=surroundings(), capture_output=True, text=True, check=True)
