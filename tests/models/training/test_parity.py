"""The gate: every allowed construct passes it, and every way of answering differently is caught."""

import copy

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OrdinalEncoder, StandardScaler

from models.errors import ExportRefused
from models.training import parity
from models.training.awkward import MAX_AWKWARD_ROWS, batches, thresholds
from models.training.calibrate import CALIBRATED, with_calibration
from models.training.holdout import make_folds
from models.training.parity import TOLERANCE, as_rows, certify
from models.training.recipes import BASELINE, RECIPES
from tests.models.tables import table
from tests.models.training.fits import understood, understood_table

TASKS = ["binary", "multiclass", "regression"]


def certified(fits, blend):
    content = fits.exported(blend)
    return certify(blend, fits.opened(content), content, fits.data, 0)


@pytest.mark.parametrize("recipe", [BASELINE, *RECIPES])
@pytest.mark.parametrize("task", TASKS)
def test_every_recipe_passes(task, recipe):
    """Held-out, missing, unseen, extreme and threshold rows: labels equal, within the tolerance."""
    fits = understood(task)

    certificate = certified(fits, fits.fitted((1.0, fits.pipeline(recipe))))

    assert certificate.passed
    assert certificate.max_error <= TOLERANCE
    assert [kind.kind for kind in certificate.kinds] == ["held_out", "missing", "unseen", "extreme", "threshold"]
    assert certificate.rows == sum(kind.rows for kind in certificate.kinds) >= 4 * MAX_AWKWARD_ROWS


@pytest.mark.parametrize("recipe", ["hist_gradient_boosting", "random_forest", "extra_trees"])
@pytest.mark.parametrize("task", ["multiclass", "regression"])
def test_one_hot_encoding_before_trees_passes(task, recipe):
    """The other encoder of the search."""
    fits = understood(task)

    assert certified(fits, fits.fitted((1.0, fits.pipeline(recipe, one_hot=True)))).passed


def test_a_category_of_too_many_values_keeps_its_codes_before_trees():
    """The narrower ones get a column per value while there are few enough columns; both encoders stand in one file."""
    random = np.random.default_rng(0)
    texts = {f"t{size}": [f"v{n}" for n in random.integers(0, size, 3000)] for size in (4, 200, 250)}
    fits = understood_table(table({**texts, "y": ["yes" if one == "v1" else "no" for one in texts["t4"]]}))

    blend = fits.fitted((1.0, fits.pipeline("random_forest", one_hot=True)))

    columns = blend.members[0][1][0].transform(fits.data.inputs(fits.data.held_out))
    assert columns.shape[1] == 4 + 200 + 1
    assert certified(fits, blend).passed


@pytest.mark.parametrize("recipe", sorted(CALIBRATED))
@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_calibrated_recipes_pass(task, recipe):
    """The sigmoid is exact behind every recipe that is calibrated."""
    fits = understood(task)
    folds = make_folds(fits.data.answers(fits.data.train), 3, classification=True, seed=0)

    assert certified(fits, fits.fitted((1.0, with_calibration(fits.pipeline(recipe), folds)))).passed


@pytest.mark.parametrize("task", TASKS)
def test_blends_pass(task):
    """A weighted mean of recipes is one file."""
    fits = understood(task)
    blend = fits.fitted((0.6, fits.pipeline("linear")), (0.4, fits.pipeline("hist_gradient_boosting")))

    assert certified(fits, blend).passed


@pytest.mark.parametrize("recipe", ["linear", "hist_gradient_boosting", "random_forest"])
def test_numbers_alone_and_texts_alone_pass(recipe):
    """A file reads one tensor when there is nothing for the other."""
    random = np.random.default_rng(0)
    number = random.normal(size=300).round(3)
    text = random.choice(["a", "b", "c", ""], 300)
    answers = ["yes" if one > 0 else "no" for one in number + (text == "b")]

    for columns in ({"x": number, "z": number[::-1].round(1)}, {"t": text, "u": text[::-1]}):
        fits = understood_table(table({**columns, "y": answers}))
        assert certified(fits, fits.fitted((1.0, fits.pipeline(recipe)))).passed


def test_large_means_and_large_targets_pass():
    """Times in seconds as a feature and amounts of a billion as a target: float32 alone would lose their digits."""
    random = np.random.default_rng(0)
    moment = 1.7e9 + random.integers(0, 10_000, 400) * 100
    fits = understood_table(
        table({"moment": moment.astype(int), "x": random.normal(size=400), "y": (2e9 + moment / 1e5).round(6)})
    )

    for recipe in RECIPES:
        assert certified(fits, fits.fitted((1.0, fits.pipeline(recipe)))).max_error < TOLERANCE


def test_thresholds_are_those_of_the_file():
    """Values on a split and next to it are tried; without trees the quantiles stand in."""
    fits = understood("binary")
    boosted = fits.fitted((1.0, fits.pipeline("hist_gradient_boosting")))
    content = fits.exported(boosted)
    splits = [set(values.tolist()) for values in thresholds(fits.data, content)]

    batch = next(batch for batch in batches(fits.data, content, 0) if batch.kind == "threshold")

    column = batch.numeric[:, 1]
    on_split = np.isin(column, list(splits[1]))
    next_to = np.isin(np.nextafter(column, np.float32(np.inf)), list(splits[1]))
    assert on_split.sum() > 20
    assert (next_to & ~on_split).sum() > 20
    linear = fits.exported(fits.fitted((1.0, fits.pipeline("linear"))))
    assert all(len(values) > 1 for values in thresholds(fits.data, linear))


def test_awkward_rows_could_be_sent_by_a_caller():
    """Every row of the certificate is admissible: whole numbers whole, truth values true or false."""
    fits = understood("binary")
    content = fits.exported(fits.fitted((1.0, fits.pipeline("hist_gradient_boosting"))))
    model = fits.opened(content)

    for batch in batches(fits.data, content, 0):
        encoded = model.encode(as_rows(batch, fits.data))
        assert np.array_equal(encoded.numeric, batch.numeric, equal_nan=True)
        assert encoded.text.tolist() == batch.text.tolist()


def test_thresholds_rounded_to_the_nearest_are_caught(monkeypatch):
    """What the converter does by itself: rows next to a threshold fall to the other side."""
    fits = understood("binary")
    blend = fits.fitted((1.0, fits.pipeline("hist_gradient_boosting")))
    monkeypatch.setattr("models.training.export._with_float32_thresholds", copy.deepcopy)

    with pytest.raises(ExportRefused, match=r"HistGradientBoostingClassifier differs from scikit-learn.*'threshold'"):
        certified(fits, blend)


def _with_leaf_moved(content: bytes) -> bytes:
    """Change one leaf of the last tree by a little."""
    model = onnx.load_from_string(content)
    tree = next(node for node in model.graph.node if node.op_type == "TreeEnsembleClassifier")
    weights = next(attribute for attribute in tree.attribute if attribute.name == "class_weights")
    weights.floats[len(weights.floats) // 2] += 0.01
    return model.SerializeToString()


def test_one_changed_leaf_is_caught():
    """A single leaf among thousands, moved by a hundredth."""
    fits = understood("binary")
    blend = fits.fitted((1.0, fits.pipeline("hist_gradient_boosting")))
    broken = _with_leaf_moved(fits.exported(blend))

    with pytest.raises(ExportRefused, match="differs from scikit-learn by"):
        certify(blend, fits.opened(broken), broken, fits.data, 0)


def test_changed_constants_of_a_linear_model_are_caught():
    """A coefficient in float32 instead of float64 passes no more than a wrong one, when it matters."""
    fits = understood("regression")
    blend = fits.fitted((1.0, fits.pipeline("linear")))
    model = onnx.load_from_string(fits.exported(blend))
    coefficients = max(model.graph.initializer, key=lambda one: len(numpy_helper.to_array(one).ravel()))
    changed = numpy_helper.to_array(coefficients) * 1.0001
    coefficients.CopyFrom(numpy_helper.from_array(changed, coefficients.name))
    broken = model.SerializeToString()

    with pytest.raises(ExportRefused):
        certify(blend, fits.opened(broken), broken, fits.data, 0)


def test_a_scaler_in_front_of_trees_is_caught():
    """A known bad construct: scaling in float32 moves values across thresholds."""
    fits = understood("binary")
    numeric = list(range(fits.plan.numeric))
    text = list(range(fits.plan.numeric, fits.plan.numeric + len(fits.plan.categories)))
    scaled = Pipeline([("impute", SimpleImputer()), ("scale", StandardScaler())])
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, dtype=np.float32)
    columns = ColumnTransformer([("numbers", scaled, numeric), ("texts", codes, text)])
    pipeline = Pipeline([("columns", columns), ("model", RandomForestClassifier(60, random_state=0))])

    with pytest.raises(ExportRefused, match="RandomForestClassifier differs"):
        certified(fits, fits.fitted((1.0, pipeline)))


def test_a_construct_without_a_converter_is_refused():
    """Native categories in boosting, or an estimator that the converter does not know."""
    fits = understood("binary")
    categories = Pipeline([*fits.pipeline("hist_gradient_boosting").steps[:-1], ("model", _Unknown())])

    with pytest.raises(ExportRefused, match="_Unknown cannot be written as ONNX"):
        certified(fits, fits.fitted((1.0, categories)))


class _Unknown(HistGradientBoostingClassifier):
    """Nothing the converter has heard of."""


def test_changed_labels_are_counted(monkeypatch):
    """Swapped classes: every label flips, and the message says so."""
    fits = understood("binary")
    blend = fits.fitted((1.0, fits.pipeline("linear")))
    content = fits.exported(blend)
    model = fits.opened(content)
    honest = model.run
    monkeypatch.setattr(model, "run", lambda encoded: honest(encoded)[:, ::-1])

    with pytest.raises(ExportRefused, match=r"[1-9]\d* changed labels; worst on this row of kind"):
        certify(blend, model, content, fits.data, 0)


def test_not_a_number_is_caught(monkeypatch):
    """NaN compares as neither near nor far: it must count as far."""
    fits = understood("binary")
    blend = fits.fitted((1.0, fits.pipeline("linear")))
    content = fits.exported(blend)
    model = fits.opened(content)
    honest = model.run

    def spoiled(encoded):
        output = honest(encoded)
        output[0] = np.nan
        return output

    monkeypatch.setattr(model, "run", spoiled)

    with pytest.raises(ExportRefused):
        certify(blend, model, content, fits.data, 0)


def test_the_certificate_names_its_engines_and_its_worst_row():
    """A reader can repeat it."""
    fits = understood("regression")

    certificate = certified(fits, fits.fitted((1.0, fits.pipeline("hist_gradient_boosting"))))

    assert [engine.split()[0] for engine in certificate.engines] == ["scikit-learn", "onnxruntime"]
    assert set(certificate.worst_row) == {column.name for column in fits.profile.columns}
    assert parity.TOLERANCE == certificate.tolerance == 1e-5
