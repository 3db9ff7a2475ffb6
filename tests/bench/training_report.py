"""Writes down how training compared with others: a line per table, who was better how often, and the ranks."""

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.bench.training_contender import PLAIN
from tests.bench.training_significance import Difference, difference

_LEVEL = 0.01  # of the loss, or of R²: as good as equal
_NAMES = {
    "ours": "Rowcast",
    "flaml": "FLAML",
    "linear": "linear",
    "forest": "random forest",
    "boosting": "HistGB",
    "picked": "default picked by cross-validation",
    "best": "best default, by hindsight",
}
_RANKED = ("ours", "flaml", *PLAIN)
_JUDGED = ("flaml", "best", "picked")


@dataclass(frozen=True)
class Outcome:
    """The scores of everybody on one table and seed."""

    table: str
    rows: int
    columns: int
    seed: int
    classes: bool
    scores: Mapping[str, float]
    losses: Mapping[str, NDArray[np.float64]]
    """Of every row that was put aside; `tested` says which of the table they are."""
    tested: NDArray[np.intp]
    note: str

    def gain(self, other: str) -> float:
        """Tell by how much ours is better."""
        difference = self._of(other) - self.scores["ours"]
        return difference if self.classes else -difference

    def margin(self, other: str) -> float:
        """Give the difference that does not count."""
        return _LEVEL * (abs(self._of(other)) if self.classes else 1.0)

    def ranks(self) -> dict[str, float]:
        """Rank those who took part, 1 for the best."""
        present = [who for who in _RANKED if who in self.scores]
        losses = np.array([self.scores[who] if self.classes else -self.scores[who] for who in present])
        return {who: float((losses < loss).sum() + 1) for who, loss in zip(present, losses, strict=True)}

    def _of(self, other: str) -> float:
        if other == "best":
            return (min if self.classes else max)(self.scores[recipe] for recipe in PLAIN)
        return self.scores[other]


def row(outcome: Outcome) -> str:
    """Write one outcome as it comes."""
    shown = [f"{_NAMES[who]} {score:.4f}" for who, score in outcome.scores.items()]
    return f"{outcome.table}, seed {outcome.seed}: {'; '.join(shown)}; {outcome.note}"


def report(outcomes: Sequence[Outcome], seconds: float, others: str) -> str:
    """Write all of it as a document."""
    present = [who for who in (*_RANKED, "picked") if who in outcomes[0].scores]
    against = [who for who in ("flaml", "best", "picked", *PLAIN) if who == "best" or who in outcomes[0].scores]
    tables = list(dict.fromkeys(outcome.table for outcome in outcomes))
    lines = [
        "# Training beside FLAML and plain scikit-learn",
        "",
        _circumstances(seconds, others),
        "",
        f"| table (rows × columns) | seeds | score | {' | '.join(_NAMES[who] for who in present)} |",
        f"|---|---:|---|{'---:|' * len(present)}",
        *(_line([one for one in outcomes if one.table == table], present) for table in tables),
        "",
        f"| Rowcast against | better | level (within {_LEVEL:.0%}) | worse | tables ahead by the mean of the seeds |",
        "|---|---:|---:|---:|---:|",
        *(_sums(outcomes, other) for other in against),
        "",
        "Are these differences more than noise? Per table, by how much Rowcast's loss (log loss, or what R² lacks to one) is smaller",
        "than the other's in the mean over all rows that were put aside, ± 95 %; rows are paired, and a row that several seeds put",
        "aside counts once. The best default is the one that is best on these very rows.",
        "",
        f"| table | {' | '.join(_NAMES[who] for who in _JUDGED)} |",
        f"|---|{'---|' * len(_JUDGED)}",
        *(_verdicts([one for one in outcomes if one.table == table]) for table in tables),
        "",
        "| Rowcast against | tables ahead | no difference | below |",
        "|---|---:|---:|---:|",
        *(_verdict_sums(outcomes, tables, other) for other in against),
        "",
        f"Mean rank of {len(_ranked(outcomes))}: {_ranks(outcomes)}.",
        "",
    ]
    return "\n".join(lines)


def _circumstances(seconds: float, others: str) -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    cpu = next((line for line in lines if line.startswith("model name")), "model name: unknown").split(":")[1]
    return (
        f"Measured {datetime.now(UTC):%Y-%m-%d %H:%M} UTC by `python -m tests.bench.compare_training` on {os.cpu_count()} cores of"
        f"{cpu} ({platform.machine()}), Python {platform.python_version()}, scikit-learn {version('scikit-learn')}; {others}. "
        f"Each seed puts a quarter of the rows aside at random; {seconds:g} CPU seconds on one thread for Rowcast and "
        "FLAML each, one at a time. Shown is the mean over the seeds of log loss (lower is better) or R² (higher is better); the "
        "best of a line is bold. scikit-learn's defaults stand behind mean imputation and one-hot columns."
    )


def _line(outcomes: Sequence[Outcome], present: Sequence[str]) -> str:
    first = outcomes[0]
    means = {who: float(np.mean([one.scores[who] for one in outcomes])) for who in present}
    best = (min if first.classes else max)(means.values())
    shown = [f"**{mean:.4f}**" if mean == best else f"{mean:.4f}" for mean in means.values()]
    score = "log loss" if first.classes else "R²"
    return f"| {first.table} ({first.rows:,} × {first.columns}) | {len(outcomes)} | {score} | {' | '.join(shown)} |"


def _sums(outcomes: Sequence[Outcome], other: str) -> str:
    gains = [(one.gain(other), one.margin(other)) for one in outcomes]
    better, worse = sum(gain > margin for gain, margin in gains), sum(gain < -margin for gain, margin in gains)
    by_table: dict[str, list[float]] = {}
    for one, (gain, _) in zip(outcomes, gains, strict=True):
        by_table.setdefault(one.table, []).append(gain)
    ahead = sum(float(np.mean(each)) >= 0 for each in by_table.values())
    level = len(gains) - better - worse
    return f"| {_NAMES[other]} | {better} | {level} | {worse} | {ahead} of {len(by_table)} |"


def _difference(outcomes: Sequence[Outcome], other: str) -> Difference | None:
    """Compare with another on one table; None if it was not asked."""
    if other == "best":
        other = min(PLAIN, key=lambda recipe: float(np.concatenate([one.losses[recipe] for one in outcomes]).mean()))
    if other not in outcomes[0].losses:
        return None
    return difference(
        [one.tested for one in outcomes],
        [one.losses["ours"] for one in outcomes],
        [one.losses[other] for one in outcomes],
    )


def _verdicts(outcomes: Sequence[Outcome]) -> str:
    found = [_difference(outcomes, other) for other in _JUDGED]
    return f"| {outcomes[0].table} | {' | '.join(one.shown if one else 'not asked' for one in found)} |"


def _verdict_sums(outcomes: Sequence[Outcome], tables: Sequence[str], other: str) -> str:
    found = [_difference([one for one in outcomes if one.table == table], other) for table in tables]
    told = [one.verdict for one in found if one]
    return f"| {_NAMES[other]} | {' | '.join(str(told.count(each)) for each in ('ahead', 'no difference', 'below'))} |"


def _ranked(outcomes: Sequence[Outcome]) -> list[str]:
    return list(outcomes[0].ranks())


def _ranks(outcomes: Sequence[Outcome]) -> str:
    ranks = {who: float(np.mean([one.ranks()[who] for one in outcomes])) for who in _ranked(outcomes)}
    return ", ".join(f"{_NAMES[who]} {rank:.2f}" for who, rank in sorted(ranks.items(), key=lambda item: item[1]))
