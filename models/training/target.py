"""Reads the column to predict and decides what kind of question it is."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
from numpy.typing import NDArray

from models.coercion import NUMBERS_WRITTEN, coerce_category, coerce_number, coerce_written_number
from models.contract import Task
from models.errors import CoercionError, DatasetRejected
from models.training.facts import facts_of
from models.training.kinds import judge

MIN_ROWS = 20
"""Fewer labelled rows than this cannot be split into a part to learn from and a part to be judged by."""

MAX_CLASSES = 100

_FEW_WHOLE_NUMBERS = 10  # up to here whole numbers are read as classes, beyond as amounts
_MIN_ROWS_PER_NUMBER = 5  # fewer rows per number than this, and the numbers are amounts after all
_MIN_LABELLED_SHARE = 0.2
_SHOWN = 5


@dataclass(frozen=True)
class Target:
    """The answers: class codes (int64, in the order of `classes`) or amounts (float64), for the rows in `kept`."""

    name: str
    task: Task
    classes: list[str]
    answers: NDArray[np.int64] | NDArray[np.float64]
    kept: NDArray[np.bool_]
    warnings: list[str]


def read_target(columns: Mapping[str, Sequence[str]], name: str, task: Task | None = None) -> Target:
    """Read the target and settle the task. Raises DatasetRejected."""
    if name not in columns:
        raise DatasetRejected(f"there is no column named {name!r}{_suggestion(name, list(columns))}")
    texts = _texts(columns[name])
    kept = np.array([text != "" for text in texts], dtype=bool)
    labelled = [text for text in texts if text]
    warnings = _check_labels(name, len(texts), len(labelled))
    counts = Counter(labelled)
    numbers = _numbers(counts)
    if len(set(numbers.values()) if numbers else counts) < 2:  # noqa: PLR2004  # one answer is no question
        raise DatasetRejected(
            f"the target {name!r} is always {labelled[0]!r}: choose a target with at least two different values"
        )
    if task == "regression" and numbers is None:
        odd = next(text for text in counts if not _is_number(text))
        raise DatasetRejected(f"the target {name!r} holds text such as {odd!r}: a regression needs numbers throughout")
    if task == "regression" or (task is None and numbers and _are_amounts(numbers, counts)):
        values = np.array([(numbers or {})[text] for text in labelled], dtype=np.float64)
        return Target(name, "regression", [], values, kept, warnings)
    return _classification(name, labelled, numbers, kept, warnings, task)


def _texts(cells: Sequence[str]) -> list[str]:
    known = {cell: coerce_category(cell) for cell in set(cells)}
    return [known[cell] for cell in cells]


def _check_labels(name: str, rows: int, labelled: int) -> list[str]:
    if labelled < _MIN_LABELLED_SHARE * rows or labelled == 0:
        raise DatasetRejected(
            f"the target {name!r} is missing in {rows - labelled} of {rows} rows: fill it in or choose another column"
        )
    if labelled < MIN_ROWS:
        raise DatasetRejected(
            f"there are {labelled} rows with a target: training needs at least {MIN_ROWS}, so add rows"
        )
    if labelled < rows:
        return [f"{rows - labelled} of {rows} rows have no {name!r} and are left out."]
    return []


def _is_number(text: str) -> bool:
    try:
        coerce_number(text)
    except CoercionError:
        return False
    return True


def _numbers(counts: Counter[str]) -> dict[str, float] | None:
    """Read all values as numbers, decimal commas where they are certain, or give None when one is none."""
    try:
        return {text: coerce_number(text) for text in counts}
    except CoercionError:
        pass
    written = judge(facts_of("", counts)).written
    try:
        return {text: coerce_written_number(text, written) for text in counts} if written in NUMBERS_WRITTEN else None
    except CoercionError:
        return None


def _are_amounts(numbers: Mapping[str, float], counts: Counter[str]) -> bool:
    distinct = len(set(numbers.values()))
    if not all(number.is_integer() for number in numbers.values()):
        return True
    return distinct > _FEW_WHOLE_NUMBERS or counts.total() < _MIN_ROWS_PER_NUMBER * distinct


def _classification(
    name: str,
    labelled: list[str],
    numbers: Mapping[str, float] | None,
    kept: NDArray[np.bool_],
    warnings: list[str],
    task: Task | None,
) -> Target:
    if numbers:  # 1, 1.0 and 01 are one class
        labelled = [coerce_category(numbers[text]) for text in labelled]
    counts = Counter(labelled)
    classes = sorted(counts, key=(lambda label: (float(label), label)) if numbers else None)
    if len(classes) > MAX_CLASSES:
        hint = ": set the task to regression to predict it as an amount" if numbers else ": choose a column with fewer"
        raise DatasetRejected(
            f"the target {name!r} has {len(classes)} different values; the limit is {MAX_CLASSES} classes{hint}"
        )
    single = [label for label in classes if counts[label] == 1]
    if single:
        raise DatasetRejected(
            f"the target {name!r} has only one row of {', '.join(map(repr, single[:_SHOWN]))}: "
            "add rows of that class or remove the row"
        )
    if task == "binary" and len(classes) != 2:  # noqa: PLR2004  # what binary means
        raise DatasetRejected(f"the target {name!r} has {len(classes)} classes: a binary task needs two")
    if numbers and task is None:
        warnings = [
            *warnings,
            f"The numbers of {name!r} are read as classes; set the task to regression if they are amounts.",
        ]
    codes = {label: code for code, label in enumerate(classes)}
    values = np.array([codes[label] for label in labelled], dtype=np.int64)
    return Target(name, task or ("binary" if len(classes) == 2 else "multiclass"), classes, values, kept, warnings)  # noqa: PLR2004


def _suggestion(name: str, columns: list[str]) -> str:
    close = get_close_matches(name, columns, n=1, cutoff=0.5) or [
        one for one in columns if one.lower() == name.strip().lower()
    ]
    if close:
        return f": did you mean {close[0]!r}?"
    shown = ", ".join(columns[:_SHOWN]) + (", …" if len(columns) > _SHOWN else "")
    return f": the columns are {shown}"
