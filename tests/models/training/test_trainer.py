"""From a table to a certified version."""

import hashlib
import json
import time
import warnings

import numpy as np
import pytest

from models.errors import DatasetRejected, ExportRefused, TrainingStopped
from models.runtime import OnnxModel
from models.training import TrainOptions, train
from models.training import trainer as trainer_module
from models.training.choice import Choice
from models.training.recipes import RECIPES
from tests.models.samples import trained
from tests.models.tables import mixed, table

STAGES = ["profile", "search", "refit", "export", "parity", "evaluate"]


def options(**changes):
    return TrainOptions(**{"target": "y", "name": "made", "time_budget_seconds": 0.5, **changes})


def small(rows=80, **columns):
    random = np.random.default_rng(0)
    x = random.normal(size=rows).round(3)
    made = {"x": x, "z": random.normal(size=rows).round(3), "y": ["b" if one > 0 else "a" for one in x]}
    return table({**made, **columns})


@pytest.fixture(scope="module")
def events():
    told = []
    train(table(mixed(400)), options(time_budget_seconds=1), told.append)
    return told


def test_progress_never_goes_back_and_ends_at_one(events):
    """A bar that is drawn from the events moves one way."""
    progress = [event["progress"] for event in events]

    assert progress == sorted(progress)
    assert progress[0] == 0
    assert progress[-1] == 1
    assert all(event["kind"] in {"stage", "profiled", "look", "trial", "finished", "tick"} for event in events)


def test_events_are_json(events):
    """They go into a database and over a wire."""
    json.dumps(events, allow_nan=False)


def test_stages_come_in_order(events):
    """Profile, search, refit, export, parity, evaluate; on a small table then once more with all rows."""
    stages = [event["stage"] for event in events if event["kind"] == "stage"]

    assert [stage for stage in stages if stage != "calibrate"] == [*STAGES, "refit_all", "export", "parity"]


def test_plain_recipes_come_first(events):
    """A look at everything that a plain user would try, then the baseline and the best of these on all folds."""
    kinds = [event["kind"] for event in events if event["kind"] in {"look", "trial"}]
    looks = [event for event in events if event["kind"] == "look"]
    trials = [event for event in events if event["kind"] == "trial"]

    assert kinds == ["look"] * len(looks) + ["trial"] * len(trials)
    assert {look["recipe"] for look in looks} == set(RECIPES)
    assert trials[0]["recipe"] == "baseline"
    assert trials[1]["recipe"] == min(looks, key=lambda look: look["score"])["recipe"]
    assert [trial["trial"] for trial in trials] == list(range(1, len(trials) + 1))
    assert all({"score", "best", "elapsed_seconds", "remaining_seconds"} <= set(trial) for trial in trials)


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_card_is_complete(task):
    """Everything a form, an answer and a judgement need."""
    made = trained(task)
    card = made.card

    assert card.task == task
    assert card.digest == hashlib.sha256(made.model).hexdigest()
    assert card.size_bytes == len(made.model)
    assert [feature.name for feature in card.features] == list(mixed(1))[:-1]
    assert card.parity.passed
    assert card.evaluation.rows == 120
    assert [metric.primary for metric in card.evaluation.metrics].count(True) == 1
    assert all(metric.low <= metric.value <= metric.high for metric in card.evaluation.metrics)
    assert card.evaluation.leaderboard[0].chosen
    assert [line.chosen for line in card.evaluation.leaderboard].count(True) == 1
    assert "baseline" in {line.recipe for line in card.evaluation.leaderboard}
    assert {one.feature for one in card.evaluation.importance} == {feature.name for feature in card.features}
    assert 0 < len(card.examples) <= 6
    assert len(card.background) == 50
    assert card.dataset.rows == 600
    assert "scikit-learn" in card.libraries
    assert bool(card.interval) == (task == "regression")
    assert sum(map(sum, card.evaluation.confusion)) == (0 if task == "regression" else 120)


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_model_beats_the_baseline(task):
    """The mixed table has a rule in it; the served file has found it."""
    card = trained(task).card

    for metric, baseline in zip(card.evaluation.metrics, card.evaluation.baseline, strict=True):
        better = metric.value - baseline.value
        assert (better if metric.better == "higher" else -better) > 0, metric.name


def test_features_describe_the_training_rows():
    """Kinds, ranges, shares and defaults as the mixed table has them."""
    features = {feature.name: feature for feature in trained().card.features}

    assert features["timestamp"].kind == "integer"
    assert features["member"].kind == "boolean"
    assert features["member"].default in {True, False}
    assert features["city"].categories[0].value == "Oslo"
    assert 0.3 < features["city"].categories[0].share < 0.5
    assert features["zone"].kind == "category"
    assert features["plan"].required
    assert not features["age"].required
    assert 0 < features["age"].missing_share < 0.15
    assert features["age"].quantiles == sorted(features["age"].quantiles)
    assert sum(features["load"].histogram) == 600
    assert isinstance(features["visits"].default, int)
    assert [feature.position for feature in trained().card.features] == [0, 1, 2, 3, 4, 5, 0, 1, 2, 3]


def test_the_held_out_part_is_not_learned_from():
    """A target of pure noise: whatever the search does, held-out scores must not look good."""
    random = np.random.default_rng(1)
    noise = {f"x{index}": random.normal(size=300).round(3) for index in range(5)}

    made = train(table({**noise, "y": random.choice(["a", "b"], 300)}), options(time_budget_seconds=1))

    accuracy = next(metric for metric in made.card.evaluation.metrics if metric.name == "accuracy")
    assert accuracy.low < 0.6
    assert any("not clearly better" in warning for warning in made.card.warnings)


def test_interval_covers_as_promised():
    """Nine rows in ten of the held-out part, give or take the noise of 120 rows."""
    interval = trained("regression").card.interval

    assert interval.coverage == 0.9
    assert 0.82 <= interval.measured <= 0.98
    assert interval.half_width < 2500  # the target spreads over a thousand or so around a million


def test_a_stop_is_honoured_at_every_event():
    """Whenever the wish to stop comes, training ends with TrainingStopped soon after."""
    for stop_after in range(8):
        told = []

        with pytest.raises(TrainingStopped, match="nothing was written"):
            train(small(), options(), told.append, lambda told=told, n=stop_after: len(told) > n)

        assert len(told) <= stop_after + 1


def test_a_broken_export_is_refused(monkeypatch):
    """The exporter's output is tampered with: train ends in ExportRefused, whatever attempt it makes."""
    honest = trainer_module.export

    def tampered(blend, plan, *, center, spread):
        return honest(blend, plan, center=center + 1, spread=spread)

    monkeypatch.setattr(trainer_module, "export", tampered)

    with pytest.raises(ExportRefused, match=r"differs from scikit-learn by .* worst on this row"):
        train(table(mixed(200, task="regression")), options())


def test_what_fails_the_gate_gives_way_to_what_passes(monkeypatch):
    """A blend that does not certify is replaced by the best trial alone, and the card says so."""
    honest = trainer_module.certify

    def halves(found, *_):
        best, other = sorted(found.finalists, key=lambda trial: trial.loss)[:2]
        return Choice([(0.5, best), (0.5, other)], best.losses, best.outputs)

    def picky(blend, *rest):
        if len(blend.members) > 1:
            raise ExportRefused("a blend differs")
        return honest(blend, *rest)

    monkeypatch.setattr(trainer_module, "certify", picky)
    monkeypatch.setattr(trainer_module, "choose", halves)

    card = train(small(), options()).card

    assert card.recipe != "blend"
    assert "a blend differs" in card.warnings


def test_time_budget_is_kept():
    """A budget of two seconds ends in a few, certificate included."""
    started = time.monotonic()

    train(table(mixed(400)), options(time_budget_seconds=2))

    assert time.monotonic() - started < 20  # generous: the machine may be busy


def test_the_same_seed_splits_the_same_rows():
    """Held-out rows, and so examples and baseline, follow from the seed."""
    first, second = (train(small(), options(seed=3)).card for _ in range(2))

    assert first.examples == second.examples
    assert first.evaluation.baseline == second.evaluation.baseline


def test_callers_warnings_are_left_as_they_were():
    """Training silences what it must for itself only."""
    before = list(warnings.filters)

    train(small(), options())

    assert warnings.filters == before


CASES = {
    "one number": {"z": None},
    "one category": {"x": None, "z": ["a", "b", "c", ""] * 20},
    "truth value": {"x": ["true", "false"] * 40},
    "class of two rows": {"y": ["a"] * 40 + ["b"] * 38 + ["c"] * 2},
    "class of three rows": {"y": ["a"] * 40 + ["b"] * 37 + ["c"] * 3},
    "missing almost everywhere": {"x": ["1", "2"] + [""] * 78},
    "category missing almost everywhere": {"x": ["u", "v"] + [""] * 78},
    "target missing here and there": {"y": ["a", "b", ""] * 26 + ["a", "b"]},
    "numbers of huge size": {"x": [f"{index % 7}e30" for index in range(80)]},
    "numbers of tiny size": {"x": [f"{index % 7}e-30" for index in range(80)]},
    "a huge target": {"y": [1e15 + index * 1e9 + 0.5 for index in range(80)]},
    "a tiny target": {"y": [index * 1e-12 for index in range(80)]},
    "a target with one outlier": {"y": [*[1.5] * 79, 1000.0]},
    "classes that are numbers": {"y": [3, 1, 2, 10] * 20},
    "classes that are truth values": {"y": ["True", "False"] * 40},
    "classes with odd names": {"y": ["=1+1", "ü ber", '"q"', "a,b"] * 20},
    "columns with odd names": {"a/b ~c": list(range(40)) * 2, "ü, x": [0.5, 1.5] * 40, "def": ["a", "b"] * 40},
    "text that is hard to store": {"t": ["𝄞", "a\tb", "x" * 500, "\u202e"] * 20},
    "a category of one known value and gaps": {"t": (["a"] * 3 + [""]) * 20, "u": ["p", "q"] * 40},
}


@pytest.mark.parametrize("case", CASES)
def test_unusual_tables_end_in_a_certified_model(case):
    """Each trains, certifies, opens and answers its own examples."""
    random = np.random.default_rng(0)
    columns = {"x": random.normal(size=80).round(3), "z": random.normal(size=80).round(3), "y": ["a", "b"] * 40}
    columns |= CASES[case]
    columns = {name: cells for name, cells in columns.items() if cells is not None}

    made = train(table(columns), options())

    answers = OnnxModel.open(made.model, made.card).predict(made.card.examples)
    json.dumps(answers, allow_nan=False)
    assert len(answers) == len(made.card.examples) > 0


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"target": "why"}, "no column named 'why'"),
        ({"drop": ("zz",)}, "no column named 'zz' to leave out"),
        ({"drop": ("x", "z")}, "no column is left"),
        ({"task": "regression"}, "a regression needs numbers"),
    ],
    ids=str,
)
def test_impossible_wishes_are_refused(changes, reason):
    """Before anything is trained."""
    with pytest.raises(DatasetRejected, match=reason):
        train(small(), options(**changes))


def test_dropped_columns_may_still_be_sent():
    """A row may carry what the model does not read."""
    made = train(small(), options(drop=("z",)))

    model = OnnxModel.open(made.model, made.card)

    assert made.card.ignored_columns == ["z"]
    assert model.predict([{"x": 1, "z": 5, "y": "a"}]) == model.predict([{"x": 1}])


def test_a_small_table_is_learned_from_whole_and_says_so():
    """The scores are those of a twin; the served file has seen all rows, and both are certified."""
    card = trained().card

    assert card.evaluation.refitted
    assert card.evaluation.rows == 120
    assert sum(next(feature for feature in card.features if feature.name == "load").histogram) == 600


def test_the_judged_file_is_served_where_the_second_fit_differs(monkeypatch):
    """A second file that does not certify is not served; the first is."""
    honest, seen = trainer_module.certify, []

    def picky(blend, model, content, data, seed):
        seen.append(len(data.train))
        if len(seen) > 1:
            raise ExportRefused("differs")
        return honest(blend, model, content, data, seed)

    monkeypatch.setattr(trainer_module, "certify", picky)

    card = train(small(), options()).card

    assert seen == [64, 80]
    assert not card.evaluation.refitted


def test_a_long_silence_is_broken_every_second(monkeypatch):
    """Whoever watches sees that the run lives, and how long it may take."""
    monkeypatch.setattr("models.training.progress.TICK_SECONDS", 0.02)
    told = []

    train(table(mixed(300)), options(time_budget_seconds=2), told.append)

    ticks = [event for event in told if event["kind"] == "tick"]
    assert len(ticks) > 3
    assert all({"remaining_seconds", "elapsed_seconds", "progress"} <= set(tick) for tick in ticks)
    assert ticks[-1]["best_recipe"]
