"""Rows of several requests in one run: fewer runs, the same answers to the last digit, and nobody waits for nobody."""

import asyncio
from collections.abc import Callable

import numpy as np
import orjson
import pytest
from numpy.typing import NDArray

from api._lib import limits, log, turns
from api._lib.averages import Average
from api.predict import app
from models.encoding import Encoded
from models.errors import InvalidRows
from models.runtime import OnnxModel
from tests.api.test_regulars import key, ways  # noqa: F401  fixtures
from tests.api.tiny import build
from tests.api.ways import ROW, Ways

ROWS = [{**ROW, "length": number / 8, "island": ("Dream", "Biscoe")[number % 2]} for number in range(40)]


class Spied:
    """An opened model, and how many rows each of its runs had."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, engine: OnnxModel) -> None:
        self.engine = engine
        self.sizes: list[int] = []
        self.change: Callable[[NDArray[np.float32]], None] = lambda _output: None
        self._run = run = engine.run

        def spied(encoded: Encoded) -> NDArray[np.float32]:
            self.sizes.append(len(encoded.numeric))
            output = run(encoded).copy()
            self.change(output)
            return output

        monkeypatch.setattr(engine, "run", spied)

    def alone(self, row: dict[str, object]) -> bytes:
        """Answer a row as for whoever asks alone, uncounted and unchanged."""
        return self.engine.write(self._run(self.engine.encode([row])))


@pytest.fixture
def spied(monkeypatch: pytest.MonkeyPatch) -> Spied:
    monkeypatch.setattr(turns, "_companies", {})
    made = build("together")
    return Spied(monkeypatch, OnnxModel.open(made.model, made.card))


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no run be tried apart."""
    monkeypatch.setattr(turns, "TRIED_ROWS", 0)


async def ask_one(engine: OnnxModel, row: dict[str, object]) -> turns.Run:
    """Ask as a request does."""
    company = turns.company_of(engine, Average(guess=0.0))
    together = company.join(row)
    return company.run_one(row) if together is None else await together


async def ask(engine: OnnxModel, rows: list[dict[str, object]]) -> list[turns.Run | BaseException]:
    """Ask as requests do that are in hand in the same turn."""
    return await asyncio.gather(*(ask_one(engine, row) for row in rows), return_exceptions=True)


async def meet(spied: Spied) -> None:
    """Ask in company until it is expected."""
    await ask(spied.engine, ROWS[:16])
    spied.sizes.clear()


@pytest.mark.usefixtures("trusted")
def test_rows_of_one_turn_are_run_together(spied: Spied):
    """Forty requests take two runs, and each gets what it would have got by itself."""

    async def story() -> list[turns.Run]:
        await meet(spied)
        return await ask(spied.engine, ROWS)

    answers = asyncio.run(story())

    assert spied.sizes == [32, 8]
    assert [each.predictions for each in answers] == [spied.alone(row) for row in ROWS]
    assert [each.encoded.numeric.tolist() for each in answers] == [
        spied.engine.encode([row]).numeric.tolist() for row in ROWS
    ]


def test_who_asks_alone_is_answered_at_once(spied: Spied):
    """But for one in eight, which looks for company; and company that has gone is not waited for."""

    async def story() -> list[bool]:
        waited = []

        async def ask_alone() -> None:
            turn = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_soon(turn.set_result, None)
            await ask_one(spied.engine, ROW)
            waited.append(turn.done())
            await turn

        for _ in range(16):
            await ask_alone()
        await meet(spied)
        for _ in range(turns._PATIENCE + 7):
            await ask_alone()
        return waited

    waited = asyncio.run(story())

    assert [number for number, each in enumerate(waited[:16], 1) if each] == [8, 16]
    assert waited[16:] == [True] * turns._PATIENCE + [False] * 7


def test_first_rows_in_company_are_run_apart_as_well(spied: Spied, monkeypatch: pytest.MonkeyPatch):
    """A model is trusted once so many rows were the same both ways."""
    monkeypatch.setattr(turns, "TRIED_ROWS", 20)

    async def story() -> None:
        for _ in range(4):
            await ask(spied.engine, ROWS[:10])

    asyncio.run(story())

    assert spied.sizes == [*[1] * 7, 3, 1, 1, 1, 10, *[1] * 10, 10, *[1] * 10, 10]
    assert not turns._companies[spied.engine.card.digest]._is_apart


@pytest.mark.parametrize("trusted_rows", [0, 1000], ids=["once it is trusted", "from the first"])
def test_model_that_answers_company_otherwise_is_run_apart(
    spied: Spied, trusted_rows: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """Nobody gets the other answer where it is looked for, and from then on it is not asked for any more."""
    monkeypatch.setattr(turns, "TRIED_ROWS", trusted_rows)
    monkeypatch.setattr(turns, "TRIED_AGAIN", 2)
    told = []
    monkeypatch.setattr(log, "info", lambda event, **facts: told.append((event, facts["digest"])))

    def change(output: NDArray[np.float32]) -> None:
        if len(output) > 1:
            output += np.float32(1e-7)

    async def story() -> list[turns.Run]:
        await meet(spied)
        spied.change = change
        for _ in range(2):
            answers = await ask(spied.engine, ROWS)
        spied.sizes.clear()
        await ask(spied.engine, ROWS)
        return answers

    answers = asyncio.run(story())

    assert [each.predictions for each in answers] == [spied.alone(row) for row in ROWS]
    assert spied.sizes[:40] == [1] * 40
    assert told == [("model run apart", spied.engine.card.digest)]


@pytest.mark.usefixtures("trusted")
def test_row_that_does_not_fit_spoils_no_other(spied: Spied):
    """Each learns what is the matter with its own row only: a refusal, a warning, an answer that is not finite."""
    rows = [ROW, {**ROW, "length": "x"}, {**ROW, "island": "Nowhere"}, {**ROW, "length": 3e38, "width": 3e38}, ROW]

    async def story() -> list[turns.Run | BaseException]:
        await meet(spied)
        return await ask(spied.engine, rows)

    first, refused, warned, endless, last = asyncio.run(story())

    assert first.predictions == last.predictions == spied.alone(ROW)
    assert isinstance(refused, InvalidRows)
    assert refused.errors[0].pointer == "#/rows/0/length"
    assert [each.pointer for each in warned.encoded.warnings] == ["#/rows/0/island"]
    assert not first.encoded.warnings
    assert isinstance(endless, InvalidRows) or b"null" not in endless.predictions


@pytest.mark.usefixtures("trusted")
def test_who_has_gone_takes_no_other_along(spied: Spied):
    """A request that is cancelled while it waits."""

    async def story() -> list[turns.Run | BaseException]:
        await meet(spied)
        asked = [asyncio.ensure_future(ask_one(spied.engine, row)) for row in ROWS[:4]]
        asyncio.get_running_loop().call_soon(asked[1].cancel)
        return await asyncio.gather(*asked, return_exceptions=True)

    first, gone, *rest = asyncio.run(story())

    assert isinstance(gone, asyncio.CancelledError)
    assert [each.predictions for each in (first, *rest)] == [spied.alone(ROWS[place]) for place in (0, 2, 3)]


@pytest.mark.usefixtures("trusted")
def test_two_loops_keep_apart(spied: Spied):
    """Each event loop, as each of several servers in one process has, tells its own requests."""
    first, second = (asyncio.run(ask(spied.engine, ROWS)) for _ in range(2))

    assert [each.predictions for each in first] == [each.predictions for each in second]


def test_regulars_are_answered_together_as_alone(
    ways: Ways,  # noqa: F811
    public_model: str,
    key: str,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
):
    """Through the whole app, forty at a time: one answer each, with its own id, count and record, as if it had come alone."""
    headers = {"x-api-key": key}
    ways.become_regular(public_model, **headers)
    sizes, run = [], turns.Company.run
    monkeypatch.setattr(turns.Company, "run", lambda company, rows: sizes.append(len(rows)) or run(company, rows))
    bodies = [orjson.dumps({**row, "width": 7}) for row in ROWS]

    async def ask_all() -> list[dict[str, object]]:
        return await asyncio.gather(*(ways.ask_here(app, public_model, body, key) for body in bodies))

    first = ways.client.portal.call(ask_all)
    again = [ways.ask(public_model, orjson.dumps({**row, "width": "7"}), **headers)[0].json() for row in ROWS]

    assert [each for each in first if "predictions" not in each] == []
    assert max(sizes) > 1
    assert [each["predictions"] for each in first] == [each["predictions"] for each in again]
    assert [each["warnings"] for each in first] == [each["warnings"] for each in again]
    assert len({each["id"] for each in first}) == len(ROWS)
    assert {each["id"] for each in first} <= {orjson.loads(record)["id"] for record in ways.records}


def test_quota_is_exact_in_company(
    ways: Ways,  # noqa: F811
    public_model: str,
    key: str,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
):
    """Of requests that wait for each other no more get through than the quota has left."""
    ways.become_regular(public_model, **{"x-api-key": key})
    ledger = limits.count_of("key")
    monkeypatch.setattr(ledger, "policy", ledger.policy._replace(quota=100))
    monkeypatch.setattr(ledger, "near", 0)
    (count,) = [each for each in ledger._counts.values() if each.new or each.shared]
    count.new, count.shared, count.due = 70, 0, 1000

    async def ask_all() -> list[dict[str, object]]:
        bodies = [orjson.dumps({**row, "width": 9}) for row in ROWS]
        return await asyncio.gather(*(ways.ask_here(app, public_model, body, key) for body in bodies))

    answers = ways.client.portal.call(ask_all)

    assert sum("predictions" in each for each in answers) == 30
    assert {each.get("status") for each in answers if "predictions" not in each} == {429}
