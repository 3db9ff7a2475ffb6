"""What is measured, and beside what."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import orjson

from api._commands.bench.cold import measure_cold
from api._commands.bench.figures import Figure, quiet
from api._commands.bench.inprocess import seconds_in_process, session_bytes
from api._commands.bench.limits import FOLDER_VARIABLE
from api._commands.bench.load import Connections, prepare
from api._commands.bench.registry import Feed, Sample, make_key, make_samples, publish, running_stack, vary
from api._commands.bench.rounds import Target, take_turns
from api._commands.bench.servers import BARE, ECHO, FLOOR, FUNCTION, KEPT, Server, pin_client

MANY_MODELS = 200
_ROWS = 100
_TURNS = 6
_GOALS = {"m1": (2.0, 0.45), "m2": (2.8, 0.30)}
"""By model: p50 beside the echo's at most, requests per second beside the echo's at least."""

_MOST_BESIDE_FLOOR, _MOST_BESIDE_LEAST = 2.0, 3.0
"""What a request promises (a checked key, quotas, a log line, a record that is kept) may take beside the work itself: decision 0028."""

_UNLIMITED = "1000000000"
_LIMITS = {f"ROWCAST_LIMIT_{name}": _UNLIMITED for name in ("KEY", "USER", "ADDRESS", "ANONYMOUS")}
"""Every request is counted against its limits, and none is refused."""


def measure(requests: int, say: Callable[[str], None]) -> Iterator[Figure]:
    """Measure everything, cheapest first."""
    pin_client()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rowcast-bench-")))
        say("fitting two models")
        samples = make_samples(folder / "models")
        say("starting the servers")
        environ = stack.enter_context(running_stack()).environ()
        environ |= {
            "ROWCAST_MODEL_CACHE_DIR": str(folder / "cache"),
            "ROWCAST_SPILL_DIR": str(folder / "spill"),
            **_LIMITS,
        }
        copies = {f"copy-{number:03}": vary(samples["m2"], number) for number in range(MANY_MODELS)}
        publish(environ, {**samples, **copies})
        credential = f"x-api-key: {make_key(environ)}\r\n"
        for slug, sample in samples.items():
            say(f"measuring {slug}")
            yield from _measure_serving(slug, sample, requests, environ, folder, credential)
        say("measuring many models")
        yield from _measure_many(samples["m2"], list(copies), environ, folder / "log")
        say("measuring cold starts")
        yield from measure_cold(orjson.dumps(Feed(samples["m2"]).take(1)[0]), environ, folder)


def _measure_serving(
    slug: str, sample: Sample, requests: int, environ: dict[str, str], folder: Path, credential: str
) -> Iterator[Figure]:
    opened = {FOLDER_VARIABLE: str(folder / "models" / slug)}
    log, path, first = folder / "log", f"/api/predict/{slug}", orjson.dumps(sample.card.examples[0])
    with (
        Server(ECHO, {}, log) as echo,
        Server(FLOOR, opened, log) as floor,
        Server(KEPT, opened, log) as kept,
        Server(BARE, opened, log) as bare,
        Server(FUNCTION, environ, log) as ours,
    ):
        targets = {
            "echo": Target(echo, "/"),
            "floor": Target(floor, "/"),
            "kept": Target(kept, "/"),
            "bare": Target(bare, "/predict"),
            "ours": Target(ours, path, credential),
        }
        for target in targets.values():
            target.server.first_answer(target.path, first)
        feed = Feed(sample)
        yield from _measure_singles(slug, feed, requests, targets)
        yield from _measure_same(slug, first, requests, targets)
        yield from _measure_hundreds(slug, sample, requests, targets)
        explained = {"ours": Target(ours, f"{path}?explain=1", credential)}
        found = take_turns(explained, lambda count: map(orjson.dumps, feed.take(count)), 60, 1)["ours"]
        yield Figure(f"{slug}, explanation: p50", "ms", found.p50 * 1e3, at_most=80)


def _measure_singles(slug: str, feed: Feed, requests: int, targets: dict[str, Target]) -> Iterator[Figure]:
    slowest, least_rate = _GOALS[slug]
    asked = {name: targets[name] for name in ("echo", "floor", "bare", "ours")}
    for connections in (1, 32):
        loads = take_turns(asked, lambda count: map(orjson.dumps, feed.take(count)), requests, connections)
        echo, floor, bare, ours = (loads[each] for each in ("echo", "floor", "bare", "ours"))
        name = f"{slug}, 1 row, {connections} at once"
        is_alone = connections == 1
        if is_alone:
            yield Figure(f"{name}: p50, beside the echo", "ms", ours.p50 * 1e3, echo.p50 * 1e3, at_most=slowest)
            yield Figure(f"{name}: p99, beside its p50", "ms", ours.p99 * 1e3, ours.p50 * 1e3, at_most=5)
            yield Figure(f"{name}: p99 of the echo, beside its p50", "ms", echo.p99 * 1e3, echo.p50 * 1e3)
        else:
            rate = f"{name}: requests/s, beside the echo"
            yield Figure(rate, "1/s", ours.rate, echo.rate, at_least=least_rate, is_aim=True)
        beside_echo = (f"{name}: CPU, beside the echo", "µs", ours.cpu * 1e6, echo.cpu * 1e6)
        yield Figure(*beside_echo, at_most=round(1 / least_rate, 2), is_aim=not is_alone)
        yield Figure(
            f"{name}: CPU of the model without a framework, beside the echo", "µs", floor.cpu * 1e6, echo.cpu * 1e6
        )
        beside_floor = (f"{name}: CPU, beside the model without a framework", "µs", ours.cpu * 1e6, floor.cpu * 1e6)
        yield Figure(*beside_floor, at_most=None if is_alone else _MOST_BESIDE_FLOOR)
        beside_bare = (f"{name}: CPU, beside a bare FastAPI route", "µs", ours.cpu * 1e6, bare.cpu * 1e6)
        yield Figure(*beside_bare, at_most=None if is_alone else 1)


def _measure_same(slug: str, body: bytes, requests: int, targets: dict[str, Target]) -> Iterator[Figure]:
    asked = {name: targets[name] for name in ("echo", "kept", "ours")}
    loads = take_turns(asked, lambda count: [body] * count, requests, 32)
    echo, kept, ours = (loads[each] for each in ("echo", "kept", "ours"))
    name = f"{slug}, same bytes again"
    yield Figure(f"{name}: total of Server-Timing", "ms", ours.server_time * 1e3, at_most=0.1)
    yield Figure(f"{name}: CPU", "ms", ours.cpu * 1e3, at_most=0.1, is_aim=True)
    yield Figure(f"{name}: CPU, beside the echo", "µs", ours.cpu * 1e6, echo.cpu * 1e6, at_most=1.33, is_aim=True)
    yield Figure(f"{name}: CPU of the least such answer, beside the echo", "µs", kept.cpu * 1e6, echo.cpu * 1e6)
    beside_least = (f"{name}: CPU, beside the least such answer", "µs", ours.cpu * 1e6, kept.cpu * 1e6)
    yield Figure(*beside_least, at_most=_MOST_BESIDE_LEAST)
    yield Figure(f"{name}: requests/s, beside the echo", "1/s", ours.rate, echo.rate, at_least=0.75, is_aim=True)


def _measure_hundreds(slug: str, sample: Sample, requests: int, targets: dict[str, Target]) -> Iterator[Figure]:
    feed = Feed(sample)

    def bodies(count: int) -> list[bytes]:
        return [orjson.dumps({"rows": feed.take(_ROWS)}) for _ in range(count)]

    asked = {name: targets[name] for name in ("floor", "bare", "ours")}
    loads = take_turns(asked, bodies, requests // 20, 4)
    floor = loads["floor"].cpu
    least = seconds_in_process(sample, bodies(40))
    name = f"{slug}, {_ROWS} rows, 4 at once"
    yield Figure(f"{name}: rows/s, beside in process", "1/s", _ROWS * loads["ours"].rate, _ROWS / least, at_least=0.5)
    yield Figure(f"{name}: CPU, beside in process", "µs", loads["ours"].cpu * 1e6, least * 1e6, at_most=2)
    yield Figure(f"{name}: CPU of the model without a framework, beside in process", "µs", floor * 1e6, least * 1e6)
    yield Figure(f"{name}: CPU, beside a bare route", "µs", loads["ours"].cpu * 1e6, loads["bare"].cpu * 1e6)


def _measure_many(sample: Sample, slugs: list[str], environ: dict[str, str], log: Path) -> Iterator[Figure]:
    feed = Feed(sample)

    def asked(paths: list[str], count: int) -> list[bytes]:
        return [prepare(paths[i % len(paths)], orjson.dumps(row)) for i, row in enumerate(feed.take(count))]

    paths = [f"/api/predict/{slug}" for slug in slugs]
    with Server(FUNCTION, environ, log) as server:
        server.first_answer(paths[0], orjson.dumps(feed.take(1)[0]))
        opened = Connections(server.port, 1)
        opened.send(asked(paths[:1], 1000))
        held = server.memory_bytes
        yield Figure("memory with one model", "MB", held / 1e6, at_most=130)
        opened.send(asked(paths, len(paths)))
        grown = (server.memory_bytes - held) / (len(paths) - 1)
        floor = session_bytes(sample)
        yield Figure("memory per further model, beside its file", "kB", grown / 1e3, sample.card.size_bytes / 1e3)
        yield Figure("memory per further model, beside a bare session", "kB", grown / 1e3, floor / 1e3, at_most=2)
        opened.send(asked(paths, len(paths)))  # all are open now
        turns = [(opened.send(asked(paths[:1], 1000)), opened.send(asked(paths, 1000))) for _ in range(_TURNS)]
        opened.close()
        one, many = (quiet([each[place].at(0.99) for each in turns]) for place in (0, 1))
        yield Figure(f"{len(paths)} models in turn: p99, beside one", "ms", many * 1e3, one * 1e3, at_most=2)
