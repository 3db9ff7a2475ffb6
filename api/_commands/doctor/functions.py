"""The functions as they are deployed: how large, by package, and what starting one costs."""

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from api._commands.deploy.slim import is_never_loaded
from api._commands.doctor.finding import Finding, fail, ok, skip, warn
from api._commands.doctor.subject import Subject

MEGABYTE = 2**20
GOAL_MB = 150
LIMIT_MB = 200
"""Above 225 MB the platform installs packages at each cold start; this leaves room for models."""

IMPORT_SECONDS = 30
KEPT_OUT = {"sklearn", "pandas", "scipy", "onnx", "skl2onnx", "supabase"}
"""Offline packages; one of them in a function costs seconds per cold start."""

_VENDORED = "_vendor/"
_REQUIREMENT = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==", re.MULTILINE)
_IMPORT = re.compile(r"^import time:\s+(\d+) \|\s+(\d+) \|(\s+)([\w.]+)$")


def check_sizes(subject: Subject) -> Iterator[Finding]:
    """Measure what was built here; without a build, what the locked packages take."""
    output = subject.root / ".vercel" / "output" / "functions"
    configs = sorted(output.rglob(".vc-config.json")) if output.is_dir() else []
    if configs:
        sizes = {
            str(path.parent.relative_to(output)).removesuffix(".func"): _measure(path, subject.root) for path in configs
        }
        name, largest = max(sizes.items(), key=lambda each: each[1].total())
        yield _judge(f"{len(sizes)} built, the largest is {name}", largest)
        return
    yield _judge("not built here; estimated from the packages of api/requirements.txt", _estimate(subject.root))


def _measure(config: Path, root: Path) -> Counter[str]:
    """Count a built function's bytes by package."""
    sizes: Counter[str] = Counter()
    mapped = json.loads(config.read_text(encoding="utf-8")).get("filePathMap") or {}
    inside = [path for path in config.parent.rglob("*") if path.is_file() and path != config]
    files = [*((name, root / path) for name, path in mapped.items())]
    files += [(str(path.relative_to(config.parent)), path) for path in inside]
    for name, path in files:
        if path.is_file():
            sizes[_package(name)] += path.stat().st_size
    return sizes


def _package(name: str) -> str:
    if not name.startswith(_VENDORED):
        return "own files"
    return re.sub(r"(\.libs|-[\w.]+\.dist-info)$", "", name.removeprefix(_VENDORED).split("/")[0])


def _estimate(root: Path) -> Counter[str]:
    """Count what the packages of a function take where they are installed here."""
    sizes: Counter[str] = Counter()
    for name in _REQUIREMENT.findall((root / "api" / "requirements.txt").read_text(encoding="utf-8")):
        try:
            files = distribution(name).files or []
        except PackageNotFoundError:
            continue  # for another platform, or for another Python
        taken = (each for each in files if each.suffix != ".pyc" and not is_never_loaded(_VENDORED + each.as_posix()))
        paths = (Path(str(each.locate())) for each in taken)
        sizes[name] += sum(path.stat().st_size for path in paths if path.is_file())
    return sizes


def _judge(what: str, sizes: Counter[str]) -> Finding:
    total = sizes.total() / MEGABYTE
    largest = ", ".join(f"{name} {size / MEGABYTE:.0f}" for name, size in sizes.most_common(4))
    said = f"{what}: {total:.0f} MB ({largest})"
    fix = "git log -p api/requirements.txt shows what came in; excludeFiles in vercel.json keeps files out; then build again"
    if total > LIMIT_MB:
        return fail("function size", f"{said}; at most {LIMIT_MB} MB are sound", fix=fix)
    if total > GOAL_MB:
        return warn("function size", f"{said}; the goal is {GOAL_MB} MB", fix=fix)
    return ok("function size", said)


def check_cold_start(subject: Subject) -> Iterator[Finding]:
    """Import the predicting function in a fresh process and say where the time goes."""
    command = [sys.executable, "-X", "importtime", "-c", "import api.predict"]
    environ = {"PYTHONPATH": str(subject.root), "PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            command, cwd=subject.root, env=environ, capture_output=True, text=True, timeout=IMPORT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        yield fail(
            "cold start", f"api.predict is not imported within {IMPORT_SECONDS} s", fix="look at this machine's load"
        )
        return
    if done.returncode:
        said = done.stderr.strip().splitlines()[-1][:160]
        yield fail(
            "cold start", f"api.predict cannot be imported: {said}", fix="./rowcast test -- tests/api/test_imports.py"
        )
        return
    yield _judge_imports(done.stderr)


def _judge_imports(report: str) -> Finding:
    times: Counter[str] = Counter()
    for line in report.splitlines():
        if matched := _IMPORT.match(line):
            times[matched[4].split(".")[0]] += int(matched[1])
    if not times:
        return skip("cold start", "this Python does not tell what its imports cost")
    own = {name: spent for name, spent in times.items() if name not in sys.stdlib_module_names}
    largest = ", ".join(f"{name} {spent / 1e3:.0f}" for name, spent in Counter(own).most_common(4))
    said = f"importing api.predict takes {times.total() / 1e3:.0f} ms here ({largest})"
    if heavy := sorted(KEPT_OUT & times.keys()):
        fix = f"import {', '.join(heavy)} inside the function that needs it, offline: a function must not"
        return fail("cold start", f"{said}; it loads {', '.join(heavy)}", fix=fix)
    return ok("cold start", said)
