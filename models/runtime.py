"""Opens a certified model file once and answers rows: coerced by the card, one ONNX call, plain dictionaries out.

Needs numpy, onnxruntime, orjson and pydantic, never scikit-learn. A file is handed to onnxruntime only after its SHA-256 is the
card's, and no answer ever holds NaN or infinity.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NotRequired, Self, TypedDict

import numpy as np
import onnxruntime
import orjson
from numpy.typing import NDArray

from models.contract import CONTRACT_VERSION, Card
from models.encoding import Column, Encoded, RowEncoder
from models.errors import ArtifactRejected, FieldError, InvalidRows
from models.writing import ClassWriter, write_values

NUMERIC_INPUT = "numeric"
TEXT_INPUT = "text"

TIE = 1e-6
"""Probabilities closer than this are a tie, and the first class wins it as in scikit-learn: the order in which an engine
adds float32 numbers must not decide a label."""

_ERRORS_ONLY = 3
_FEW_ROWS = 8  # decoded faster one by one


class Interval(TypedDict):
    """Where the true value lies with the stated probability."""

    low: float
    high: float
    coverage: float


class Prediction(TypedDict):
    """One answer: `label` and `probabilities` by class, or `value` and, where the card has one, `interval`."""

    label: NotRequired[str]
    probabilities: NotRequired[dict[str, float]]
    value: NotRequired[float]
    interval: NotRequired[Interval]


class OnnxModel:
    """One opened version. Opened once per process; any number of threads may predict at the same time."""

    def __init__(self, card: Card, session: onnxruntime.InferenceSession) -> None:
        """Keep a session that `open` has checked."""
        self.card = card
        self.encoder = RowEncoder(card)
        self._session = session
        # The session's own `run` checks the names of what it is fed each time, a quarter of what a forest takes for one row; ours
        # are always the same, and were run once when the file was opened.
        self._run = getattr(session, "_sess", session).run
        self._inputs = [put.name for put in session.get_inputs()]
        self._outputs = [session.get_outputs()[0].name]
        self._classes = card.classes
        self._writer = ClassWriter(card.classes)

    @classmethod
    def open(cls, model: Path | bytes, card: Card) -> Self:
        """Check the file against its card, open it and run it once. Raises ArtifactRejected."""
        if card.contract_version > CONTRACT_VERSION:
            raise ArtifactRejected(
                f"the card has format {card.contract_version}, this release reads up to {CONTRACT_VERSION}: update Rowcast"
            )
        content = _checked(model, card)
        try:
            session = onnxruntime.InferenceSession(content, session_options(), providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's own errors share no root
            raise ArtifactRejected(f"onnxruntime cannot open the file: {_first_line(error)}") from error
        opened = cls(card, session)
        opened._warm_up()
        return opened

    def encode(self, rows: Sequence[Mapping[str, object]]) -> Encoded:
        """Read rows by the card. Raises InvalidRows."""
        return self.encoder.encode(rows)

    def encode_columns(self, columns: Mapping[str, Column]) -> Encoded:
        """Read columns by the card. Raises InvalidRows."""
        return self.encoder.encode_columns(columns)

    def run(self, encoded: Encoded) -> NDArray[Any]:
        """Answer tensors: probabilities [N, K] in the card's order of classes, or values [N, 1]."""
        feeds = {name: encoded.numeric if name == NUMERIC_INPUT else encoded.text for name in self._inputs}
        output: NDArray[Any] = self._run(self._outputs, feeds, None)[0]
        return output

    def decode(self, output: NDArray[Any]) -> list[Prediction]:
        """Turn an answer into JSON-able predictions. Raises InvalidRows where it is not finite."""
        rows = output.tolist()
        if self._classes and len(rows) > _FEW_ROWS and np.isfinite(output).all():
            return self._classifications(output, rows)
        decoded = (
            [self._classification(row) for row in rows] if self._classes else [self._regression(row) for row in rows]
        )
        if None in decoded:
            raise InvalidRows(
                [
                    FieldError(f"#/rows/{index}", "the numbers are too extreme: the model gives no finite answer")
                    for index, prediction in enumerate(decoded)
                    if prediction is None
                ]
            )
        return decoded  # type: ignore[return-value]  # no None is left

    def write(self, output: NDArray[Any]) -> bytes:
        """Turn an answer into the JSON of `decode`'s predictions. Raises InvalidRows where it is not finite."""
        if len(output) <= _FEW_ROWS or not np.isfinite(output).all():
            # A copy: orjson's own takes 4 kB, however short it is, and predictions may be kept for long.
            return memoryview(orjson.dumps(self.decode(output))).tobytes()
        exact = output.astype(np.float64)
        if self._classes:
            return self._writer.write(exact, label_indexes(exact).tolist())
        return write_values(exact[:, 0], self.card.interval)

    def predict(self, rows: Sequence[Mapping[str, object]]) -> list[Prediction]:
        """Answer rows of features, one prediction each. Raises InvalidRows."""
        return self.decode(self.run(self.encode(rows))) if rows else []

    def predict_columns(self, columns: Mapping[str, Sequence[object]]) -> list[Prediction]:
        """Answer columns of features, one prediction per position. Raises InvalidRows."""
        encoded = self.encode_columns(columns)
        return self.decode(self.run(encoded)) if len(encoded.numeric) else []

    def _classifications(self, output: NDArray[Any], rows: list[list[float]]) -> list[Prediction]:
        """Decode many rows of finite probabilities; in double precision, so that ties are the same as for one row."""
        classes = self._classes
        labels = [classes[index] for index in label_indexes(output.astype(np.float64)).tolist()]
        return [
            {"label": label, "probabilities": dict(zip(classes, row, strict=True))}
            for label, row in zip(labels, rows, strict=True)
        ]

    def _classification(self, probabilities: list[float]) -> Prediction | None:
        threshold = max(probabilities) - TIE
        if not math.isfinite(sum(probabilities)):
            return None
        index = 0
        while probabilities[index] < threshold:
            index += 1
        return {
            "label": self._classes[index],
            "probabilities": dict(zip(self._classes, probabilities, strict=True)),
        }

    def _regression(self, values: list[float]) -> Prediction | None:
        value = values[0]
        if not math.isfinite(value):
            return None
        note = self.card.interval
        if note is None:
            return {"value": value}
        low, high = value - note.half_width, value + note.half_width
        return {"value": value, "interval": {"low": low, "high": high, "coverage": note.coverage}}

    def _warm_up(self) -> None:
        """Run one row of missing cells: the first call pays for allocations, and the shapes must be the card's."""
        counts = {TEXT_INPUT: sum(feature.kind == "category" for feature in self.card.features)}
        counts[NUMERIC_INPUT] = len(self.card.features) - counts[TEXT_INPUT]
        if set(self._inputs) != {name for name, count in counts.items() if count}:
            raise ArtifactRejected(
                f"the file reads {', '.join(self._inputs)}, which is not what the card's features need"
            )
        numeric = np.full((1, counts[NUMERIC_INPUT]), np.nan, dtype=np.float32)
        text = np.full((1, counts[TEXT_INPUT]), "", dtype=object)
        try:
            output = self.run(Encoded(numeric, text, ()))
        except Exception as error:  # onnxruntime's own errors share no root
            raise ArtifactRejected(f"the file does not run on the card's features: {_first_line(error)}") from error
        if output.shape != (1, len(self._classes) or 1):
            raise ArtifactRejected(
                f"the file answers with shape {list(output.shape)}, the card has {len(self._classes)} classes"
            )


def label_indexes(probabilities: NDArray[Any]) -> NDArray[np.intp]:
    """Choose a class per row as `OnnxModel.predict` does: the first among those within a tie of the best."""
    best = probabilities.max(axis=1, keepdims=True)
    return (probabilities >= best - TIE).argmax(axis=1)


def _checked(model: Path | bytes, card: Card) -> bytes:
    try:
        content = model if isinstance(model, bytes) else model.read_bytes()
    except OSError as error:
        raise ArtifactRejected(f"the model file cannot be read: {error.strerror}") from error
    digest = hashlib.sha256(content).hexdigest()
    if digest != card.digest:
        raise ArtifactRejected(
            f"the file's SHA-256 is {digest[:12]}…, the card says {card.digest[:12]}…: it is another file"
        )
    return content


def session_options() -> onnxruntime.SessionOptions:
    """One thread and no arena: a request is microseconds long, and memory stays near the size of the file."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False
    options.log_severity_level = _ERRORS_ONLY
    return options


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
