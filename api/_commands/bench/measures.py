"""What is measured, and beside what."""

import gc
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from api._commands.bench.limits import FOLDER_VARIABLE
from api._commands.bench.load import Connections, prepare
from api._commands.bench.registry import Feed, Sample, publish, running_stack, train_sample, vary
from api._commands.bench.servers import Server, pin_client
from api._stack.settings import REPOSITORY

ROUNDS = 3
MANY_MODELS = 200
_FUNCTION = "api.predict:app"
_ECHO = "api._commands.bench.limits:echo"
_BARE = "api._commands.bench.limits:bare"


@dataclass(frozen=True)
class Figure:
    """One measured thing: Rowcast's value, the limit's, and their ratio against the goal."""

    what: str
    unit: str
    value: float
    limit: float | None
    goal: str

    @property
    def ratio(self) -> float | None:
        """How many times the limit."""
        return self.value / self.limit if self.limit else None

    def as_json(self) -> dict[str, Any]:
        """Write it for programs."""
        return {**asdict(self), "ratio": self.ratio}


@dataclass(frozen=True)
class _Load:
    """What one server was asked, and what it took."""

    p50: float
    p99: float
    cpu: float
    """CPU seconds per request: on a shared machine it says more about throughput than the clock does."""


def measure(requests: int, train_seconds: float, say: Callable[[str], None]) -> Iterator[Figure]:
    """Measure everything, cheapest first."""
    pin_client()
    say("training two models of the gallery")
    samples = {slug: train_sample(slug, train_seconds) for slug in ("breast-cancer", "penguins")}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rowcast-bench-")))
        for slug, sample in samples.items():
            (folder / slug).mkdir()
            (folder / slug / "model.onnx").write_bytes(sample.model)
            (folder / slug / "card.json").write_text(sample.card.model_dump_json(), encoding="utf-8")
        say("starting the servers")
        environ = stack.enter_context(running_stack()).environ()
        environ |= {"ROWCAST_MODEL_CACHE_DIR": str(folder / "cache")}
        copies = {f"copy-{number:03}": vary(samples["penguins"], number) for number in range(MANY_MODELS)}
        publish(environ, {**samples, **copies})
        log = folder / "log"
        for slug, sample in samples.items():
            say(f"measuring {slug}")
            yield from _measure_serving(slug, sample, requests, environ, folder)
        say("measuring many models")
        yield from _measure_many(samples["penguins"], list(copies), environ, log)
        say("measuring cold starts")
        yield from _measure_cold(samples["penguins"], environ, folder)


def _measure_serving(
    slug: str, sample: Sample, requests: int, environ: dict[str, str], folder: Path
) -> Iterator[Figure]:
    feed, path, log = Feed(sample), f"/api/predict/{slug}", folder / "log"

    def singles() -> list[bytes]:
        return [orjson.dumps(row) for row in feed.take(requests)]

    def hundreds() -> list[bytes]:
        return [orjson.dumps({"rows": feed.take(100)}) for _ in range(max(10, requests // 50))]

    with (
        Server(_ECHO, {}, log) as echo,
        Server(_BARE, {FOLDER_VARIABLE: str(folder / slug)}, log) as bare,
        Server(_FUNCTION, environ, log) as ours,
    ):
        for server, each in ((echo, "/"), (bare, "/predict"), (ours, path)):
            server.first_answer(each, singles()[0])
        for connections in (1, 32):
            limit = _ask(echo, "/", singles, connections)
            least = _ask(bare, "/predict", singles, connections)
            found = _ask(ours, path, singles, connections)
            name = f"{slug}, 1 row, {connections} at once"
            if connections == 1:
                yield Figure(f"{name}: p50, beside the echo", "ms", found.p50 * 1e3, limit.p50 * 1e3, "≤ 2.0 to 2.8")
                yield Figure(f"{name}: p99, beside its p50", "ms", found.p99 * 1e3, found.p50 * 1e3, "≤ 5")
            yield Figure(f"{name}: CPU, beside the echo", "µs", found.cpu * 1e6, limit.cpu * 1e6, "≤ 2.2 to 3.3")
            yield Figure(f"{name}: CPU, beside the bare model", "µs", found.cpu * 1e6, least.cpu * 1e6, "")
        same = [singles()[0]] * requests
        found, limit = _ask(ours, path, lambda: same, 32), _ask(echo, "/", lambda: same, 32)
        yield Figure(
            f"{slug}, same bytes again: CPU, beside the echo", "µs", found.cpu * 1e6, limit.cpu * 1e6, "≤ 1.33"
        )
        found, least = _ask(ours, path, hundreds, 4), _ask(bare, "/predict", hundreds, 4)
        yield Figure(f"{slug}, 100 rows: CPU, beside the bare model", "µs", found.cpu * 1e6, least.cpu * 1e6, "≤ 2")
        explained = _ask(ours, f"{path}?explain=1", lambda: singles()[:20], 1)
        yield Figure(f"{slug}, explanation: p50", "ms", explained.p50 * 1e3, None, "≤ 80")


def _ask(server: Server, path: str, make: Callable[[], Sequence[bytes]], connections: int) -> _Load:
    """Ask everything, several rounds of new questions; the median round counts."""
    loads = []
    gc.disable()  # a pause of the client must not count as the server's
    for _ in range(ROUNDS):
        requests = [prepare(path, body) for body in make()]
        opened = Connections(server.port, connections)
        opened.send(requests[:connections])
        before = server.cpu_seconds
        times = opened.send(requests[connections:])
        loads.append(_Load(times.at(0.5), times.at(0.99), (server.cpu_seconds - before) / len(times.seconds)))
        opened.close()
    gc.enable()
    return sorted(loads, key=lambda load: load.p50)[len(loads) // 2]


def _measure_many(sample: Sample, slugs: list[str], environ: dict[str, str], log: Path) -> Iterator[Figure]:
    feed = Feed(sample)

    def asked(paths: Sequence[str], count: int) -> list[bytes]:
        return [prepare(paths[i % len(paths)], orjson.dumps(row)) for i, row in enumerate(feed.take(count))]

    paths = [f"/api/predict/{slug}" for slug in slugs]
    with Server(_FUNCTION, environ, log) as server:
        server.first_answer(paths[0], orjson.dumps(feed.take(1)[0]))
        opened = Connections(server.port, 1)
        one = opened.send(asked(paths[:1], 1000))
        held = server.memory_bytes
        yield Figure("memory with one model", "MB", held / 1e6, None, "≤ 130")
        opened.send(asked(paths, len(paths)))
        grown = (server.memory_bytes - held) / (len(paths) - 1)
        yield Figure(
            "memory per further model, beside its file", "kB", grown / 1e3, sample.card.size_bytes / 1e3, "≤ 2"
        )
        many = opened.send(asked(paths, 1000))
        opened.close()
        yield Figure(
            f"{len(paths)} models in turn: p99, beside one", "ms", many.at(0.99) * 1e3, one.at(0.99) * 1e3, "≤ 2"
        )


def _measure_cold(sample: Sample, environ: dict[str, str], folder: Path) -> Iterator[Figure]:
    body = orjson.dumps(Feed(sample).take(1)[0])
    log, bare_environ = folder / "log", {FOLDER_VARIABLE: str(folder / "penguins")}
    ours, bare = [], []
    for _ in range(ROUNDS):
        with Server(_FUNCTION, environ, log) as server:
            ours.append(server.first_answer("/api/predict/penguins", body))
        with Server(_BARE, bare_environ, log) as server:
            bare.append(server.first_answer("/predict", body))
    cold, limit = statistics.median(ours) * 1e3, statistics.median(bare) * 1e3
    yield Figure("process start → first prediction", "ms", cold, limit, "≤ 1.25")
    fastapi = _import_seconds("fastapi") * 1e3
    for function in ("health", "models", "runs"):
        yield Figure(
            f"import of the function {function}, beside fastapi",
            "ms",
            _import_seconds(f"api.{function}") * 1e3,
            fastapi,
            "≤ 1.15",
        )


def _import_seconds(module: str) -> float:
    code = f"import time; t = time.process_time(); import {module}; print(time.process_time() - t)"
    taken = [
        float(
            subprocess.run(
                [sys.executable, "-c", code], cwd=REPOSITORY, env=os.environ, capture_output=True, text=True, check=True
            ).stdout
        )
        for _ in range(2 * ROUNDS - 1)
    ]
    return statistics.median(taken)
