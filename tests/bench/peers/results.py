"""The table, for a terminal and for RESULTS.md, with what one must know to read it."""

import os
import platform
import statistics
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psutil

from api._stack.settings import REPOSITORY
from tests.bench.peers.environments import pins
from tests.bench.peers.load import generator
from tests.bench.peers.measure import CASES, SECONDS, Comparison, Score
from tests.bench.peers.peers import ROWCAST

_WHY_LENGTH = 300
_BUSY_LOAD = 4.0
_BUSY = " **The machine was busy with other work: these numbers show that the comparison runs, not who is faster.**"

RESULTS = Path(__file__).parents[1] / "RESULTS.md"

type Column = tuple[str, Callable[[Score], float], str, bool]
"""A heading, its value, how that is written, and whether less is better."""

_MODELS = {
    "m1": "M1: random forest of 100 trees on 30 numbers",
    "m2": "M2: imputers and one-hot codes before HistGradientBoosting, on 6 numbers and 5 words",
}


def _columns(found: Comparison) -> list[Column]:
    hundred, _ = CASES["hundreds"]
    return [
        ("p50 ms", lambda one: one.median("one", "p50") * 1e3, ".2f", True),
        ("p99 ms", lambda one: one.median("one", "p99") * 1e3, ".2f", True),
        ("requests/s at 32", lambda one: one.median("crowd", "rate"), ",.0f", False),
        (f"rows/s by {hundred}", lambda one: one.median("hundreds", "rate") * hundred, ",.0f", False),
        ("memory MB", lambda one: one.memory_bytes / 1e6, ".0f", True),
        ("cold start s", lambda one: statistics.median(one.cold_seconds), ".2f", True),
    ]


def table(found: Comparison, model: str) -> list[list[str]]:
    """Write one model's table: each cell a value and how many times worse (or better) than Rowcast it is."""
    scores = found.scores[model]
    ours = next((score for score in scores if score.name == ROWCAST), None)
    lines = [["", *(heading for heading, *_ in _columns(found)), "off by at most"]]
    for score in scores:
        cells = [score.name]
        for _, value, form, less_is_better in _columns(found):
            mine, theirs = (value(ours) if ours else 0.0), value(score)
            worse = (theirs / mine if less_is_better else mine / theirs) if mine and theirs else 0.0
            cells.append(format(theirs, form) + (f" ({worse:.2g} ×)" if worse and score is not ours else ""))
        lines.append([*cells, f"{score.error:.0e}"])
    return lines


def markdown(found: Comparison) -> str:
    """Write the whole report."""
    parts = [
        "# Rowcast beside other servers",
        f"Measured {datetime.now(UTC):%Y-%m-%d %H:%M} UTC by `./rowcast bench --peers --write` in {found.seconds:.0f} s.",
        _machine(),
        _method(found),
    ]
    for model in found.scores:
        lines = table(found, model)
        rows = ["| " + " | ".join(line) + " |" for line in lines]
        rule = "|---|" + "---:|" * (len(lines[0]) - 1)
        parts += [f"## {_MODELS[model]}", "\n".join([rows[0], rule, *rows[1:]])]
    if found.missing:
        parts += ["## Left out", "\n".join(f"- {name}: {_in_one_line(why)}" for name, why in found.missing.items())]
    sizes = sorted(found.sizes.items(), key=lambda one: one[1])
    installed = "\n".join(f"| {name} | {size / 1e6:.0f} | {_pinned(name)} |" for name, size in sizes)
    parts += ["## What has to be installed", f"| | MB without byte-code | versions |\n|---|---:|---|\n{installed}"]
    return "\n\n".join(parts) + "\n"


def _pinned(name: str) -> str:
    names = ("fastapi", "onnxruntime", "numpy", "orjson")
    return ", ".join(pins()[name] if name in pins() else [f"{one}=={version(one)}" for one in names])


def _machine() -> str:
    load = "/".join(f"{one:.1f}" for one in os.getloadavg())
    kind = f"{platform.machine()}, {platform.system()} {platform.release()}"
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"Machine: {os.cpu_count()} cores of {_processor()} ({kind}), {memory:.0f} GiB, Python {platform.python_version()}. "
        f"Load of the last 1/5/15 minutes at the end: {load}; a quiet machine shows about 2."
        + (_BUSY if os.getloadavg()[2] > _BUSY_LOAD else "")
    )


def _in_one_line(why: str) -> str:
    """Shorten a server's log to the end of what it says, without the places of this machine."""
    for place in (str(REPOSITORY), str(Path.home())):
        why = why.replace(place, "…")
    line = " ".join(why.split())
    return line if len(line) <= _WHY_LENGTH else f"{line[: _WHY_LENGTH // 2]} … {line[-_WHY_LENGTH // 2 :]}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def _method(found: Comparison) -> str:
    return (
        "Everybody serves the same fitted pipelines with one worker, on one core; the load comes from the other "
        f"({generator()}, or what stands in for it). Before anything is timed, all test rows are asked and every probability "
        f"must be scikit-learn's within 1e-5. Servers then take turns, {SECONDS:.0f} s each, for {found.rounds} rounds; every row is "
        "a new one. Shown is the median of the rounds: p50 and p99 of 1 row over 1 connection, requests of 1 row over 32, rows "
        f"in requests of 100 over 4. Memory is that of all processes after the load, shared pages once. A cold start (median of "
        f"{found.starts}, for M1) lasts from the start of the process to the first answer. Rowcast has everything on: API key, limits, "
        "prediction log, registry. The peers have none of these. In brackets: how many times worse than Rowcast "
        "(below 1: better). Read ratios as ± 40 %, p99 as indicative."
    )
