"""Boosting that grows while it gets better: the number of iterations is read from curves and need not be searched for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from models.training.fitting import Outputs, widened

_FIRST = 25  # iterations, then half as many again each time
_FACTOR = 1.5
_STEP = 1.08  # between the numbers of iterations that are judged
_SMALLEST = 1e-12


@dataclass(frozen=True)
class Stage:
    """What a fit answered after so many iterations."""

    iterations: int
    loss: float
    outputs: NDArray[np.float32]


def grow(
    pipeline: Pipeline,
    inputs: Any,
    answers: NDArray[Any],
    asked: Any,
    *,
    classes: int,
    loss: Callable[[Outputs], float],
    is_over: Callable[[], bool],
    to_the_end: bool = False,
) -> list[Stage]:
    """Learn until a third of the iterations brought nothing, and give the stages on the way.

    Args:
        pipeline: Its last step is a boosting model, whose `max_iter` is the most.
        inputs: What to learn from.
        answers: The answers to it.
        asked: What to answer after each iteration.
        classes: How many there are, 0 for amounts.
        loss: Judges the answers.
        is_over: Ends the growth early, after at least some iterations.
        to_the_end: Go to the most whatever the losses are; only the last stage is judged.
    """
    columns, model = pipeline[:-1], pipeline[-1]
    learned, seen = columns.fit_transform(inputs, answers), columns.transform(asked)
    most, reached, size = int(model.max_iter), 0, float(_FIRST)
    stages: list[Stage] = []
    while True:
        total = min(round(size), most)
        model.set_params(warm_start=True, max_iter=total).fit(learned, answers)
        answered = model.staged_predict_proba(seen) if classes else model.staged_predict(seen)
        for number, answer in enumerate(answered, 1):
            if number > reached and (number == total if to_the_end else _is_judged(number, total)):
                outputs = widened(model, np.asarray(answer, dtype=np.float64), classes)
                stages.append(Stage(number, loss(outputs), outputs.astype(np.float32)))
        reached, size = total, size * _FACTOR
        if total == most or is_over() or (not to_the_end and _best(stages) * _FACTOR < reached):
            return stages


def common_iterations(paths: Sequence[Sequence[Stage]]) -> int:
    """Choose the number of iterations with the smallest mean loss of several fits, among those that all have reached."""
    curves = [{stage.iterations: stage.loss for stage in path} for path in paths]
    shared = set.intersection(*map(set, curves))
    return min(sorted(shared), key=lambda number: sum(curve[number] for curve in curves))


def scores_behind(outputs: Outputs) -> Outputs:
    """Give the scores whose softmax, or sigmoid, probabilities are, [N, 1] for two classes and [N, K] for more."""
    logs = np.log(np.clip(outputs, _SMALLEST, 1.0))
    if outputs.shape[1] == 2:  # noqa: PLR2004  # two classes
        binary: Outputs = logs[:, 1:] - logs[:, :1]
        return binary
    centred: Outputs = logs - logs.mean(axis=1, keepdims=True)
    return centred


def _best(stages: Sequence[Stage]) -> int:
    return min(stages, key=lambda stage: stage.loss).iterations


def _is_judged(number: int, total: int) -> bool:
    """Tell whether a number of iterations is one of those, ever further apart, that are judged."""
    return number == total or int(np.log(number) / np.log(_STEP)) > int(np.log(max(number - 1, 1)) / np.log(_STEP))
