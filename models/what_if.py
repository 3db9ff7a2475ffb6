"""What if one feature were different: the answers for one row while that feature moves over what training saw.

One call of the ONNX session. A number moves over its training range, closer where training rows are dense; a whole number
takes whole values; a category takes every value the card knows. "Missing" is asked where training saw it or the row has it.
Of a file that was made elsewhere nobody may have told ranges and values: there, those of the card's own rows are taken.
"""

import math
from typing import Literal, TypedDict

import numpy as np
from numpy.typing import NDArray

from models.contract import Feature
from models.encoding import Encoded
from models.errors import ExplanationRefused, FieldError, InvalidRows
from models.explanation import CellValue, shown_number
from models.runtime import OnnxModel, Prediction

DEFAULT_POINTS = 41
MAX_POINTS = 200
"""As many as a card lists values of a category."""

_PROBABILITIES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)  # at which a card gives quantiles
_STEPS_IN_RANGE = 1000


class Point(TypedDict):
    """One value of the feature and the answer it leads to."""

    value: CellValue
    prediction: Prediction


class WhatIf(TypedDict):
    """The curve of one feature: its values in order, null last, with the answers; and where the row stands."""

    feature: str
    kind: Literal["number", "integer", "boolean", "category", "date"]
    current: CellValue
    points: list[Point]


def what_if(model: OnnxModel, rows: Encoded, feature: str, *, row: int = 0, points: int = DEFAULT_POINTS) -> WhatIf:
    """Answer one row for the values that a feature can take.

    Args:
        model: An opened version.
        rows: What `model.encode` made of the rows.
        feature: The name of the feature that moves.
        row: Which of the rows.
        points: About how many values of a number to ask for, 2 to 200.

    Raises:
        ExplanationRefused: there is no such feature.
        InvalidRows: the model gives no finite answer.
    """
    moving = next((each for each in model.card.features if each.name == feature), None)
    if moving is None:
        known = ", ".join(each.name for each in model.card.features[:20])
        raise ExplanationRefused(f"there is no feature {feature[:80]!r}; it must be one of {known}")
    numeric, text = rows.numeric[row], rows.text[row]
    if moving.kind == "category":
        words = _categories(moving, text[moving.position], _own_rows(model).text if not moving.categories else None)
        asked = _repeated(rows, row, len(words))
        asked.text[:, moving.position] = words
        current: CellValue = text[moving.position] or None
        values: list[CellValue] = [word or None for word in words]
    else:
        low, high = moving.minimum, moving.maximum
        if low is None or high is None:
            own = _own_rows(model).numeric[:, moving.position]
            own = own[~np.isnan(own)]
            low, high = (float(own.min()), float(own.max())) if len(own) else (None, None)
        numbers = _numbers(moving, numeric[moving.position], low, high, min(max(points, 2), MAX_POINTS))
        asked = _repeated(rows, row, len(numbers))
        asked.numeric[:, moving.position] = numbers
        current = shown_number(moving, numeric[moving.position])
        values = [shown_number(moving, number) for number in asked.numeric[:, moving.position]]
    try:
        predictions = model.decode(model.run(asked))
    except InvalidRows as refused:
        raise InvalidRows([FieldError(f"#/rows/{row}", refused.errors[0].detail)]) from None
    listed: list[Point] = [
        {"value": value, "prediction": prediction} for value, prediction in zip(values, predictions, strict=True)
    ]
    return {"feature": feature, "kind": moving.kind, "current": current, "points": listed}


def _repeated(rows: Encoded, row: int, count: int) -> Encoded:
    return Encoded(np.tile(rows.numeric[row], (count, 1)), np.tile(rows.text[row], (count, 1)), ())


def _own_rows(model: OnnxModel) -> Encoded:
    return model.encode(model.card.background)


def _categories(feature: Feature, current: str, own: NDArray[np.object_] | None) -> list[str]:
    words = [category.value for category in feature.categories]
    if own is not None:
        words = list(dict.fromkeys(filter(None, own[:, feature.position].tolist())))
    if current and current not in words:
        words.append(current)
    if feature.missing_share > 0 or not current:
        words.append("")
    return words


def _numbers(feature: Feature, current: np.float32, low: float | None, high: float | None, points: int) -> list[float]:
    is_whole = feature.kind == "integer" or (
        feature.kind == "date" and all(map(float.is_integer, feature.quantiles or [low or 0.0]))
    )
    if feature.kind == "boolean":
        grid = {0.0, 1.0}
    elif low is None or high is None:
        grid = set()
    elif is_whole and high - low < points:
        grid = set(np.arange(low, high + 1).tolist())
    else:
        spread = np.linspace(low, high, points - points // 2)[1:-1]
        quantiles = feature.quantiles or np.interp(_PROBABILITIES, (0, 1), (low, high))
        dense = np.interp(np.linspace(0, 1, points // 2 + 2)[1:-1], _PROBABILITIES, quantiles)
        decimals = 0 if is_whole else _decimals(high - low)
        rounded = np.concatenate([spread, dense]).round(decimals).clip(low, high)
        grid = {low, high, *rounded.tolist()}
    if not np.isnan(current):
        grid.add(float(str(current)))
    ordered = sorted({float(np.float32(number)): number for number in grid}.values())
    return [*ordered, math.nan] if feature.missing_share > 0 or np.isnan(current) else ordered


def _decimals(spread: float) -> int:
    """Tell how many decimals a thousandth of a range needs: finer steps nobody would read."""
    return max(0, math.ceil(-math.log10(spread / _STEPS_IN_RANGE))) if spread > 0 else 0
