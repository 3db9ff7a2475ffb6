"""What a careful reader would suspect of a table once the column to predict is known.

Each column is asked to predict the target alone, on rows it has not seen; one that does so almost perfectly is more often
the answer in other words than a discovery.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from models.errors import DatasetRejected
from models.training.facts import cell_text
from models.training.number_cells import values_of
from models.training.target import Target, read_target
from models.training.verdict import Verdict

type Warned = tuple[str, str | None, str]
"""Code, column, sentence."""

_NUMERIC = {"number", "integer", "date", "boolean"}
_MIN_ROWS = 40
_ALMOST_PERFECT = 0.95  # of the target's uncertainty, explained by one column alone
_BINS = 200
_ROWS_PER_BIN = 40
_FEW_OF_A_CLASS = 10
_LOPSIDED = 0.95
_SHOWN = 5
_SHIFTED = 0.1  # of the rows in other classes, or of the standard deviation times three
_CERTAIN = 5.0  # standard errors
_AFTERWARDS = frozenset(
    {"outcome", "result", "resolution", "resolved", "closed", "cancelled", "canceled", "refunded", "settled"}
    | {"actual", "predicted", "prediction", "forecast", "label", "final", "ended"}
)
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")


@dataclass(frozen=True)
class Suspect:
    """A column with the cells of the sampled rows."""

    name: str
    verdict: Verdict
    cells: Sequence[str]

    @cached_property
    def values(self) -> NDArray[np.float64]:
        """The cells as numbers; NaN where there is none."""
        return values_of(self.cells, self.verdict.type, self.verdict.written)

    @cached_property
    def codes(self) -> NDArray[np.intp]:
        """The cells as numbers of their different texts."""
        texts = np.array([cell_text(cell) for cell in self.cells], dtype=object)
        return np.unique(texts.astype(str), return_inverse=True)[1]


def suspicions(columns: Sequence[Suspect], target_name: str) -> list[Warned]:
    """Say what is suspicious. A target that cannot be read is said, too."""
    cells = {one.name: one.cells for one in columns}
    try:
        target = read_target(cells, target_name, None)
    except DatasetRejected as refused:
        return [("target_unusable", target_name, f"Column {target_name!r} cannot be predicted: {refused}.")]
    rows = np.flatnonzero(target.kept)
    warned: list[Warned] = [("target_missing", target_name, text) for text in target.warnings if "are left out" in text]
    warned += _class_warnings(target)
    for one in columns:
        if one.name == target_name or one.verdict.reason is not None:
            continue
        codes = _codes(one, rows, min(len(rows) // _ROWS_PER_BIN, _BINS) if target.classes else _BINS)
        share = _explained_alone(codes, target)
        if share >= _ALMOST_PERFECT:
            text = (
                f"alone explains {share:.0%} of {target_name!r}: leave it out if it is only known when the answer is."
            )
            warned.append(("leakage_suspect", one.name, f"Column {one.name!r} {text}"))
        elif _is_known_afterwards(one.name, target_name):
            text = f"sounds as if it were known only after {target_name!r}: leave it out if so."
            warned.append(("leakage_name", one.name, f"Column {one.name!r} {text}"))
        if one.verdict.type == "date":
            warned += _shift(one, rows, target)
    return warned


def _class_warnings(target: Target) -> list[Warned]:
    if not target.classes:
        return []
    counts = Counter(target.answers.tolist())
    small = [target.classes[code] for code, count in sorted(counts.items()) if count < _FEW_OF_A_CLASS]
    warned: list[Warned] = []
    if small:
        shown = ", ".join(map(repr, small[:_SHOWN])) + (", …" if len(small) > _SHOWN else "")
        warned.append(("tiny_class", target.name, f"There are fewer than {_FEW_OF_A_CLASS} rows of {shown}."))
    code, most = counts.most_common(1)[0]
    if most > _LOPSIDED * len(target.answers):
        share = most / len(target.answers)
        warned.append(("imbalance", target.name, f"{share:.1%} of the rows are {target.classes[int(code)]!r}."))
    return warned


def _is_known_afterwards(name: str, target: str) -> bool:
    words = {word.lower() for word in _WORDS.findall(name)}
    asked = {word.lower() for word in _WORDS.findall(target)}
    return bool(words & _AFTERWARDS) or (asked < words and max(map(len, asked), default=0) > len("age"))


def _codes(one: Suspect, rows: NDArray[np.intp], bins: int) -> NDArray[np.intp]:
    """Sort a column's cells into at most some hundred bins; missing cells have their own."""
    if one.verdict.type not in _NUMERIC:
        return one.codes[rows]
    values = one.values[rows]
    known = values[~np.isnan(values)]
    if not len(known):
        return np.zeros(len(values), dtype=np.intp)
    edges = np.unique(np.quantile(known, np.linspace(0, 1, bins + 1)[1:-1]))
    codes = np.searchsorted(edges, values, side="right")
    return np.where(np.isnan(values), len(edges) + 1, codes)


def _explained_alone(codes: NDArray[np.intp], target: Target) -> float:
    """Tell how much of the target's uncertainty goes away by a column alone, on the half that was not looked at."""
    answers = target.answers
    if len(answers) < _MIN_ROWS:
        return 0.0
    learned, judged = np.arange(len(answers)) % 2 == 0, np.arange(len(answers)) % 2 == 1
    size = int(codes.max()) + 1
    count = np.bincount(codes[learned], minlength=size)
    if not target.classes:
        mean = float(answers[learned].mean())
        sums = np.bincount(codes[learned], weights=answers[learned], minlength=size)
        predicted = np.where(count > 0, sums / np.maximum(count, 1), mean)[codes[judged]]
        spread = float(((answers[judged] - mean) ** 2).sum())
        return 1.0 - float(((answers[judged] - predicted) ** 2).sum()) / spread if spread else 0.0
    shares = np.bincount(answers[learned], minlength=len(target.classes)) / learned.sum()
    joint = np.zeros((size, len(shares)))
    np.add.at(joint, (codes[learned], answers[learned]), 1.0)
    smoothed = (joint + 0.5 * shares) / (count + 0.5)[:, None]
    chosen = smoothed[codes[judged], answers[judged]]
    before = -float(np.log(np.maximum(shares[answers[judged]], 1e-9)).mean())
    after = -float(np.log(np.maximum(chosen, 1e-9)).mean())
    return 1.0 - after / before if before > 0 else 0.0


def _shift(one: Suspect, rows: NDArray[np.intp], target: Target) -> list[Warned]:
    """Compare the answers of the earlier with those of the later half by a date."""
    moments = one.values[rows]
    known = ~np.isnan(moments)
    late = moments[known] > np.median(moments[known])
    answers = target.answers[known]
    if min(late.sum(), (~late).sum()) < _MIN_ROWS:
        return []
    early_part, late_part = answers[~late], answers[late]
    if not target.classes:
        spread = float(answers.std()) or 1.0
        moved = float(late_part.mean() - early_part.mean())
        error = spread * float(np.sqrt(1 / len(late_part) + 1 / len(early_part)))
        if abs(moved) < 3 * _SHIFTED * spread or abs(moved) < _CERTAIN * error:
            return []
        change = f"its mean goes from {early_part.mean():.4g} to {late_part.mean():.4g}"
    else:
        codes = (early_part.astype(np.int64), late_part.astype(np.int64))
        shares = [np.bincount(part, minlength=len(target.classes)) / len(part) for part in codes]
        moves = shares[1] - shares[0]
        code = int(np.abs(moves).argmax())
        both = float((shares[0][code] + shares[1][code]) / 2)
        error = float(np.sqrt(both * (1 - both) * (1 / len(late_part) + 1 / len(early_part))))
        if abs(moves[code]) < _SHIFTED or abs(moves[code]) < _CERTAIN * error:
            return []
        change = f"{target.classes[code]!r} goes from {shares[0][code]:.0%} to {shares[1][code]:.0%} of the rows"
    text = f"{target.name!r} changes over {one.name!r}: {change}; hold out by time to judge a model fairly."
    return [("target_shift", one.name, text)]
