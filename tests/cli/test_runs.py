"""Watching a run through bad times."""

import httpx
import pytest

from api._commands import runs
from api._commands.client import Client, Place
from api._commands.errors import CliError, RequestRefused, ServerUnreachable


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(runs, "time", made)
    return made


def _page(*events, status="running", **run):
    return httpx.Response(200, json={"events": list(events), "run": {"id": "r", "status": status, **run}})


def _event(seq, kind="stage"):
    return {"seq": seq, "at": "2026-01-01T00:00:00Z", "kind": kind, "data": {"message": f"step {seq}", "progress": 0.1}}


def _watch(answers):
    asked = []

    def answer(request):
        asked.append(request.url.params["after"])
        made = next(answers)
        if isinstance(made, Exception):
            raise made
        return made

    with Client(Place("https://rowcast.example"), transport=httpx.MockTransport(answer)) as client:
        return runs.watch(client, "r"), asked


def test_watch_reads_every_event_once_and_goes_on_after_the_last(clock, capsys):
    """Each question names the last event seen; the run's end is believed only when no event is left."""
    answers = iter(
        [_page(_event(1), _event(2)), _page(_event(3), status="succeeded"), _page(status="succeeded", version=1)]
    )

    run, asked = _watch(answers)

    assert run["version"] == 1
    assert asked == ["0", "2", "3"]
    assert capsys.readouterr().err.split("\n")[:3] == ["step 1", "step 2", "step 3"]


@pytest.mark.parametrize("trouble", [httpx.ConnectError("x"), httpx.ReadTimeout("x"), httpx.Response(503, json={})])
def test_watch_outlasts_a_server_that_is_away_for_a_while(clock, trouble):
    answers = iter([_page(_event(1)), *[trouble] * 20, _page(status="succeeded")])

    run, asked = _watch(answers)

    assert run["status"] == "succeeded"
    assert asked[-1] == "1"


def test_watch_gives_up_after_a_minute_without_an_answer(clock):
    def answers():
        while True:
            yield httpx.ConnectError("x")

    with pytest.raises(ServerUnreachable):
        _watch(answers())

    assert 60 <= clock.now < 62


def test_watch_does_not_insist_where_the_server_says_no(clock):
    with pytest.raises(RequestRefused, match="no such run"):
        _watch(iter([httpx.Response(404, json={"detail": "There is no such run"})]))


def test_watch_ends_a_failed_run_with_its_reason(clock):
    answers = iter([_page(status="failed", reason="the target 'x' is always 'y'")])

    with pytest.raises(CliError, match="is always 'y'"):
        _watch(answers)
