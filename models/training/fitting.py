"""Training and asking one pipeline, in the shapes that the rest of training works with."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

type Outputs = NDArray[np.float64]


def predict(pipeline: Pipeline, inputs: Any, classes: int = 0) -> Outputs:
    """Give probabilities [N, K] or values [N].

    With `classes`, K is that many: a class of which the training rows had none gets no probability.
    """
    asked = pipeline.predict_proba if hasattr(pipeline, "predict_proba") else pipeline.predict
    outputs: Outputs = np.asarray(asked(inputs), dtype=np.float64)
    return widened(pipeline, outputs, classes)


def widened(fitted: Any, outputs: Outputs, classes: int) -> Outputs:
    """Give a class that the training rows lacked no probability."""
    if not classes or outputs.shape[1] in {1, classes}:
        return outputs
    wide = np.zeros((len(outputs), classes))
    wide[:, fitted.classes_] = outputs
    return wide


def raw_scores(pipeline: Pipeline, inputs: Any, classes: int) -> Outputs:
    """Give the scores that a calibration would start from, [N, 1] for two classes and [N, K] for more."""
    if hasattr(pipeline, "decision_function") and len(pipeline.classes_) == classes:
        scores: Outputs = np.asarray(pipeline.decision_function(inputs), dtype=np.float64)
        return scores.reshape(len(scores), -1)
    probabilities = predict(pipeline, inputs, classes)
    return probabilities[:, 1:] if probabilities.shape[1] == 2 else probabilities  # noqa: PLR2004  # two classes


def take(inputs: Any, rows: NDArray[np.intp]) -> Any:
    """Give some rows of a pipeline's inputs."""
    return inputs[rows] if isinstance(inputs, np.ndarray) else inputs.iloc[rows]
