"""The benchmark measures what it says: its client reads every byte, its servers answer, its copies are other files."""

from pathlib import Path

import orjson
import pytest

from api._commands.bench.limits import FOLDER_VARIABLE
from api._commands.bench.load import Connections, Times, prepare
from api._commands.bench.measures import Figure, _ask
from api._commands.bench.registry import Feed, Sample, vary
from api._commands.bench.servers import Server
from api._commands.errors import CliError
from models.runtime import OnnxModel
from tests.api.tiny import build


@pytest.fixture
def sample() -> Sample:
    """Make a model without training one."""
    made = build("bench")
    return Sample(made.model, made.card)


def test_limits_answer_and_are_measured(sample: Sample, tmp_path: Path):
    """Both limits are served by processes of their own, and asking them costs time and CPU that are seen."""
    (tmp_path / "model.onnx").write_bytes(sample.model)
    (tmp_path / "card.json").write_text(sample.card.model_dump_json())
    feed = Feed(sample)

    def bodies() -> list[bytes]:
        return [orjson.dumps(row) for row in feed.take(200)]

    for application, path in (("echo", "/"), ("bare", "/predict")):
        environ = {FOLDER_VARIABLE: str(tmp_path)}
        with Server(f"api._commands.bench.limits:{application}", environ, tmp_path / "log") as server:
            assert server.first_answer(path, bodies()[0]) > 0
            load = _ask(server, path, bodies, connections=4)
            assert 0 < load.p50 <= load.p99
            assert load.cpu > 0
            assert server.memory_bytes > 10_000_000


def test_refused_request_ends_the_benchmark(tmp_path: Path):
    """An error is not counted as a fast answer."""
    with Server("api._commands.bench.limits:bare", {}, tmp_path / "log") as server:
        with pytest.raises(CliError):
            server.first_answer("/nothing", b"{}")
        connections = Connections(server.port, 1)
        with pytest.raises(CliError, match="refused"):
            connections.send([prepare("/nothing", b"{}")])
        connections.close()


def test_copies_are_other_files_of_the_same_model(sample: Sample):
    """Two hundred models differ in their digest and in nothing else."""
    row = {"length": 1, "width": 2, "island": "Dream"}
    copies = [vary(sample, number) for number in (1, 2)]

    assert len({sample.card.digest, *(copy.card.digest for copy in copies)}) == 3
    answers = [OnnxModel.open(each.model, each.card).predict([row]) for each in (sample, *copies)]
    assert answers[0] == answers[1] == answers[2]


def test_no_row_is_asked_twice(sample: Sample):
    """A remembered answer would flatter: every row differs from all before it."""
    feed = Feed(sample)

    rows = [orjson.dumps(row) for row in feed.take(500) + feed.take(500)]

    assert len(set(rows)) == 1000


def test_figures_are_ratios():
    """A figure with a limit says how many times it is."""
    figure = Figure("p50", "ms", 3.0, 1.5, "≤ 2")

    assert figure.ratio == 2
    assert figure.as_json()["ratio"] == 2
    assert Figure("memory", "MB", 100, None, "").ratio is None
    assert Times([3.0, 1.0, 2.0]).at(0.5) == 2.0
