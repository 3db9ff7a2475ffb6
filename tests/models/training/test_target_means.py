"""Wide categories before trees are read as what they mean for the answer; no row is told its own."""

import numpy as np
import pytest

from models.training.parity import certify
from models.training.recipes import BOOSTING, TARGET_MEANS, plain_forms
from models.training.target_means import TargetMeans
from tests.models.tables import table
from tests.models.training.fits import understood_table


def texts(*columns):
    return np.column_stack([np.array(column, dtype=object) for column in columns])


def wide(task, rows=900):
    """Write forty shops that matter, three kinds that do, and a number."""
    random = np.random.default_rng(7)
    shop, kind, x = random.integers(0, 40, rows), random.integers(0, 3, rows), random.normal(size=rows).round(3)
    score = random.normal(size=40)[shop] + kind + x
    names = {"binary": ["no", "yes"], "multiclass": ["low", "middle", "high"]}
    if task == "regression":
        answers = score.round(4)
    else:
        bounds = np.quantile(score, np.linspace(0, 1, len(names[task]) + 1)[1:-1])
        answers = [names[task][code] for code in np.digitize(score, bounds)]
    shops = ["" if one == 1 else f"shop {one} ✓" for one in shop]  # one of them has no name
    return table({"x": x, "shop": shops, "kind": [f"k{one}" for one in kind], "y": answers})


@pytest.mark.parametrize("recipe", [BOOSTING, "random_forest"])
@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_the_file_looks_up_what_was_learned(task, recipe):
    """Held-out, missing, unseen, extreme and threshold rows, through the server's runtime and the browser's."""
    fits = understood_table(wide(task))
    blend = fits.fitted((1.0, fits.pipeline(recipe, target_means=True)))
    content = fits.exported(blend)

    certificate = certify(blend, fits.opened(content), content, fits.data, 0)

    assert certificate.passed
    assert "unseen" in {kind.kind for kind in certificate.kinds}
    steps = dict(blend.members[0][1][0].named_transformers_)
    assert steps["wide"].transform(texts(["nobody"])).shape == (1, 3 if task == "multiclass" else 1)


def test_it_is_a_form_that_is_always_tried_where_a_category_is_wide():
    """Forty values are wide; three are not, as trees must be able to tell them apart."""
    plan = understood_table(wide("binary")).plan

    assert (BOOSTING, True) in [(recipe, parameters.get(TARGET_MEANS)) for recipe, parameters in plain_forms(plan)]
    narrow = type(plan)(plan.numeric, (("a", "b", "c"),), plan.classes)
    assert not any(TARGET_MEANS in parameters for _, parameters in plain_forms(narrow))


def test_no_row_sees_its_own_answer():
    """With an own value in every row there is nothing to learn, whatever the answers are."""
    answers = np.random.default_rng(0).integers(0, 2, 200)
    means = TargetMeans()

    learned = means.fit_transform(texts([f"v{one}" for one in range(200)]), answers)

    assert abs(np.corrcoef(learned[:, 0], answers)[0, 1]) < 0.2
    assert np.ptp(learned) < 0.05


def test_what_is_not_known_is_read_as_the_rare_ones_together():
    """And as the mean of all where nothing is rare."""
    column, answers = ["a"] * 50 + ["b"] * 50 + ["r1", "r2"] * 10, [0.0] * 50 + [1.0] * 50 + [5.0] * 20

    known = TargetMeans([["a", "b"]], amounts=True).fit(texts(column), np.array(answers))
    every = TargetMeans([["a", "b", "r1", "r2"]], amounts=True).fit(texts(column), np.array(answers))

    assert known.transform(texts(["r1", "new"])).ravel().tolist() == pytest.approx([5.0, 5.0], abs=0.3)
    assert every.transform(texts(["new"])).ravel().tolist() == pytest.approx([np.mean(answers)], abs=1e-6)
