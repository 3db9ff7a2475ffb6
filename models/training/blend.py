"""One or more trained pipelines that answer together: the weighted mean of what each answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from models.training.fitting import Outputs, predict


@dataclass(frozen=True)
class Blend:
    """Pipelines and their weights, which sum to one. A single pipeline is a blend of one."""

    members: Sequence[tuple[float, Pipeline]]

    def fit(self, inputs: Any, answers: NDArray[Any]) -> Self:
        """Train every member on the same rows."""
        for _, pipeline in self.members:
            pipeline.fit(inputs, answers)
        return self

    def predict(self, inputs: Any) -> Outputs:
        """Give probabilities [N, K] or values [N]."""
        outputs: Outputs = np.sum([weight * predict(pipeline, inputs) for weight, pipeline in self.members], axis=0)
        return outputs

    @property
    def constructs(self) -> str:
        """Name what it is made of, for messages."""
        return " + ".join(" → ".join(type(step).__name__ for _, step in pipeline.steps) for _, pipeline in self.members)
