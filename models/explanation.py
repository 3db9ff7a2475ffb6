"""Why this answer: how much each feature moved one prediction away from the mean prediction for the card's reference rows.

The contributions are Shapley values (`models.shapley`) of the probability of one class, or of the predicted value. The
model answers mixtures of the row and the reference rows, all in a few calls of its ONNX session; nothing else is needed
to explain it, and nobody has to trust a second model.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NotRequired, TypedDict
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from models.contract import Card, Feature
from models.dates import date_text
from models.encoding import Encoded
from models.errors import ExplanationRefused, FieldError, InvalidRows
from models.runtime import OnnxModel, label_indexes
from models.shapley import Floats, Game, Integers, Masks, share_out

MAX_MODEL_ROWS = 16_384
"""How many rows the model may answer for one explanation: 2 to 80 ms of one core, by the kind of model."""

_SEED = 0
_CELLS_PER_CALL = 2**20
_ROUNDING = 1e-9
_EXACT_INTEGERS = 2**53
"""Beyond it a number is written with an exponent: JSON of many languages has no such whole numbers."""

CellValue = float | int | bool | str | None


class Contribution(TypedDict):
    """What one feature did to the answer."""

    feature: str
    value: CellValue
    contribution: float
    standard_error: float


class Explanation(TypedDict):
    """Where an answer comes from: `baseline` plus all contributions is `output`, up to `sum_error`.

    `label` is the class whose probability is explained; regression has none. `standard_error` is 0 where `method` is
    exact. `references` counts the reference rows whose mean answer is the baseline.
    """

    label: NotRequired[str]
    baseline: float
    output: float
    contributions: list[Contribution]
    method: Literal["exact", "sampled"]
    references: int
    rows_used: int
    sum_error: float
    seed: int


def explain(
    model: OnnxModel,
    rows: Encoded,
    *,
    label: str | None = None,
    max_model_rows: int = MAX_MODEL_ROWS,
    seed: int = _SEED,
) -> list[Explanation]:
    """Explain each row's answer, the largest contribution first.

    Args:
        model: An opened version.
        rows: What `model.encode` made of the rows.
        label: The class to explain; by default the one that is predicted for each row.
        max_model_rows: Bounds the cost of each row.
        seed: Chooses the orders of a sampled explanation.

    Raises:
        ExplanationRefused: the class is unknown or the card has no reference rows.
        InvalidRows: the model gives no finite answer.
    """
    reference = _reference_of(model)
    outputs = _finite(model.run(rows))
    columns = _columns(model.card, outputs, label)
    return [
        _Explainer(model, reference, rows, index, column).explain(float(output[column]), max_model_rows, seed)
        for index, (output, column) in enumerate(zip(outputs, columns, strict=True))
    ]


@dataclass(frozen=True, slots=True, eq=False)
class _Reference:
    """The card's reference rows as tensors, with the model's answers."""

    rows: Encoded
    outputs: Floats  # [M, K]
    features: tuple[Feature, ...]  # as the tensors hold them: numeric first


_references: WeakKeyDictionary[OnnxModel, _Reference] = WeakKeyDictionary()


def _reference_of(model: OnnxModel) -> _Reference:
    known = _references.get(model)
    if known is None:
        card = model.card
        if not card.background:
            raise ExplanationRefused("this version's card holds no reference rows to explain against")
        rows = model.encode(card.background)
        features = sorted(card.features, key=lambda feature: (feature.kind == "category", feature.position))
        known = _references[model] = _Reference(rows, _finite(model.run(rows)), tuple(features))
    return known


class _Explainer:
    """One row and one column of the answer."""

    def __init__(self, model: OnnxModel, reference: _Reference, rows: Encoded, index: int, column: int) -> None:
        self._model = model
        self._reference = reference
        self._numbers = rows.numeric[index]
        self._texts = rows.text[index]
        self._column = column

    def explain(self, output: float, max_model_rows: int, seed: int) -> Explanation:
        at_references = self._reference.outputs[:, self._column]
        game = Game(self._differs(), at_references, output, self._answers)
        shares = share_out(game, max_evaluations=max_model_rows, seed=seed)
        baseline = float(at_references[shares.references].mean())
        sum_error = abs(math.fsum(shares.contributions.tolist()) - (output - baseline))
        assert sum_error <= _ROUNDING * max(1, abs(output), float(np.abs(at_references).max()))
        explanation: Explanation = {
            "baseline": baseline,
            "output": output,
            "contributions": self._contributions(shares.contributions.tolist(), shares.standard_errors.tolist()),
            "method": "exact" if shares.is_exact else "sampled",
            "references": len(shares.references),
            "rows_used": shares.evaluations + 1,
            "sum_error": sum_error,
            "seed": seed,
        }
        classes = self._model.card.classes
        return {"label": classes[self._column], **explanation} if classes else explanation

    def _differs(self) -> Masks:
        numeric, text, _ = self._reference.rows
        are_missing = np.isnan(numeric) & np.isnan(self._numbers)
        return np.concatenate([(numeric != self._numbers) & ~are_missing, text != self._texts], axis=1)

    def _answers(self, references: Integers, masks: Masks) -> Floats:
        """Answer mixtures of the row and reference rows, in calls of bounded size."""
        numeric, text, _ = self._reference.rows
        width = len(self._numbers)
        step = max(1, _CELLS_PER_CALL // masks.shape[1])
        answers = np.empty(len(references))
        for start in range(0, len(references), step):
            part = slice(start, start + step)
            index, mask = references[part], masks[part]
            mixed_numbers = np.where(mask[:, :width], self._numbers, numeric[index])
            mixed_texts = np.where(mask[:, width:], self._texts, text[index])
            answers[part] = _finite(self._model.run(Encoded(mixed_numbers, mixed_texts, ())))[:, self._column]
        return answers

    def _contributions(self, contributions: list[float], errors: list[float]) -> list[Contribution]:
        features = self._reference.features
        values = [shown_number(each, number) for each, number in zip(features, self._numbers, strict=False)]
        values += [text or None for text in self._texts]
        listed: list[Contribution] = [
            {"feature": feature.name, "value": value, "contribution": contribution, "standard_error": error}
            for feature, value, contribution, error in zip(features, values, contributions, errors, strict=True)
        ]
        return sorted(listed, key=lambda each: -abs(each["contribution"]))


def shown_number(feature: Feature, number: np.float32) -> CellValue:
    """Write a cell of the numeric tensor as the caller would: shortest decimals, whole, true or false, null."""
    if np.isnan(number):
        return None
    match feature.kind:
        case "boolean":
            return bool(number)
        case "integer":
            return int(number) if abs(number) < _EXACT_INTEGERS else float(str(number))
        case "date":
            return date_text(float(number))
        case _:
            return float(str(number))


def _columns(card: Card, outputs: Floats, label: str | None) -> Sequence[int]:
    """Name the column of the answer to explain, for each row."""
    if label is None:
        return label_indexes(outputs).tolist() if card.classes else [0] * len(outputs)
    if label not in card.classes:
        known = f"one of {', '.join(card.classes)}" if card.classes else "left out: this model predicts a number"
        raise ExplanationRefused(f"there is no class {label[:80]!r}; it must be {known}")
    return [card.classes.index(label)] * len(outputs)


def _finite(output: NDArray[np.float32]) -> Floats:
    if not np.isfinite(output).all():
        raise InvalidRows([FieldError("#/rows", "the numbers are too extreme: the model gives no finite answer")])
    return output.astype(np.float64)
