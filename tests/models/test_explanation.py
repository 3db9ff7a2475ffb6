"""Explanations of real ONNX models: equal to the definition, and what a caller can rely on."""

import json
from itertools import combinations
from math import comb, nan

import numpy as np
import pytest

from models.errors import ExplanationRefused, InvalidRows
from models.explanation import MAX_MODEL_ROWS, explain, shown_number
from models.runtime import OnnxModel
from tests.models.fitted import CLASSES, ESTIMATORS, fit


@pytest.fixture(scope="module", params=ESTIMATORS)
def model(request) -> OnnxModel:
    return fit(request.param)


def answer(model: OnnxModel, rows, label: str | None) -> float:
    predictions = model.predict(rows)
    return float(np.mean([each["probabilities"][label] if label else each["value"] for each in predictions]))


def brute_force(model: OnnxModel, row, label: str | None) -> dict[str, float]:
    """Compute Shapley values from their definition, asking the model for rows by name as any caller would."""
    names = [feature.name for feature in model.card.features]

    def worth(coalition) -> float:
        moved = {name: row[name] for name in coalition}
        return answer(model, [reference | moved for reference in model.card.background], label)

    return {
        name: sum(
            (worth([*coalition, name]) - worth(coalition)) / (len(names) * comb(len(names) - 1, size))
            for size in range(len(names))
            for coalition in combinations([other for other in names if other != name], size)
        )
        for name in names
    }


def by_feature(explanation) -> dict[str, float]:
    return {each["feature"]: each["contribution"] for each in explanation["contributions"]}


@pytest.mark.parametrize(
    "row",
    [
        {"n0": 0.5, "n1": 2, "n2": -1.0, "c0": "Dream"},
        {"n0": None, "n1": -1, "n2": 0.25, "c0": None},
        {"n0": 3.5, "n1": 7, "n2": 12.0, "c0": "Atlantis"},
    ],
    ids=["ordinary", "missing", "unseen"],
)
def test_contributions_equal_the_definition(model: OnnxModel, row):
    """Shapley values from the definition, for known, missing and unseen values alike."""
    explanation = explain(model, model.encode([row]))[0]

    expected = brute_force(model, row, explanation.get("label"))
    scale = max(1, abs(explanation["output"]))
    assert explanation["method"] == "exact"
    assert by_feature(explanation) == pytest.approx(expected, abs=3e-6 * scale)
    assert explanation["baseline"] == pytest.approx(
        answer(model, model.card.background, explanation.get("label")), abs=1e-6 * scale
    )


def test_contributions_add_up_to_the_answer_that_is_shown(model: OnnxModel):
    """Baseline plus contributions is the number that the prediction itself carries."""
    row = model.card.examples[0]

    explanation = explain(model, model.encode([row]))[0]

    prediction = model.predict([row])[0]
    shown = prediction.get("value", prediction.get("probabilities", {}).get(explanation.get("label", "")))
    total = explanation["baseline"] + sum(by_feature(explanation).values())
    assert explanation["output"] == shown
    assert explanation["sum_error"] <= 1e-9 * max(1, abs(shown))
    assert total == pytest.approx(shown, rel=1e-9)


def test_every_class_can_be_explained():
    """By default the predicted class; contributions to all classes cancel, as their probabilities sum to one."""
    model = fit("forest")
    encoded = model.encode([model.card.examples[0]])

    by_class = [by_feature(explain(model, encoded, label=label)[0]) for label in CLASSES]
    default = explain(model, encoded)[0]

    assert default["label"] == model.predict([model.card.examples[0]])[0]["label"]
    for name in by_class[0]:
        assert sum(each[name] for each in by_class) == pytest.approx(0, abs=1e-6)


def test_several_rows_are_explained_each_for_itself():
    """A row's explanation does not depend on its neighbours."""
    model = fit("forest")
    rows = model.card.examples

    together = explain(model, model.encode(rows))

    assert [each["label"] for each in together] == [each["label"] for each in model.predict(rows)]
    assert together[1] == explain(model, model.encode(rows[1:2]))[0]


def test_linear_model_is_exact_with_many_features():
    """A linear regression is told exactly far beyond the number of features that can be played out."""
    model = fit("ridge", numbers=40, categories=2, references=50)
    row = model.card.examples[1]

    explanation = explain(model, model.encode([row]))[0]

    assert explanation["method"] == "exact"
    contributions = by_feature(explanation)
    for name in ("n1", "n39", "c1"):
        swapped = [row | {name: reference[name]} for reference in model.card.background]
        expected = explanation["output"] - answer(model, swapped, None)
        assert contributions[name] == pytest.approx(expected, abs=2e-4)


def test_sampled_explanation_says_so_and_keeps_its_bound():
    """Too many features to play out: sampled, with a standard error, within the bound, and the same every time."""
    model = fit("forest", numbers=20, categories=3, references=50)
    encoded = model.encode([model.card.examples[1]])

    explanation, again = explain(model, encoded)[0], explain(model, encoded)[0]
    wider = explain(model, encoded, max_model_rows=400_000, seed=1)[0]

    assert explanation["method"] == "sampled"
    assert explanation["rows_used"] <= MAX_MODEL_ROWS + 1
    assert json.dumps(explanation) == json.dumps(again)
    truth = by_feature(wider)
    for each in explanation["contributions"]:
        assert abs(each["contribution"] - truth[each["feature"]]) <= 6 * each["standard_error"] + 1e-3


def test_cost_is_a_few_calls(monkeypatch: pytest.MonkeyPatch):
    """The model is asked for a handful of batches, never once per coalition."""
    model = fit("forest", numbers=12, references=50)
    encoded = model.encode([model.card.examples[0]])
    explain(model, encoded)
    calls = []
    run = OnnxModel.run
    monkeypatch.setattr(OnnxModel, "run", lambda self, rows: calls.append(len(rows.numeric)) or run(self, rows))

    explanation = explain(model, encoded)[0]

    assert sum(calls) == explanation["rows_used"]
    assert len(calls) <= 3


def test_values_are_shown_as_the_model_read_them():
    """Coerced as in any prediction: text numbers as numbers, whole numbers whole, unknown as null; largest first."""
    model = fit("logistic")

    explanation = explain(model, model.encode([{"n0": "?", "n1": "2.0", "n2": " 0.1 ", "c0": "Dream"}]))[0]

    values = {each["feature"]: each["value"] for each in explanation["contributions"]}
    sizes = [abs(each["contribution"]) for each in explanation["contributions"]]
    assert values == {"n0": None, "n1": 2, "n2": 0.1, "c0": "Dream"}
    assert type(values["n1"]) is int
    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize(
    ("kind", "number", "shown"),
    [
        ("boolean", 1, True),
        ("boolean", 0, False),
        ("integer", 7, 7),
        ("integer", -9.5e18, -9.5e18),
        ("number", 39.1, 39.1),
        ("number", nan, None),
    ],
)
def test_cells_are_written_as_callers_write_them(kind: str, number: float, shown):
    """The float32 cell of each kind of feature becomes the value a caller would send."""
    feature = fit("ridge").card.features[0].model_copy(update={"kind": kind})

    written = shown_number(feature, np.float32(number))

    assert written == shown
    assert type(written) is type(shown)


def test_features_like_all_references_get_nothing():
    """A feature in which the row agrees with every reference row moved nothing."""
    fitted = fit("forest")
    background = [row | {"c0": "Dream"} for row in fitted.card.background]
    model = OnnxModel(fitted.card.model_copy(update={"background": background}), fitted._session)

    explanation = explain(model, model.encode([fitted.card.examples[0] | {"c0": "Dream"}]))[0]

    assert by_feature(explanation)["c0"] == 0


def test_unknown_class_is_refused():
    """The refusal names what there is."""
    forest, ridge = fit("forest"), fit("ridge")

    with pytest.raises(ExplanationRefused, match="one of Adelie, Chinstrap, Gentoo"):
        explain(forest, forest.encode([forest.card.examples[0]]), label="Emperor")
    with pytest.raises(ExplanationRefused, match="predicts a number"):
        explain(ridge, ridge.encode([ridge.card.examples[0]]), label="Adelie")


def test_card_without_references_is_refused():
    """Nothing is explained against nothing."""
    fitted = fit("forest")
    model = OnnxModel(fitted.card.model_copy(update={"background": []}), fitted._session)

    with pytest.raises(ExplanationRefused, match="no reference rows"):
        explain(model, model.encode([fitted.card.examples[0]]))


def test_answers_beyond_numbers_are_refused():
    """An answer that is not finite is the row's fault, not a traceback."""
    model = fit("ridge")
    row = model.card.examples[0] | {"n0": 3e38, "n2": 3e38, "n1": 3e38}

    with pytest.raises(InvalidRows, match="too extreme"):
        explain(model, model.encode([row]))


def test_nothing_odd_leaves_the_engine(capfd: pytest.CaptureFixture[str]):
    """No warning of numpy or onnxruntime, and no NaN in what is sent."""
    model = fit("forest_regression")

    explanation = explain(model, model.encode([{"n0": nan, "n1": 0, "n2": 0.0, "c0": ""}]))[0]

    json.dumps(explanation, allow_nan=False)
    assert capfd.readouterr().err == ""
