"""The comparison with other servers: who is not equal is left out, what is started is ended, the table can be read."""

import sys
import tomllib
from pathlib import Path

import numpy as np
import orjson
import psutil
import pytest

from api._stack.settings import Ports
from tests.bench.peers import load, measure, peers, results
from tests.bench.peers.environments import VERSIONS, pins
from tests.bench.peers.load import Load, ask
from tests.bench.peers.measure import Comparison, Score
from tests.bench.peers.peers import PEERS, ROWCAST, Peer
from tests.bench.peers.pipelines import Feed, Fitted, answers_of, fit_m1
from tests.bench.peers.serving import PeerFailed, Serving


@pytest.fixture(scope="module")
def fitted() -> Fitted:
    """Fit the first model once."""
    return fit_m1()


@pytest.fixture(scope="module")
def exported(fitted: Fitted, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Export it once; the folder holds the file and its card."""
    folder = tmp_path_factory.mktemp("peer")
    sample = fitted.export(folder)
    (folder / "checked" / "card.json").write_text(sample.card.model_dump_json())
    assert np.abs(answers_of(sample, fitted.rows) - fitted.expected).max() < measure.TOLERANCE
    return folder / "checked"


@pytest.mark.parametrize("has_wrk", [True, False])
def test_server_is_asked_and_ended(
    fitted: Fitted, exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_wrk: bool
):
    """Equal answers, a load by either client, memory of all processes, and no process left."""
    if not has_wrk:
        monkeypatch.setattr(load.shutil, "which", lambda _: None)
    port = Ports.free().site
    peer = peers.bare(port, exported)
    with Serving(peer, port, tmp_path / "log") as server:
        assert server.first_answer(peer.encode(fitted.rows[:1])) > 0
        assert measure.error_of(server, fitted) < measure.TOLERANCE
        seen = ask(server, [peer.encode(fitted.rows[:1])] * 60, 2, 1.0)
        assert server.memory_bytes > 30_000_000
        family = server.family()

    assert 0 < seen.p50 <= seen.p99
    assert seen.rate > 1
    assert family
    assert not any(psutil.pid_exists(each.pid) for each in family)


def test_other_answers_are_not_measured(fitted: Fitted, exported: Path, tmp_path: Path):
    """A server whose answers differ from scikit-learn's by more than rounding is refused, and so is one that refuses."""
    port = Ports.free().site
    peer = peers.bare(port, exported)
    other = Fitted(fitted.name, fitted.pipeline, fitted.rows, fitted.expected + 0.001, fitted.classes)
    with Serving(peer, port, tmp_path / "log") as server:
        server.first_answer(peer.encode(fitted.rows[:1]))
        with pytest.raises(PeerFailed, match="differs"):
            measure.error_of(server, other)
        with pytest.raises(PeerFailed):
            ask(server, [b"no rows"], 1, 1.0)


def test_server_that_ends_says_why(tmp_path: Path):
    """The failure carries what the server printed."""
    peer = Peer("broken", [sys.executable, "-c", "print('no such model'); exit(3)"], "/", orjson.dumps, np.array)
    with (
        Serving(peer, 9, tmp_path / "log") as server,
        pytest.raises(PeerFailed, match="broken did not start: no such model"),
    ):
        server.first_answer(b"{}")


def test_no_row_is_asked_twice(fitted: Fitted):
    """A remembered answer would flatter."""
    feed = Feed(fitted)

    rows = [orjson.dumps(row) for row in feed.take(500) + feed.take(500)]

    assert len(set(rows)) == 1000


def test_every_peer_is_pinned_and_loads_what_rowcast_trains_with():
    """Versions are exact, and those of the shared libraries are the ones of this environment."""
    assert set(pins()) == set(PEERS)
    assert all("==" in pin for each in pins().values() for pin in each)
    installed = {f"{name}=={results.version(name)}" for name in ("scikit-learn", "numpy", "pandas", "joblib")}
    assert set(tomllib.loads(VERSIONS.read_text())["common"]) == installed


def test_report_tells_ratios_and_who_is_missing():
    """Each cell is a value and how many times worse than Rowcast; who was left out is named with the reason."""
    ours, theirs = (
        Score(ROWCAST, memory_bytes=100_000_000, cold_seconds=[1.0]),
        Score("Peer", error=2e-8, memory_bytes=200_000_000, cold_seconds=[3.0, 4.0, 5.0]),
    )
    for case in measure.CASES:
        ours.loads[case] = [Load(0.001, 0.002, 1000.0)]
        theirs.loads[case] = [Load(0.01, 0.02, 100.0), Load(0.02, 0.02, 50.0), Load(0.5, 0.02, 200.0)]
    found = Comparison(
        {"m1": [ours, theirs]}, {"m1": 143}, {ROWCAST: 150_000_000}, {"other, m1": f"did not\n  start in {Path.home()}"}
    )

    said = results.markdown(found)

    assert (
        "| Peer | 20.00 (20 ×) | 20.00 (10 ×) | 100 (10 ×) | 10,000 (10 ×) | 200 (2 ×) | 4.00 (4 ×) | 2e-08 |" in said
    )
    assert "| Rowcast | 1.00 | 2.00 | 1,000 | 100,000 | 100 | 1.00 | 0e+00 |" in said
    assert "- other, m1: did not start in …" in said
