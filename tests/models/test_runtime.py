"""Opening and running a certified file."""

import json
import math
import subprocess
import sys
import threading

import numpy as np
import orjson
import pytest

from models.contract import CONTRACT_VERSION, Card
from models.encoding import Encoded
from models.errors import ArtifactRejected, InvalidRows
from models.runtime import TIE, OnnxModel, label_indexes
from tests.models.samples import good_row, opened, trained


def test_classification_answers_label_and_probabilities():
    """One probability per class, adding up to one, and the class with the largest as label; all JSON-able."""
    (prediction,) = opened().predict([good_row()])

    assert set(prediction) == {"label", "probabilities"}
    assert list(prediction["probabilities"]) == opened().card.classes
    assert sum(prediction["probabilities"].values()) == pytest.approx(1, abs=1e-6)
    assert prediction["label"] == max(prediction["probabilities"], key=prediction["probabilities"].get)
    json.dumps(prediction, allow_nan=False)


def test_regression_answers_value_and_interval():
    """The value stands in the middle of an interval of the card's width."""
    card = opened("regression").card

    (prediction,) = opened("regression").predict([good_row("regression")])

    interval = prediction["interval"]
    assert interval["coverage"] == card.interval.coverage
    assert prediction["value"] - interval["low"] == pytest.approx(card.interval.half_width)
    assert interval["high"] - prediction["value"] == pytest.approx(card.interval.half_width)
    json.dumps(prediction, allow_nan=False)


def test_regression_without_interval_answers_the_value_alone():
    """A card may come without."""
    made = trained("regression")
    model = OnnxModel.open(made.model, made.card.model_copy(update={"interval": None}))

    assert set(model.predict([good_row("regression")])[0]) == {"value"}


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_rows_are_answered_one_by_one_or_together(task):
    """A batch is no more than its rows."""
    rows = [*opened(task).card.background, *opened(task).card.examples]

    together = opened(task).predict(rows)

    assert together == [opened(task).predict([row])[0] for row in rows]
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    assert opened(task).predict_columns(columns) == together


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
@pytest.mark.parametrize("rows", [1, 8, 9, 300])
def test_written_answers_are_the_decoded_ones(task, rows):
    """Byte for byte the same JSON, however many rows there are and however small, large or negative a number is."""
    model = opened(task)
    numbers = np.random.default_rng(rows)
    shape = (rows, len(model.card.classes) or 1)
    output = (numbers.standard_normal(shape) * 10.0 ** numbers.integers(-30, 30, shape)).astype(np.float32)
    output[0] = 0.0  # a tie

    assert model.write(output) == orjson.dumps(model.decode(output))


def test_awkward_class_names_are_written():
    """What a form could take for its own signs is text."""
    classes = ["100 %", "%b", '"', "\\", "é\n", "a],[b,c"]
    model = OnnxModel(opened("multiclass").card.model_copy(update={"classes": classes}), opened("multiclass")._session)
    output = np.random.default_rng(0).random((20, len(classes))).astype(np.float32)

    assert model.write(output) == orjson.dumps(model.decode(output))


def test_written_values_without_an_interval():
    """A card may come without."""
    model = opened("regression")
    bare = OnnxModel(model.card.model_copy(update={"interval": None}), model._session)
    output = np.linspace(-5, 5, 20, dtype=np.float32).reshape(-1, 1)

    assert bare.write(output) == orjson.dumps(bare.decode(output))


def test_what_is_not_finite_is_not_written():
    """Among many rows, too, it is an error at its row."""
    output = np.full((20, len(opened().card.classes)), 0.5, dtype=np.float32)
    output[7, 0] = np.nan

    with pytest.raises(InvalidRows) as refused:
        opened().write(output)

    assert [error.pointer for error in refused.value.errors] == ["#/rows/7"]


def test_no_rows_no_answers():
    """An empty batch is an empty list."""
    assert opened().predict([]) == []
    assert opened().predict_columns({name: [] for name in good_row()}) == []


def test_threads_share_a_model():
    """Many threads, one session, the same answers."""
    rows = list(opened().card.background)
    expected = opened().predict(rows)
    wrong = []

    def ask():
        wrong.extend(1 for _ in range(20) if opened().predict(rows) != expected)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []


def test_a_changed_file_is_refused_before_onnxruntime_sees_it(monkeypatch):
    """One bit is enough; the session is never made."""
    made = trained()
    changed = bytearray(made.model)
    changed[len(changed) // 2] ^= 1
    monkeypatch.setattr("onnxruntime.InferenceSession", lambda *_, **__: pytest.fail("the file was opened"))

    with pytest.raises(ArtifactRejected, match="SHA-256"):
        OnnxModel.open(bytes(changed), made.card)


def test_a_file_is_opened_from_disk(tmp_path):
    """A path works as bytes do; a missing file is refused."""
    made = trained()
    path = tmp_path / "model.onnx"
    path.write_bytes(made.model)

    assert OnnxModel.open(path, made.card).predict([good_row()]) == opened().predict([good_row()])
    with pytest.raises(ArtifactRejected, match="cannot be read"):
        OnnxModel.open(tmp_path / "other.onnx", made.card)


def _with_digest(card: Card, content: bytes) -> Card:
    import hashlib

    return card.model_copy(update={"digest": hashlib.sha256(content).hexdigest()})


@pytest.mark.parametrize("content", [b"", b"no model", b"\x08\x08" * 50], ids=["empty", "text", "protobuf of nothing"])
def test_what_is_no_model_is_refused(content):
    """A card that vouches for nonsense does not make it a model."""
    with pytest.raises(ArtifactRejected):
        OnnxModel.open(content, _with_digest(trained().card, content))


def test_a_file_for_other_features_is_refused():
    """The shapes are tried before anyone is answered."""
    made = trained()

    with pytest.raises(ArtifactRejected, match="does not run on the card's features"):
        OnnxModel.open(made.model, made.card.model_copy(update={"features": made.card.features[1:]}))
    with pytest.raises(ArtifactRejected, match="not what the card's features need"):
        OnnxModel.open(made.model, made.card.model_copy(update={"features": made.card.features[:6]}))
    with pytest.raises(ArtifactRejected, match="the card has 2 classes"):
        OnnxModel.open(made.model, made.card.model_copy(update={"classes": ["a", "b"]}))


def test_a_card_of_a_later_format_is_refused():
    """An old release says that it is old."""
    made = trained()

    with pytest.raises(ArtifactRejected, match="update Rowcast"):
        OnnxModel.open(made.model, made.card.model_copy(update={"contract_version": CONTRACT_VERSION + 1}))


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf], ids=str)
def test_an_answer_that_is_not_finite_is_an_error_at_its_row(number):
    """NaN and infinity never leave the house."""
    output = opened("regression").run(opened("regression").encode([good_row("regression")] * 3))
    output[1, 0] = number

    with pytest.raises(InvalidRows) as refused:
        opened("regression").decode(output)

    assert [error.pointer for error in refused.value.errors] == ["#/rows/1"]


def test_not_a_number_among_probabilities_is_an_error():
    """The same for classes."""
    with pytest.raises(InvalidRows, match="no finite answer"):
        opened().decode(np.array([[0.2, np.nan, 0.8]], dtype=np.float32))


def test_extreme_rows_are_answered_finitely_or_refused():
    """The largest numbers that float32 holds end in JSON or in a readable error."""
    for task in ("binary", "multiclass", "regression"):
        for number in (3.4e38, -3.4e38, 1e30, 1e-45):
            row = good_row(task) | {"age": number, "income": -number, "load": number}
            try:
                json.dumps(opened(task).predict([row]), allow_nan=False)
            except InvalidRows as refused:
                assert refused.errors[0].pointer == "#/rows/0"  # noqa: PT017  # either outcome is right


def test_odd_texts_are_answered():
    """Whatever text arrives, the string tensor takes it."""
    for text in ("\0", "a\0b", "𝄞" * 1000, "\u202e", "'; drop table", "\x7f"):
        assert opened().predict([good_row() | {"city": text}])[0]["label"] in opened().card.classes


def test_ties_go_to_the_first_class():
    """Within a tie the order of float32 sums must not decide, neither one by one nor in bulk."""
    probabilities = np.array([[0.5 - TIE / 4, 0.5 + TIE / 4, 0], [0.4, 0.4 + 3 * TIE, 0.2]])

    assert [one["label"] for one in opened().decode(probabilities)] == opened().card.classes[:2]
    assert label_indexes(probabilities).tolist() == [0, 1]


def test_empty_encoded_runs():
    """The tensors of zero rows run too."""
    empty = Encoded(np.empty((0, 6), dtype=np.float32), np.empty((0, 4), dtype=object), ())

    assert opened().run(empty).shape == (0, 3)


def test_serving_imports_nothing_of_training():
    """A function opens and runs a model without scikit-learn, pandas, the converter or onnx."""
    code = (
        "import sys, models.runtime;"
        "print([name for name in ('sklearn', 'pandas', 'scipy', 'skl2onnx', 'onnx', 'optuna', 'models.training')"
        " if name in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_the_card_survives_its_json():
    """What is written is what is read."""
    for task in ("binary", "multiclass", "regression"):
        card = trained(task).card

        assert Card.model_validate_json(card.model_dump_json()) == card
