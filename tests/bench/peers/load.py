"""The load: `wrk` where it is installed, else the benchmark's own client."""

import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from api._commands.bench.load import Connections, prepare
from api._commands.errors import CliError
from tests.bench.peers.serving import CLIENT_CORE, PeerFailed, Serving, on_core

_SCRIPT = """
local bodies, at = {}, 0
for line in io.lines(os.getenv("PEER_BODIES")) do bodies[#bodies + 1] = line end
request = function()
  at = at % #bodies + 1
  return wrk.format("POST", nil, nil, bodies[at])
end
done = function(summary, latency)
  local errors = summary.errors
  io.write(string.format("RESULT %d %d %f %f %d\\n", summary.requests, summary.duration, latency:percentile(50),
    latency:percentile(99), errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
"""
_RESULT = re.compile(r"^RESULT (\d+) (\d+) ([\d.]+) ([\d.]+) (\d+)$", re.MULTILINE)
_GRACE_SECONDS = 30


@dataclass(frozen=True)
class Load:
    """What one short measurement saw, in seconds and requests per second."""

    p50: float
    p99: float
    rate: float


def generator() -> str:
    """Name what makes the load."""
    found = shutil.which("wrk")
    if not found:
        return "the benchmark's own client"
    told = subprocess.run([found, "-v"], capture_output=True, text=True, check=False).stdout
    return " ".join(told.split()[:2])


def ask(server: Serving, bodies: Sequence[bytes], connections: int, seconds: float) -> Load:
    """Ask a server over some kept connections for some seconds; bodies hold no line break.

    Raises:
        PeerFailed: when any answer was not a success.
    """
    found = shutil.which("wrk")
    return (
        _by_wrk(found, server, bodies, connections, seconds)
        if found
        else _by_hand(server, bodies, connections, seconds)
    )


def _by_wrk(wrk: str, server: Serving, bodies: Sequence[bytes], connections: int, seconds: float) -> Load:
    with tempfile.TemporaryDirectory() as folder:
        script, lines = Path(folder) / "ask.lua", Path(folder) / "bodies"
        script.write_text(_SCRIPT, encoding="utf-8")
        lines.write_bytes(b"\n".join(bodies) + b"\n")
        command = [
            wrk,
            "-t1",
            f"-c{connections}",
            f"-d{max(1, round(seconds))}s",
            "--timeout",
            "20s",
            "-s",
            str(script),
        ]
        for name, value in {"content-type": "application/json", **server.peer.headers}.items():
            command += ["-H", f"{name}: {value}"]
        command.append(f"http://127.0.0.1:{server.port}{server.peer.path}")
        with on_core(CLIENT_CORE):
            told = subprocess.run(
                command,
                env={"PEER_BODIES": str(lines)},
                capture_output=True,
                text=True,
                check=True,
                timeout=seconds + _GRACE_SECONDS,
            ).stdout
    requests, duration, p50, p99, errors = map(float, _RESULT.findall(told)[0])
    if errors or not requests:
        raise PeerFailed(f"{server.peer.name}: {errors:.0f} of {requests:.0f} requests failed")
    return Load(p50 / 1e6, p99 / 1e6, requests / (duration / 1e6))


def _by_hand(server: Serving, bodies: Sequence[bytes], connections: int, seconds: float) -> Load:
    headers = "".join(f"{name}: {value}\r\n" for name, value in server.peer.headers.items())
    requests = [prepare(server.peer.path, body, headers) for body in bodies]
    times: list[float] = []
    with on_core(CLIENT_CORE), closing(Connections(server.port, connections)) as opened:
        began = time.perf_counter()
        try:
            while time.perf_counter() - began < seconds:
                start = len(times) % max(1, len(requests) - connections)
                times += opened.send(requests[start : start + connections]).seconds
        except CliError as refused:
            raise PeerFailed(f"{server.peer.name}: {refused}") from refused
        lasted = time.perf_counter() - began
    ordered = sorted(times)
    return Load(ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99)], len(times) / lasted)
