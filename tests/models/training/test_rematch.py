"""The finalists of a search meet on fresh folds, and what a library gives without any option is among them."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from models.training import TrainOptions, train
from models.training.choice import choose
from models.training.holdout import Holdout, read_division
from models.training.objective import Objective
from models.training.recipes import DEFAULTS, RECIPES
from models.training.rematch import Rematch, finalists
from models.training.trial import Judge, Trial, in_place
from tests.models.tables import table
from tests.models.training.fits import understood_table

NOISE = 10
OVERFITTED = {"strength": 1e4}


def linear_table(rows=70):
    """Write one column that tells the class and many that do not: the more freely a model learns, the worse."""
    random = np.random.default_rng(4)
    x = random.normal(size=rows)
    noise = {f"n{place}": random.normal(size=rows).round(3) for place in range(NOISE)}
    return table({"x": x.round(3), **noise, "y": ["b" if one > 0 else "a" for one in 2 * x + random.normal(size=rows)]})


class Bench:
    """Judges trials on that table for real."""

    def __init__(self, pool):
        fits = understood_table(linear_table())
        self.data, self.rows = fits.data, fits.data.train
        self.objective = Objective("log_loss")
        self.folds = self.data.folds(self.rows, 5, 0)
        self._judge = Judge(self.data, self.rows, fits.plan, self.objective, pool)

    def judge(self, one, folds):
        return self._judge.judge(one.recipe, one.parameters, folds, 1, lambda _: False)

    def tried(self, recipe="linear", *, plain, **parameters):
        made = Trial(recipe, parameters, plain=plain, complete=True, seconds=1.0)
        judged = self.judge(made, self.folds)
        made.losses = [one.loss for one in judged]
        made.outputs = in_place(self.folds, (one.outputs for one in judged), len(self.rows))
        return made

    def rematch(self, again=None):
        return Rematch(self.data, self.rows, self.folds, 0, again or self.judge)


@pytest.fixture(scope="module")
def bench():
    with ThreadPoolExecutor(1, initializer=threadpool_limits, initargs=(1,)) as pool:
        yield Bench(pool)


def trial(recipe="linear", loss=1.0, seconds=1.0, *, plain=False, **parameters):
    return Trial(recipe, parameters, [loss] * 5, seconds, complete=True, plain=plain)


def test_what_only_looked_good_loses_to_the_plain_default(bench):
    """A tuned trial that was lucky in the search meets the plain one on folds that nobody has seen."""
    plain, lucky = bench.tried(plain=True, **DEFAULTS["linear"]), bench.tried(plain=False, **OVERFITTED)
    lucky.losses = [0.0] * 5

    found = bench.rematch().play([plain, lucky], lambda: 1000.0)
    choice = choose(found, bench.data.answers(found.rows), bench.objective)

    assert len(found.folds) == 4 * len(bench.folds)
    fresh = {fold.check.tobytes() for fold in found.folds}
    assert len(fresh) == len(found.folds)
    assert fresh.isdisjoint(fold.check.tobytes() for fold in bench.folds)
    assert {one.parameters["strength"] for one in found.finalists} == {1.0, 1e4}
    assert (choice.recipe, choice.parameters) == ("linear", DEFAULTS["linear"])


def test_a_search_that_finds_only_worse_ends_in_the_plain_default(monkeypatch):
    """Through the front door: every tuned trial overfits, and what is served is what a library gives by itself."""
    monkeypatch.setattr("models.training.search.suggest", lambda *_: dict(OVERFITTED))
    monkeypatch.setattr("models.training.search.plain_forms", lambda _: [("linear", dict(DEFAULTS["linear"]))])
    monkeypatch.setattr("models.training.search.starts", lambda *_: [])

    card = train(linear_table(), TrainOptions(target="y", name="plain", time_budget_seconds=1.5)).card

    assert {line.recipe for line in card.evaluation.leaderboard} == {"linear", "baseline"}
    assert {k: v for k, v in card.parameters.items() if k != "calibration"} == DEFAULTS["linear"]


def test_plain_ones_are_finalists_and_so_are_tuned_ones_that_beat_them():
    """A tuned trial behind its own plain form, and what is far behind the best, need no second look."""
    plain = [trial(recipe, loss, plain=True) for recipe, loss in zip(RECIPES, (1.0, 1.1, 1.2, 1.4), strict=True)]
    tuned = [trial("linear", loss, strength=loss) for loss in (0.97, 0.99, 0.98, 1.01)]
    given_up = Trial("linear", {}, [0.1])

    chosen = finalists([*plain, *tuned, given_up])

    assert [one for one in plain if one in chosen] == plain[:3]
    assert [one for one in chosen if not one.plain] == [tuned[0], tuned[2]]


def test_little_time_costs_the_worst_tuned_ones_their_second_chance(bench):
    """The plain ones and the best stay; there is time for one round of three."""
    plain, other = bench.tried(plain=True, **DEFAULTS["linear"]), bench.tried(plain=True, strength=1.1)
    best, second = bench.tried(plain=False, strength=0.9), bench.tried(plain=False, strength=0.8)
    best.losses, second.losses = [loss * 0.8 for loss in plain.losses], [loss * 0.9 for loss in plain.losses]
    met = []

    def again(one, folds):
        met.append(one)
        return bench.judge(one, folds)

    found = bench.rematch(again).play([plain, other, second, best], lambda: 3.5 - len(met))

    assert met == [plain, other, best]
    assert len(found.finalists) == 3
    assert len(found.folds) == len(bench.folds)


def test_no_round_is_played_without_the_plain_ones(bench):
    """Then the folds of the search decide, and nobody is judged again."""
    slow = bench.tried(plain=True, **DEFAULTS["linear"])
    slow.seconds = 60.0
    never = bench.rematch(lambda *_: pytest.fail("judged again"))

    found = never.play([slow], lambda: 10.0)

    assert (found.finalists, found.folds) == ([slow], bench.folds)
    assert never.reserve([slow], 100.0, 10.0) == 0.0


def test_time_is_kept_for_the_rounds(bench):
    """As many as there may be, within a share of the time; at least one where half of it is enough for that."""
    rematch = bench.rematch()

    assert rematch.reserve([trial(plain=True, seconds=1.0)], 100.0, 0.0) == 4.0
    assert rematch.reserve([trial(plain=True, seconds=20.0)], 100.0, 0.0) == 35.0
    assert rematch.reserve([trial(plain=True, seconds=45.0)], 100.0, 0.0) == 45.0
    assert rematch.reserve([trial(plain=True, seconds=45.0)], 100.0, 60.0) == 0.0
    assert rematch.reserve([], 100.0, 0.0) == 0.0


@pytest.mark.parametrize("by", ["time", "group"])
def test_rows_with_an_order_or_groups_have_no_other_folds(by):
    """There is one way to part them, so the search's folds decide."""
    columns = {"when": [str(n) for n in range(60)], "x": [n % 7 for n in range(60)], "y": ["a", "b", "b"] * 20}
    made = table({**columns, "when": columns["when"] if by == "time" else [f"g{n % 9}" for n in range(60)]})
    options = TrainOptions(target="y", name="t", holdout=Holdout(by, "when"))
    division = read_division(made.columns, options, np.ones(60, dtype=bool))
    data = understood_table(made).data
    object.__setattr__(data, "division", division)

    assert Rematch(data, data.train, [], 0, lambda *_: []).rounds == 0
