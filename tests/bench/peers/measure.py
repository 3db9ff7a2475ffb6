"""The comparison: equal answers first, then all servers in turn, in short rounds."""

import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from api._commands.bench.registry import make_key, publish, running_stack
from api._stack.settings import Ports
from tests.bench.peers import peers
from tests.bench.peers.environments import installed_bytes, prepare
from tests.bench.peers.footprint import function_bytes
from tests.bench.peers.load import Load, ask
from tests.bench.peers.peers import BARE_NAME, PEERS, ROWCAST, Peer
from tests.bench.peers.pipelines import Feed, Fitted, fit_m1, fit_m2
from tests.bench.peers.serving import PeerFailed, Serving

TOLERANCE = 1e-5
ROUNDS, SECONDS, STARTS = 3, 2.0, 3
LIMIT_SECONDS = 570.0
"""After this long no further round begins, nor a start that only the cold start needs."""

CASES = {"one": (1, 1), "crowd": (1, 32), "hundreds": (100, 4)}
"""Rows per request and connections."""
_FAST = {ROWCAST, BARE_NAME}
_BODIES = {("one", True): 12_000, ("crowd", True): 12_000, ("hundreds", True): 600}
_FEW_BODIES = {"one": 1_500, "crowd": 1_500, "hundreds": 120}
_PER_CHECK = 100
_UNLIMITED = {f"ROWCAST_LIMIT_{name}": "1000000000" for name in ("KEY", "USER", "ADDRESS", "ANONYMOUS", "CREDENTIALS")}

type Say = Callable[[str], None]


@dataclass
class Score:
    """What was measured of one server with one model."""

    name: str
    error: float = 0.0
    """The largest difference of a probability from scikit-learn's, over all test rows."""
    memory_bytes: int = 0
    cold_seconds: list[float] = field(default_factory=list)
    loads: dict[str, list[Load]] = field(default_factory=lambda: defaultdict(list))

    def median(self, case: str, what: str) -> float:
        """Return the median of the rounds."""
        return statistics.median(getattr(load, what) for load in self.loads[case])


@dataclass
class Comparison:
    """All scores, by model, and what is the same for both models."""

    scores: dict[str, list[Score]] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    rounds: int = ROUNDS
    starts: int = STARTS
    seconds: float = 0.0
    began: float = field(default_factory=time.monotonic)

    @property
    def is_late(self) -> bool:
        """Tell whether it is time to stop."""
        return time.monotonic() - self.began > LIMIT_SECONDS


def compare(say: Say, names: Sequence[str], rounds: int, starts: int) -> Comparison:
    """Measure everybody. A peer that does not start or answers otherwise is left out, and why is kept."""
    found = Comparison(rounds=rounds, starts=starts)
    programs: dict[str, Path] = {}
    for name in names:
        say(f"installing {name}, if it is not there")
        programs[name] = prepare(name)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rowcast-peers-")))
        say("starting the stack behind Rowcast")
        environ = {**stack.enter_context(running_stack()).environ(), **_UNLIMITED}
        environ |= {"ROWCAST_MODEL_CACHE_DIR": str(folder / "cache"), "ROWCAST_SPILL_DIR": str(folder / "spill")}
        key = make_key(environ)
        for fit in (fit_m1, fit_m2):
            fitted = fit()
            home = folder / fitted.name
            home.mkdir()
            say(f"{fitted.name}: writing what is loaded")
            fitted.save(home)
            sample = fitted.export(home)
            publish(environ, {fitted.name: sample})
            (home / "checked" / "card.json").write_text(sample.card.model_dump_json(), encoding="utf-8")

            def described(fitted: Fitted = fitted, home: Path = home) -> Iterator[tuple[Callable[[int], Peer], str]]:
                yield (lambda port: peers.rowcast(port, fitted.name, environ, key)), ROWCAST
                yield (lambda port: peers.bare(port, home / "checked")), BARE_NAME
                for name, path in programs.items():
                    yield (lambda port, name=name, path=path: PEERS[name](path, port, fitted, home)), name

            found.rows[fitted.name] = len(fitted.rows)
            found.scores[fitted.name] = _measure(fitted, list(described()), found, home, say)
    found.sizes = {name: installed_bytes(path) for name, path in programs.items()} | {ROWCAST: function_bytes()}
    found.seconds = time.monotonic() - found.began
    return found


def _measure(
    fitted: Fitted, described: list[tuple[Callable[[int], Peer], str]], found: Comparison, home: Path, say: Say
) -> list[Score]:
    feed, body = Feed(fitted), fitted.rows[:1]
    with ExitStack() as stack:
        servers: list[tuple[Serving, Score]] = []
        for describe, key in described:
            say(f"{fitted.name}: starting {key} and comparing its answers")
            score = Score(key)
            try:
                starts = 1 if found.is_late or len(found.scores) else found.starts  # the second model tells no more
                for again in reversed(range(starts)):
                    port = Ports.free().site
                    peer = describe(port)
                    server = Serving(peer, port, home / f"{key}.log")
                    if again:
                        with server:
                            score.cold_seconds.append(server.first_answer(peer.encode(body)))
                    else:
                        stack.enter_context(server)
                        score.cold_seconds.append(server.first_answer(peer.encode(body)))
                score.name = server.peer.name
                score.error = error_of(server, fitted)
            except PeerFailed as failure:
                found.missing[f"{key}, {fitted.name}"] = str(failure)
                continue
            servers.append((server, score))
        _take_turns(fitted.name, servers, feed, found, say)
        for server, score in servers:
            score.memory_bytes = server.memory_bytes
    return [score for _, score in servers]


def error_of(server: Serving, fitted: Fitted) -> float:
    """Compare the answers to all test rows with scikit-learn's. Raises PeerFailed where they differ."""
    told = [
        server.peer.decode(server.ask(server.peer.encode(fitted.rows[start : start + _PER_CHECK])))
        for start in range(0, len(fitted.rows), _PER_CHECK)
    ]
    answers = np.concatenate(told)
    if answers.shape != fitted.expected.shape:
        raise PeerFailed(f"{server.peer.name} answers {answers.shape} to {fitted.expected.shape}")
    error = float(np.abs(answers - fitted.expected).max())
    if error > TOLERANCE:
        raise PeerFailed(f"{server.peer.name} differs from scikit-learn by {error:.2g}")
    return error


def _take_turns(name: str, servers: list[tuple[Serving, Score]], feed: Feed, found: Comparison, say: Say) -> None:
    failed: set[str] = set()
    for number in range(found.rounds):
        if number and found.is_late:
            found.missing[f"round {number + 1}, {name}"] = f"{LIMIT_SECONDS:.0f} s were over"
            break
        for case, (rows, connections) in CASES.items():
            say(f"{name}: round {number + 1} of {found.rounds}, {rows} rows, {connections} at once")
            fresh = [feed.take(rows) for _ in range(_BODIES[case, True])]
            for server, score in servers:
                if score.name in failed:
                    continue
                asked = fresh if score.name in _FAST else fresh[: _FEW_BODIES[case]]
                try:
                    bodies = list(map(server.peer.encode, asked))
                    score.loads[case].append(ask(server, bodies, connections, SECONDS))
                except PeerFailed as failure:
                    failed.add(score.name)
                    found.missing[f"{score.name}, {name}"] = str(failure)
    servers[:] = [each for each in servers if each[1].name not in failed]
