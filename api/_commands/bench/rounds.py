"""Taking turns: the thing and its limits are asked in short rounds one after the other, many times over."""

import gc
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from api._commands.bench.figures import quiet
from api._commands.bench.load import Connections, prepare
from api._commands.bench.servers import Server

ROUNDS = 12
_SETTLING_SECONDS = 0.08
"""What a server does behind its answers belongs to them."""

Bodies = Callable[[int], Iterable[bytes]]
"""Makes so many bodies to ask with."""


@dataclass(frozen=True)
class Target:
    """A server, and what a request to it says."""

    server: Server
    path: str
    headers: str = ""


@dataclass
class Load:
    """What asking one target took, round by round."""

    p50s: list[float] = field(default_factory=list)
    p99s: list[float] = field(default_factory=list)
    cpus: list[float] = field(default_factory=list)
    paces: list[float] = field(default_factory=list)
    in_server: list[float] = field(default_factory=list)

    @property
    def p50(self) -> float:
        """Seconds that half of the requests stayed below."""
        return quiet(self.p50s)

    @property
    def p99(self) -> float:
        """Seconds that 99 of 100 requests stayed below."""
        return quiet(self.p99s)

    @property
    def cpu(self) -> float:
        """CPU seconds per request: on a shared machine it says more about throughput than the clock does."""
        return quiet(self.cpus)

    @property
    def server_time(self) -> float:
        """Seconds between a request's beginning and its answer, as the server tells them: half of the answers stayed below."""
        return quiet(self.in_server)

    @property
    def rate(self) -> float:
        """Requests per second."""
        return 1 / quiet(self.paces)


def take_turns(targets: Mapping[str, Target], bodies: Bodies, count: int, connections: int) -> dict[str, Load]:
    """Ask every target in turn, each time with new bodies; about `count` requests each, all rounds together."""
    loads = {name: Load() for name in targets}
    per_round = max(2 * connections, count // ROUNDS)
    with ExitStack() as stack:
        opened = {name: Connections(target.server.port, connections) for name, target in targets.items()}
        for each in opened.values():
            stack.callback(each.close)
        gc.disable()  # a pause of the client must not count as the server's
        stack.callback(gc.enable)
        for number in range(ROUNDS + 1):
            for name, target in targets.items():
                requests = [prepare(target.path, body, target.headers) for body in bodies(per_round)]
                if number:
                    _ask(target.server, opened[name], requests, loads[name])
                else:
                    opened[name].send(requests[: 2 * connections])  # the first round warms up
    return loads


def _ask(server: Server, connections: Connections, requests: Sequence[bytes], load: Load) -> None:
    before, began = server.cpu_seconds, time.perf_counter()
    times = connections.send(requests)
    load.paces.append((time.perf_counter() - began) / len(requests))
    time.sleep(_SETTLING_SECONDS)
    load.cpus.append((server.cpu_seconds - before) / len(requests))
    load.p50s.append(times.at(0.5))
    load.p99s.append(times.at(0.99))
    if told := times.in_server:
        load.in_server.append(statistics.median(told))
