"""One feature swept: a grid worth drawing, answered as any prediction, in one call."""

import pytest

from models.errors import ExplanationRefused, InvalidRows
from models.runtime import OnnxModel
from models.what_if import MAX_POINTS, what_if
from tests.models.fitted import ISLANDS, fit


@pytest.fixture(scope="module")
def model() -> OnnxModel:
    return fit("forest")


def values(curve) -> list:
    return [point["value"] for point in curve["points"]]


@pytest.mark.parametrize("feature", ["n0", "n1", "n2", "c0"])
def test_points_answer_as_predictions_do(model: OnnxModel, feature: str):
    """Each point is the prediction for the row with that one value changed."""
    row = model.card.examples[0]

    curve = what_if(model, model.encode([row]), feature)

    assert [point["prediction"] for point in curve["points"]] == model.predict(
        [row | {feature: value} for value in values(curve)]
    )


def test_numbers_cover_the_training_range(model: OnnxModel):
    """From the smallest to the largest training value, in order, with the row's own value, and few decimals."""
    feature = model.card.features[2]

    curve = what_if(model, model.encode([model.card.examples[0] | {"n2": 0.125}]), "n2")

    swept = values(curve)
    assert (swept[0], swept[-1]) == (pytest.approx(feature.minimum), pytest.approx(feature.maximum))
    assert swept == sorted(swept)
    assert 0.125 in swept
    assert 30 <= len(swept) <= 44
    assert all(len(str(abs(value))) <= 5 or value in {swept[0], swept[-1]} for value in swept)


def test_numbers_are_closer_where_rows_are(model: OnnxModel):
    """Half of the points follow the quantiles: the middle half of the rows gets more than its share of the range."""
    feature = model.card.features[2]
    low, high = feature.quantiles[2], feature.quantiles[4]

    swept = values(what_if(model, model.encode([model.card.examples[0]]), "n2"))

    inside = sum(low <= value <= high for value in swept) / len(swept)
    assert inside > 1.3 * (high - low) / (feature.maximum - feature.minimum)


def test_whole_numbers_stay_whole(model: OnnxModel):
    """Every whole number of a short range, none between."""
    feature = model.card.features[1]

    swept = values(what_if(model, model.encode([model.card.examples[0]]), "n1"))

    assert swept == list(range(int(feature.minimum), int(feature.maximum) + 1))
    assert all(type(value) is int for value in swept)


def test_categories_are_all_known_ones_and_the_rows_own(model: OnnxModel):
    """Known values in the card's order, then one nobody knew, then missing, which training saw here."""
    curve = what_if(model, model.encode([model.card.examples[0] | {"c0": "Atlantis"}]), "c0")

    assert values(curve) == [*ISLANDS, "Atlantis", None]
    assert curve["current"] == "Atlantis"


def test_missing_is_asked_where_it_can_happen(model: OnnxModel):
    """Training saw n0 missing; n2 only counts as missing when the row says so."""
    row = model.card.examples[0]

    assert values(what_if(model, model.encode([row]), "n0"))[-1] is None
    assert None not in values(what_if(model, model.encode([row]), "n2"))
    assert values(what_if(model, model.encode([row | {"n2": None}]), "n2"))[-1] is None


def test_values_outside_the_range_are_kept(model: OnnxModel):
    """A row beyond the training range finds itself on the curve."""
    curve = what_if(model, model.encode([model.card.examples[0] | {"n2": 99.5}]), "n2")

    assert values(curve)[-1] == curve["current"] == 99.5


@pytest.mark.parametrize("points", [-5, 0, 2, 7, 10**9])
def test_points_are_bounded(model: OnnxModel, points: int):
    """Whatever is asked for, between the two ends and about 200 points."""
    swept = values(what_if(model, model.encode([model.card.examples[0]]), "n2", points=points))

    assert 2 <= len(swept) <= MAX_POINTS + 3


def test_any_row_of_a_batch_can_be_asked(model: OnnxModel):
    """The curve belongs to the row that was named."""
    rows = model.card.examples

    assert what_if(model, model.encode(rows), "n0", row=2) == what_if(model, model.encode(rows[2:3]), "n0")


def test_one_call(model: OnnxModel, monkeypatch: pytest.MonkeyPatch):
    """The whole curve is one batch."""
    encoded = model.encode([model.card.examples[0]])
    calls = []
    run = OnnxModel.run
    monkeypatch.setattr(OnnxModel, "run", lambda self, rows: calls.append(rows) or run(self, rows))

    what_if(model, encoded, "n0")

    assert len(calls) == 1


def test_unknown_feature_is_refused(model: OnnxModel):
    """The refusal names what there is."""
    with pytest.raises(ExplanationRefused, match="one of n0, n1, n2, c0"):
        what_if(model, model.encode([model.card.examples[0]]), "beak")


def test_answers_beyond_numbers_name_the_row():
    """A curve that leaves the numbers is refused with the row that was asked for."""
    model = fit("ridge")
    row = {"n0": 3.4e38, "n1": 3e38, "n2": 3.4e38, "c0": "Dream"}

    with pytest.raises(InvalidRows, match="#/rows/1: the numbers are too extreme"):
        what_if(model, model.encode([model.card.examples[0], row]), "c0", row=1)
