"""The gate: scikit-learn and the served file must agree on every row, or nothing is written.

The file answers through `models.runtime`, the very code that serves, fed with rows as a caller would send them.
"""

import hashlib
import json
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import onnxruntime
import sklearn
from numpy.typing import NDArray

from models.contract import ParityCertificate, ParityKind
from models.errors import ExportRefused
from models.runtime import TIE, OnnxModel, label_indexes
from models.training.awkward import Batch, batches
from models.training.blend import Blend
from models.training.browser import compare
from models.training.data import TrainingData, as_inputs, typed

TOLERANCE = 1e-5
"""Largest difference of a probability; of an amount, relative to the target's spread or, further out, to its distance."""


_LIBRARIES = ("scikit-learn", "skl2onnx", "onnx", "onnxruntime", "numpy")


@dataclass(frozen=True)
class _Comparison:
    kind: ParityKind
    worst_error: float
    worst_row: dict[str, Any]


def certify(blend: Blend, model: OnnxModel, content: bytes, data: TrainingData, seed: int) -> ParityCertificate:
    """Compare the two engines on held-out and awkward rows.

    Raises:
        ExportRefused: naming the construct and the worst row, when they differ.
    """
    tried = batches(data, content, seed)
    compared = [_compare(blend, model, batch, data) for batch in tried]
    worst = max(compared, key=lambda one: (one.kind.label_flips > 0, one.worst_error))
    flips = sum(one.kind.label_flips for one in compared)
    if flips or not worst.worst_error <= TOLERANCE:
        raise ExportRefused(
            f"the ONNX form of {blend.constructs} differs from scikit-learn by {worst.worst_error:.2g} (allowed: {TOLERANCE:g}) with "
            f"{flips} changed labels; worst on this row of kind {worst.kind.kind!r}: {json.dumps(worst.worst_row)}"
        )
    leg = compare(model, content, tried, TOLERANCE)
    return ParityCertificate(
        passed=True,
        tolerance=TOLERANCE,
        rows=sum(one.kind.rows for one in compared),
        label_flips=0,
        max_error=worst.worst_error,
        kinds=[one.kind for one in compared],
        worst_row=worst.worst_row,
        engines=[f"scikit-learn {sklearn.__version__}", f"onnxruntime {onnxruntime.__version__}"],
        digest=hashlib.sha256(content).hexdigest(),
        versions={name: version(name) for name in _LIBRARIES},
        browser=leg.parity,
        browser_missing=leg.missing,
    )


def _compare(blend: Blend, model: OnnxModel, batch: Batch, data: TrainingData) -> _Comparison:
    rows = as_rows(batch, data)
    served = model.run(model.encode(rows)).astype(np.float64)
    trained = blend.predict(as_inputs(batch.numeric, batch.text))
    if data.classification:
        errors = np.abs(served - trained).max(axis=1)
        flips = _flips(served, trained)
    else:
        standard = (served[:, 0] - data.center) / data.spread
        errors = np.abs(standard - trained) / (1.0 + np.abs(trained))
        flips = np.zeros(len(rows), dtype=bool)
    errors = np.where(np.isnan(errors), np.inf, errors)
    worst = int(np.argmax(np.where(flips, np.inf, errors)))
    kind = ParityKind(kind=batch.kind, rows=len(rows), label_flips=int(flips.sum()), max_error=float(errors.max()))
    return _Comparison(kind, float(errors.max()), rows[worst])


def _flips(served: NDArray[np.float64], trained: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell for which rows the file chooses a class that scikit-learn does not put first, ties aside."""
    chosen = trained[np.arange(len(trained)), label_indexes(served)]
    flips: NDArray[np.bool_] = chosen < trained.max(axis=1) - 2 * TIE
    return flips


def as_rows(batch: Batch, data: TrainingData) -> list[dict[str, Any]]:
    """Write packed rows as a caller would send them."""
    names = [column.name for column in (*data.numeric_columns, *data.text_columns)]
    rows = []
    for numbers, texts in zip(batch.numeric.tolist(), batch.text.tolist(), strict=True):
        cells = [typed(number, column) for number, column in zip(numbers, data.numeric_columns, strict=True)]
        rows.append(dict(zip(names, [*cells, *(text or None for text in texts)], strict=True)))
    return rows
