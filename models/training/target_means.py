"""Categories as what they mean for the answer: the mean of each class, or of the amounts, over the rows of each value.

Trees get along with it where codes are arbitrary and a column per value would be hundreds of columns. A row that is learned
from never sees its own answer: its means come from the other fifths of the rows (scikit-learn's `TargetEncoder`). A value
without rows of its own is read as the rare ones together or, where there are none, as the mean of all. In float32, which is what
the served file looks up.
"""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from onnx import TensorProto
from skl2onnx import update_registered_converter
from skl2onnx.common.data_types import FloatTensorType
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.preprocessing import TargetEncoder

_RARE = "\N{REPLACEMENT CHARACTER}rare"  # stands for what is not among the known values


class TargetMeans(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """Columns of texts → a column each, or one per class where there are more than two."""

    def __init__(self, categories: Sequence[Sequence[str]] = (), *, amounts: bool = False, seed: int = 0) -> None:
        self.categories = categories
        self.amounts = amounts
        self.seed = seed

    def fit(self, inputs: Any, answers: Any) -> Self:
        """Learn the means."""
        self.fit_transform(inputs, answers)
        return self

    def fit_transform(self, inputs: Any, answers: Any, **_options: Any) -> NDArray[np.float32]:
        """Learn the means, and give each row those of the rows apart from it."""
        texts = self._merged(inputs)
        encoder = TargetEncoder(target_type="continuous" if self.amounts else "auto", random_state=self.seed)
        apart: NDArray[np.float32] = np.asarray(encoder.fit_transform(texts, answers), dtype=np.float32)
        overall = np.atleast_1d(encoder.target_mean_)
        self.values_: list[list[str]] = []
        self.means_: list[NDArray[np.float32]] = []
        """Per column a row of means for each value, and at last one for all other values."""
        for place, known in enumerate(encoder.categories_):
            each = encoder.encodings_[place * len(overall) : (place + 1) * len(overall)]
            means = dict(zip(known.tolist(), np.column_stack(each), strict=True))
            others = means.pop(_RARE, overall)
            self.values_.append(list(means))
            self.means_.append(np.array([*means.values(), others], dtype=np.float32))
        self.n_features_in_ = texts.shape[1]
        return apart

    def transform(self, inputs: Any) -> NDArray[np.float32]:
        """Look the means up, all of the first column first."""
        texts = np.asarray(inputs, dtype=object)
        found = [
            means[pd.Index(values, dtype=object).get_indexer(pd.Index(texts[:, place], dtype=object))]  # -1 is the last
            for place, (values, means) in enumerate(zip(self.values_, self.means_, strict=True))
        ]
        return np.concatenate(found, axis=1)

    def _merged(self, inputs: Any) -> NDArray[np.object_]:
        texts = np.array(inputs, dtype=object)
        for place, known in enumerate(self.categories):
            column = texts[:, place]
            column[~pd.Series(column, dtype=object).isin(list(known)).to_numpy()] = _RARE
        return texts


def _shape(operator: Any) -> None:
    width = sum(means.shape[1] for means in operator.raw_operator.means_)
    operator.outputs[0].type = FloatTensorType([None, width])


class _Graph:
    """The graph that is being written."""

    def __init__(self, scope: Any, container: Any) -> None:
        self._scope, self._container = scope, container

    def node(self, operation: str, *inputs: str, result: str | None = None, **attributes: Any) -> str:
        found: str = result or self._scope.get_unique_variable_name(f"means_{operation.lower()}")
        name = self._scope.get_unique_operator_name(f"Means{operation}")
        self._container.add_node(operation, list(inputs), found, name=name, **attributes)
        return found

    def constant(self, kind: int, numbers: NDArray[Any]) -> str:
        name: str = self._scope.get_unique_variable_name("means_constant")
        self._container.add_initializer(name, kind, list(numbers.shape), numbers.ravel().tolist())
        return name


def _convert(scope: Any, operator: Any, container: Any) -> None:
    """Per column: its texts, their places in the table of means, and these rows of the table."""
    means, graph, found = operator.raw_operator, _Graph(scope, container), []
    for place, (values, table) in enumerate(zip(means.values_, means.means_, strict=True)):
        wanted = graph.constant(TensorProto.INT64, np.array([place]))
        texts = graph.node(
            "ArrayFeatureExtractor", operator.inputs[0].full_name, wanted, op_domain="ai.onnx.ml", op_version=1
        )
        codes = graph.node(
            "LabelEncoder",
            texts,
            op_domain="ai.onnx.ml",
            op_version=2,
            keys_strings=[value.encode() for value in values] or [b""],
            values_int64s=list(range(len(values))) or [0],
            default_int64=len(values),
        )
        flat = graph.node("Reshape", codes, graph.constant(TensorProto.INT64, np.array([-1])), op_version=13)
        found.append(graph.node("Gather", graph.constant(TensorProto.FLOAT, table), flat, op_version=13, axis=0))
    graph.node("Concat", *found, result=operator.outputs[0].full_name, op_version=13, axis=1)


update_registered_converter(TargetMeans, "RowcastTargetMeans", _shape, _convert)
