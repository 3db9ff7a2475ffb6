"""Day numbers taken apart inside the pipeline, and so inside the served file: year, month, day, weekday, day of year, hour.

The same arithmetic in numpy and in ONNX, in float64 on whole numbers, so both give the same parts to the last bit. The
calendar is the Gregorian one, counted from a first of March so that the leap day comes last.
"""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto
from skl2onnx import update_registered_converter
from skl2onnx.common.data_types import FloatTensorType
from sklearn.base import BaseEstimator, TransformerMixin

PARTS = ("year", "month", "day", "weekday", "day_of_year", "hour")

_FROM_MARCH_OF_YEAR_0 = 719_468  # days from 0000-03-01 to 1970-01-01
_DAYS_PER_ERA = 146_097  # 400 years


class DateParts(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """Columns of day numbers → six columns of parts each; a missing date has missing parts."""

    def fit(self, inputs: Any, _answers: Any = None) -> Self:
        """Remember the number of columns; there is nothing to learn."""
        self.n_features_in_ = np.shape(inputs)[1]
        return self

    def transform(self, inputs: Any) -> NDArray[np.float32]:
        """Take the dates apart, all years first, then all months, and so on."""
        numbers = np.asarray(inputs, dtype=np.float32)
        parts = _parts(_Numpy(), numbers.astype(np.float64))
        return np.concatenate(parts, axis=1).astype(np.float32)


class _Numpy:
    """The four operations on arrays."""

    def floor(self, one: Any) -> Any:
        return np.floor(one)

    def add(self, one: Any, other: Any) -> Any:
        return one + other

    def multiply(self, one: Any, other: Any) -> Any:
        return one * other

    def divide(self, one: Any, other: Any) -> Any:
        return one / other


class _Graph:
    """The four operations as nodes of a graph that is being written."""

    def __init__(self, scope: Any, container: Any) -> None:
        self._scope, self._container = scope, container

    def floor(self, one: Any) -> Any:
        return self._node("Floor", one)

    def add(self, one: Any, other: Any) -> Any:
        return self._node("Add", one, other)

    def multiply(self, one: Any, other: Any) -> Any:
        return self._node("Mul", one, other)

    def divide(self, one: Any, other: Any) -> Any:
        return self._node("Div", one, other)

    def cast(self, one: str, kind: int) -> str:
        return self._node("Cast", one, to=kind)

    def _node(self, operation: str, *inputs: Any, **attributes: Any) -> str:
        result: str = self._scope.get_unique_variable_name(f"date_{operation.lower()}")
        names = [one if isinstance(one, str) else self._constant(one) for one in inputs]
        name = self._scope.get_unique_operator_name(f"Date{operation}")
        self._container.add_node(operation, names, result, op_version=13, name=name, **attributes)
        return result

    def _constant(self, number: float) -> str:
        name: str = self._scope.get_unique_variable_name("date_constant")
        self._container.add_initializer(name, TensorProto.DOUBLE, [1], [float(number)])
        return name


def _parts(math: Any, numbers: Any) -> list[Any]:
    """Give year, month, day, weekday, day of year and hour of day numbers."""

    def whole(one: Any, divisor: float) -> Any:
        return math.floor(math.divide(one, divisor))

    def rest(one: Any, divisor: float) -> Any:
        return math.add(one, math.multiply(whole(one, divisor), -divisor))

    days = math.floor(numbers)
    hour = math.multiply(math.add(numbers, math.multiply(days, -1.0)), 24.0)
    since = math.add(days, _FROM_MARCH_OF_YEAR_0)
    of_era = rest(since, _DAYS_PER_ERA)
    leaps = math.add(whole(of_era, 36_524), math.multiply(math.add(whole(of_era, 1_460), whole(of_era, 146_096)), -1.0))
    year_of_era = whole(math.add(of_era, leaps), 365)
    gone = math.add(math.multiply(year_of_era, 365.0), whole(year_of_era, 4))
    day_of_year = math.add(of_era, math.multiply(math.add(gone, math.multiply(whole(year_of_era, 100), -1.0)), -1.0))
    month_from_march = whole(math.add(math.multiply(day_of_year, 5.0), 2.0), 153)
    before_month = whole(math.add(math.multiply(month_from_march, 153.0), 2.0), 5)
    day = math.add(math.add(day_of_year, math.multiply(before_month, -1.0)), 1.0)
    is_next_year = whole(month_from_march, 10)  # January and February come after ten months of the year from March
    month = math.add(math.add(month_from_march, 3.0), math.multiply(is_next_year, -12.0))
    year = math.add(math.add(year_of_era, math.multiply(whole(since, _DAYS_PER_ERA), 400.0)), is_next_year)
    return [year, month, day, rest(math.add(days, 3.0), 7.0), day_of_year, hour]


def _shape(operator: Any) -> None:
    columns = operator.inputs[0].type.shape[1]
    operator.outputs[0].type = FloatTensorType([None, columns * len(PARTS)])


def _convert(scope: Any, operator: Any, container: Any) -> None:
    graph = _Graph(scope, container)
    parts = _parts(graph, graph.cast(operator.inputs[0].full_name, TensorProto.DOUBLE))
    joined = scope.get_unique_variable_name("date_parts")
    name = scope.get_unique_operator_name("DateConcat")
    container.add_node("Concat", parts, joined, op_version=13, name=name, axis=1)
    container.add_node(
        "Cast",
        joined,
        operator.outputs[0].full_name,
        op_version=13,
        name=scope.get_unique_operator_name("DateCast"),
        to=TensorProto.FLOAT,
    )


update_registered_converter(DateParts, "RowcastDateParts", _shape, _convert)
