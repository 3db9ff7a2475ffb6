"""What a search ends in."""

import numpy as np
import pytest

from models.training.calibrate import calibrated_loss
from models.training.choice import BLEND, alone, choose, leaderboard
from models.training.holdout import make_folds
from models.training.objective import Objective
from models.training.rematch import Found
from models.training.trial import Trial

ROWS = 400
RANDOM = np.random.default_rng(0)
ANSWERS = RANDOM.normal(size=ROWS)
FOLDS = make_folds(ANSWERS, 5, classification=False, seed=0)
R2, LOG_LOSS = Objective("r2"), Objective("log_loss")


def trial(recipe, outputs, answers=ANSWERS, *, objective=R2, folds=FOLDS):
    losses = [objective.loss(answers[fold.check], outputs[fold.check]) for fold in folds]
    return Trial(recipe, {"size": 1}, losses, 1.0, complete=True, outputs=outputs[None])


def found(*trials, folds=FOLDS):
    return Found(list(trials), [one for one in trials if one.complete], np.arange(ROWS), folds)


def noisy(size, seed):
    return ANSWERS + size * np.random.default_rng(seed).normal(size=ROWS)


def test_errors_that_cancel_are_blended():
    """Two independent errors of one size: half each is better than either."""
    outcome = found(trial("linear", noisy(0.5, 1)), trial("random_forest", noisy(0.5, 2)))

    choice = choose(outcome, ANSWERS, R2)

    assert choice.recipe == BLEND
    assert {one.recipe: weight for weight, one in choice.members} == pytest.approx(
        {"linear": 0.5, "random_forest": 0.5}, abs=0.11
    )
    assert choice.loss < 0.7 * outcome.best.loss
    assert choice.parameters["linear.size"] == 1


def test_a_recipe_that_adds_nothing_is_not_blended():
    """A blend must earn its members' size."""
    good = noisy(0.3, 1)
    outcome = found(trial("hist_gradient_boosting", good), trial("random_forest", good + 0.001))

    assert choose(outcome, ANSWERS, R2).recipe != BLEND


def test_the_best_finalist_is_chosen():
    """Whatever its recipe: the folds that decide are not those of the search."""
    assert alone(found(trial("linear", noisy(0.9, 1)), trial("extra_trees", noisy(0.3, 2)))).recipe == "extra_trees"
    assert alone(found(trial("linear", noisy(0.3, 1)), trial("extra_trees", noisy(0.9, 2)))).recipe == "linear"


def test_the_choice_is_never_worse_than_a_finalist():
    """Whatever the finalists are: blended or not, the folds that decide speak for the choice."""
    for seed in range(40):
        random = np.random.default_rng(seed)
        recipes = random.permutation(["linear", "hist_gradient_boosting", "random_forest", "extra_trees"])
        shared = random.normal(size=ROWS) * random.random()
        outcome = found(
            *(trial(recipe, noisy(0.1 + random.random(), seed * 9 + n) + shared) for n, recipe in enumerate(recipes))
        )

        choice = choose(outcome, ANSWERS, R2)

        assert choice.loss <= min(one.loss for one in outcome.finalists)


def test_the_baseline_is_chosen_when_nothing_beats_it():
    """Even where the linear recipe is close."""
    outcome = found(trial("baseline", np.zeros(ROWS)), trial("linear", RANDOM.normal(size=ROWS) * 0.2))

    assert choose(outcome, ANSWERS, R2).recipe == "baseline"


def test_incomplete_trials_are_not_chosen():
    """A trial given up early has not been judged on all folds."""
    given_up = Trial("random_forest", {}, [0.0], 1.0)
    outcome = found(trial("linear", noisy(0.5, 1)), given_up)

    choice = choose(outcome, ANSWERS, R2)

    assert choice.recipe == "linear"
    assert "random_forest" not in {line.recipe for line in leaderboard(outcome, choice, choice.candidate(R2), R2)}


def test_the_leaderboard_lists_the_choice_once_and_first():
    """Its own trial is not listed again; the others follow, best first."""
    outcome = found(
        trial("baseline", np.zeros(ROWS)),
        trial("linear", noisy(0.9, 1)),
        trial("hist_gradient_boosting", noisy(0.1, 2)),
    )
    choice = choose(outcome, ANSWERS, R2)

    lines = leaderboard(outcome, choice, choice.candidate(R2), R2)

    assert [line.recipe for line in lines] == ["hist_gradient_boosting", "linear", "baseline"]
    assert [line.chosen for line in lines] == [True, False, False]


def _overconfident():
    codes = RANDOM.integers(0, 2, ROWS)
    logits = np.where(codes == 1, 0.5, -0.5) + RANDOM.normal(size=ROWS)
    return codes, logits


@pytest.mark.parametrize(("sharpness", "helps"), [(6.0, True), (1.0, False)])
def test_calibration_is_taken_only_where_it_helps(sharpness, helps):
    """Probabilities six times too sure are mended; honest ones are left alone."""
    codes, logits = _overconfident()
    folds = make_folds(codes, 5, classification=True, seed=0)
    positive = 1 / (1 + np.exp(-sharpness * logits))
    judged = trial("linear", np.column_stack([1 - positive, positive]), codes, objective=LOG_LOSS, folds=folds)
    judged.scores = (sharpness * logits)[None, :, None]
    choice = alone(found(judged, folds=folds))

    assert (calibrated_loss(choice, folds, codes, LOG_LOSS) is not None) == helps


@pytest.mark.parametrize(("judged_folds", "helps"), [(3, True), (1, False)])
def test_calibration_is_learned_from_the_folds_that_were_judged(judged_folds, helps):
    """Where time was short there are fewer, and from one alone nothing can be said of others."""
    codes, logits = _overconfident()
    folds = make_folds(codes, 5, classification=True, seed=0)[:judged_folds]
    positive = 1 / (1 + np.exp(-6.0 * logits))
    judged = trial("linear", np.column_stack([1 - positive, positive]), codes, objective=LOG_LOSS, folds=folds)
    scores = np.full(len(codes), np.nan)
    for fold in folds:
        scores[fold.check] = 6.0 * logits[fold.check]
    judged.scores = scores[None, :, None]

    assert (calibrated_loss(alone(found(judged, folds=folds)), folds, codes, LOG_LOSS) is not None) == helps


def test_one_fold_of_a_large_table_can_choose_a_blend():
    """There is no telling how the gain varies; it must be a percent all the same."""
    folds = make_folds(ANSWERS, 3, classification=False, seed=0)[:1]
    ups = [
        trial(recipe, ANSWERS + sign * 0.5, ANSWERS, folds=folds)
        for recipe, sign in (("linear", 1), ("extra_trees", -1))
    ]

    assert choose(found(*ups, folds=folds), ANSWERS, R2).recipe == "blend"


def test_folds_never_lack_a_class():
    """A class of two rows is in every fold's training part."""
    codes = np.array([0] * 50 + [1] * 2 + [2] * 7)

    for seed in range(20):
        for fold in make_folds(codes, 5, classification=True, seed=seed):
            assert set(codes[fold.fit]) == {0, 1, 2}
            assert not set(fold.fit) & set(fold.check)
