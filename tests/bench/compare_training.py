"""Compares training with FLAML and with plain scikit-learn at an equal time budget. Opt-in: no test runs it.

`python -m tests.bench.compare_training --seconds 10 --seeds 4 --flaml OTHER/bin/python --folder MORE/CSVS`

Ours and FLAML run at the same time, each on a core of its own and one thread; budgets are CPU seconds, so that what else the
machine does hits neither.
FLAML is asked through the Python of an environment that has it. A score is the log loss (lower is better) or R² (higher is
better) on a quarter of the rows, chosen by the seed; `best plain` is chosen by hindsight.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import log_loss, r2_score
from sklearn.model_selection import train_test_split

from tests.bench.training_tables import TARGET, is_classification, tables

PLAIN = ("linear", "forest", "boosting")
_CONTENDER = Path(__file__).with_name("training_contender.py")
_LEVEL = 0.01  # of the score: as good as equal
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def main() -> None:
    """Print a line per table and seed, and what they add up to."""
    options = _options()
    print("| table | seed | ours | FLAML | best plain | what won | notes |")
    print("|---|---|---|---|---|---|---|")
    rows: list[dict[str, Any]] = []
    for name, frame in tables(options.folder):
        if options.only and name not in options.only:
            continue
        for seed in range(options.first_seed, options.first_seed + options.seeds):
            row = _compare(frame, seed, options)
            rows.append({"table": name, **row})
            shown = [_shown(row[who]) for who in ("ours", "flaml", "plain")]
            print(f"| {name} | {seed} | {' | '.join(shown)} | {_first(row)} | {row['note']} |", flush=True)
    print()
    print(_sums(rows, "flaml", "FLAML"))
    print(_sums(rows, "plain", "the best plain default by hindsight"))
    for recipe in PLAIN:
        print(_sums(rows, recipe, f"plain {recipe}"))


def _options() -> Any:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", default=())
    parser.add_argument("--flaml", type=Path, help="the Python of an environment with FLAML")
    parser.add_argument("--folder", type=Path, help="CSV files; the last column of each is its target")
    return parser.parse_args()


def _compare(frame: pd.DataFrame, seed: int, options: Any) -> dict[str, Any]:
    classes = is_classification(frame)
    train, test = train_test_split(frame, random_state=seed, stratify=frame[TARGET] if classes else None)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        train.to_csv(folder / "train.csv", index=False)
        test.to_csv(folder / "test.csv", index=False)
        running = [_start("ours", Path(sys.executable), folder, options.seconds, seed, 0)]
        if options.flaml:
            running.append(_start("flaml", options.flaml, folder, options.seconds, seed, 1))
        _finish(running)
        for recipe in PLAIN:
            _finish([_start(recipe, Path(sys.executable), folder, 0, seed, 0)])
        answered = {path.stem: np.load(path) for path in folder.glob("*.npz")}
        scores = {who: _score(test[TARGET], one) for who, one in answered.items()}
        notes = [str(answered[who]["note"]) for who in ("ours", "flaml") if who in answered]
        seconds = [f"{float(answered[who]['seconds']):.0f} s" for who in ("ours", "flaml") if who in answered]
        latency = f"{float(answered['ours']['row']) * 1e3:.2f} ms/row"
    best = (min if classes else max)(scores[recipe] for recipe in PLAIN)
    note = f"{', '.join(notes)}; {', '.join(seconds)}; {latency}"
    return {"flaml": np.nan, **scores, "plain": best, "lower": classes, "note": note}


def _start(
    who: str, python: Path, folder: Path, seconds: float, seed: int, core: int
) -> tuple[str, subprocess.Popen[bytes]]:
    command = [str(python), str(_CONTENDER), who, str(folder), str(seconds), str(seed)]
    environ = {**os.environ, **_ONE_THREAD}
    if who != "flaml":
        environ["PYTHONPATH"] = str(_CONTENDER.parents[2])
    cores = sorted(os.sched_getaffinity(0))
    process = subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    os.sched_setaffinity(process.pid, {cores[core % len(cores)]})
    return who, process


def _finish(running: list[tuple[str, subprocess.Popen[bytes]]]) -> None:
    for who, process in running:
        _, errors = process.communicate()
        if process.returncode:
            raise SystemExit(f"{who} failed:\n{errors.decode()[-2000:]}")


def _score(answers: pd.Series, answered: Any) -> float:
    if pd.api.types.is_numeric_dtype(answers):
        return float(r2_score(answers, answered["answers"]))
    labels = [str(label) for label in answered["classes"]]
    codes = [labels.index(answer) for answer in answers]
    stated = np.clip(answered["answers"], 1e-15, 1)
    return float(log_loss(codes, stated / stated.sum(axis=1, keepdims=True), labels=range(len(labels))))


def _shown(score: float) -> str:
    return "–" if np.isnan(score) else f"{score:.4f}"


def _gain(row: dict[str, Any], other: str) -> float:
    return float(row[other] - row["ours"]) if row["lower"] else float(row["ours"] - row[other])


def _margin(row: dict[str, Any], other: str) -> float:
    return _LEVEL * (abs(row[other]) if row["lower"] else 1.0)


def _first(row: dict[str, Any]) -> str:
    better = [name for name in ("flaml", "plain") if _gain(row, name) < -_margin(row, name)]
    return "ours" if not better else " and ".join(better)


def _sums(rows: list[dict[str, Any]], other: str, name: str) -> str:
    known = [row for row in rows if not np.isnan(row[other])]
    gains = [(_gain(row, other), _margin(row, other)) for row in known]
    better, worse = sum(gain > margin for gain, margin in gains), sum(gain < -margin for gain, margin in gains)
    by_table: dict[str, list[float]] = {}
    for row, (gain, _) in zip(known, gains, strict=True):
        by_table.setdefault(row["table"], []).append(gain)
    ahead = sum(np.mean(each) >= 0 for each in by_table.values())
    return (
        f"Against {name}: better in {better}, level (within {_LEVEL:.0%}) in {len(known) - better - worse}, worse in "
        f"{worse} of {len(known)}; ahead by the mean of the seeds on {ahead} of {len(by_table)} tables."
    )


if __name__ == "__main__":
    main()
