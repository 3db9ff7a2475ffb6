"""The benchmark measures what it says: its client reads every byte, its servers answer, its copies are other files."""

from pathlib import Path

import orjson
import pytest

from api._commands.bench.cold import _import_by_package
from api._commands.bench.command import _show
from api._commands.bench.figures import Figure, quiet
from api._commands.bench.inprocess import seconds_in_process, session_bytes
from api._commands.bench.limits import FOLDER_VARIABLE
from api._commands.bench.load import Connections, Times, prepare
from api._commands.bench.registry import Feed, Sample, vary
from api._commands.bench.rounds import ROUNDS, Target, take_turns
from api._commands.bench.servers import BARE, ECHO, FLOOR, KEPT, Server
from api._commands.errors import CliError
from models.runtime import OnnxModel
from tests.api.tiny import build


@pytest.fixture
def sample() -> Sample:
    """Make a model without training one."""
    made = build("bench")
    return Sample(made.model, made.card)


def test_limits_answer_and_are_measured(sample: Sample, tmp_path: Path):
    """All limits are served by processes of their own, and asking them costs time and CPU that are seen."""
    (tmp_path / "model.onnx").write_bytes(sample.model)
    (tmp_path / "card.json").write_text(sample.card.model_dump_json())
    feed = Feed(sample)

    def bodies(count: int) -> list[bytes]:
        return [orjson.dumps(row) for row in feed.take(count)]

    environ = {FOLDER_VARIABLE: str(tmp_path)}
    with (
        Server(ECHO, {}, tmp_path / "log") as echo,
        Server(FLOOR, environ, tmp_path / "log") as floor,
        Server(KEPT, environ, tmp_path / "log") as kept,
        Server(BARE, environ, tmp_path / "log") as bare,
    ):
        targets = {
            "echo": Target(echo, "/"),
            "floor": Target(floor, "/"),
            "kept": Target(kept, "/"),
            "bare": Target(bare, "/predict", "x-more: header\r\n"),
        }
        for target in targets.values():
            assert target.server.first_answer(target.path, bodies(1)[0]) > 0
            assert target.server.memory_bytes > 10_000_000

        loads = take_turns(targets, bodies, count=120, connections=4)

    for load in loads.values():
        assert len(load.cpus) == ROUNDS
        assert 0 < load.p50 <= load.p99
        assert load.cpu > 0
        assert load.rate > 0


def test_limits_without_a_server_are_measured(sample: Sample):
    """Running rows in this process takes time, a session takes memory."""
    body = orjson.dumps({"rows": Feed(sample).take(20)})

    assert 0 < seconds_in_process(sample, [body] * 5) < 1
    assert session_bytes(sample) > 1000


def test_imports_are_told_by_package():
    """The time of an import is told apart by who takes it."""
    spent = dict(_import_by_package("httpx"))

    assert spent["httpx"] > 0
    assert "standard library" in spent


def test_refused_request_ends_the_benchmark(tmp_path: Path):
    """An error is not counted as a fast answer."""
    with Server(BARE, {}, tmp_path / "log") as server:
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


def test_figures_are_judged_by_their_ratio():
    """A figure with a limit says how many times it is, and meets its goal by that; one without by its value."""
    figure = Figure("p50", "ms", 3.0, 1.5, at_most=2)

    assert (figure.ratio, figure.is_met, figure.goal) == (2, True, "≤ 2")
    assert figure.as_json()["ratio"] == 2
    assert figure.as_json()["is_met"] is True
    assert Figure("requests", "1/s", 10, 30, at_least=0.45).is_met is False
    assert Figure("memory", "MB", 100, at_most=130).is_met is True
    assert Figure("memory", "MB", 100).is_met is None


def test_aims_are_counted_apart(capsys: pytest.CaptureFixture[str]):
    """What was aimed at and is out of reach is shown with its figures, and counts neither as a goal that is met nor as one that is not."""
    figures = [
        Figure("memory", "MB", 100, at_most=130),
        Figure("requests", "1/s", 10, 30, at_least=0.45, is_aim=True),
        Figure("time", "ms", 1, at_most=2, is_aim=True),
    ]

    _show(figures)

    shown = capsys.readouterr().out
    assert "1 of 1 goals are met." in shown
    assert "1 of 2 first aims" in shown
    assert [line.split()[-2:] for line in shown.splitlines()[2:4]] == [["not", "reached"], ["2", "reached"]]
    assert quiet([9.0, 1.0, 8.0, 2.0, 7.0]) == 2.0
    assert Times([3.0, 1.0, 2.0]).at(0.5) == 2.0


def test_the_servers_own_time_is_read_from_the_answer():
    """What the answer's `Server-Timing` says in all, not of a part; an answer that does not say it is left out."""
    heads = [
        b"http/1.1 200 ok\r\nserver-timing: parse;dur=9.0, total;dur=0.25\r\nx: total;dur=7",
        b"http/1.1 200 ok\r\nx: total;dur=8",
    ]

    assert Times([1.0, 1.0], heads).in_server == [0.00025]
