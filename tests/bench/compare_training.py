"""Compares training with FLAML and with plain scikit-learn at an equal time budget. Opt-in: no test runs it.

`python -m tests.bench.compare_training --seconds 10 --seeds 4 --flaml OTHER/bin/python --folder MORE/CSVS --write`

One contender runs at a time, on one thread; budgets are CPU seconds, so that what else the machine does hits nobody.
FLAML is asked through the Python of an environment that has it. With `--keep`, answers that are there are not asked for again:
whoever has changed the trainer takes each `ours.npz` away first. A score is the log loss (lower is better) or R² (higher is better) on a quarter
of the rows, chosen by the seed.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split

from tests.bench.training_report import Outcome, report, row
from tests.bench.training_significance import amount_losses, class_losses
from tests.bench.training_tables import TARGET, is_classification, tables

RESULTS = Path(__file__).with_name("TRAINING.md")

_LAST = {"plain": "picked"}  # what is written last
_CONTENDER = Path(__file__).with_name("training_contender.py")
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
_VERSION = "import flaml, sklearn, lightgbm, xgboost as x; print(f'FLAML {flaml.__version__}, LightGBM {lightgbm.__version__}, '"
_VERSION += "f'XGBoost {x.__version__}, scikit-learn {sklearn.__version__}')"


def main() -> None:
    """Print a line per table and seed, and what they add up to; whoever ends it early has all tables of the seeds so far."""
    options = _options()
    outcomes: list[Outcome] = []
    wanted = [(name, frame) for name, frame in tables(options.folder) if not options.only or name in options.only]
    version = _flaml_version(options.flaml)
    for seed in range(options.first_seed, options.first_seed + options.seeds):
        for name, frame in wanted:
            if options.kept and not _is_kept(name, seed, options):
                continue
            outcomes.append(_compare(name, frame, seed, options))
            print(row(outcomes[-1]), flush=True)
    told = report(outcomes, options.seconds, version)
    if options.write:
        RESULTS.write_text(told, encoding="utf-8")
    print(told)


def _options() -> Any:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", default=())
    parser.add_argument("--flaml", type=Path, help="the Python of an environment with FLAML")
    parser.add_argument("--folder", type=Path, help="CSV files; the last column of each is its target")
    parser.add_argument("--keep", type=Path, help="where answers of others are kept for the next time")
    parser.add_argument("--kept", action="store_true", help="sum up what is kept, and ask nobody")
    parser.add_argument("--write", action="store_true", help=f"write {RESULTS.name}")
    return parser.parse_args()


def _flaml_version(python: Path | None) -> str:
    if python is None:
        return "no FLAML"
    return subprocess.run([python, "-c", _VERSION], capture_output=True, text=True, check=True).stdout.strip()


def _compare(name: str, frame: pd.DataFrame, seed: int, options: Any) -> Outcome:
    classes = is_classification(frame)
    train, test = train_test_split(frame, random_state=seed, stratify=frame[TARGET] if classes else None)
    with _folder(name, seed, options) as folder:
        train.to_csv(folder / "train.csv", index=False)
        test.to_csv(folder / "test.csv", index=False)
        for who in ("ours", *(["flaml"] if options.flaml else []), "plain"):
            if not (folder / f"{_LAST.get(who, who)}.npz").exists():
                _run(who, options.flaml if who == "flaml" else Path(sys.executable), folder, options.seconds, seed)
        answered = {path.stem: dict(np.load(path)) for path in folder.glob("*.npz")}
    scores = {who: _score(test[TARGET], one) for who, one in answered.items()}
    losses = {who: _losses(test[TARGET], one) for who, one in answered.items()}
    ours = answered["ours"]
    note = f"{ours['note']}, {float(ours['seconds']):.0f} s, {float(ours['row']) * 1e3:.2f} ms/row"
    rows, columns = frame.shape
    return Outcome(name, rows, columns - 1, seed, classes, scores, losses, test.index.to_numpy(), note)


def _is_kept(name: str, seed: int, options: Any) -> bool:
    return all((_kept_folder(name, seed, options) / f"{who}.npz").exists() for who in ("ours", "flaml", "picked"))


def _kept_folder(name: str, seed: int, options: Any) -> Path:
    return Path(options.keep / f"{name}-{seed}-{options.seconds:g}")


@contextmanager
def _folder(name: str, seed: int, options: Any) -> Iterator[Path]:
    """Give a place for the answers to one question."""
    if options.keep is None:
        with tempfile.TemporaryDirectory() as made:
            yield Path(made)
        return
    kept = _kept_folder(name, seed, options)
    kept.mkdir(parents=True, exist_ok=True)
    yield kept


def _run(who: str, python: Path, folder: Path, seconds: float, seed: int) -> None:
    environ = {**os.environ, **_ONE_THREAD}
    if who != "flaml":
        environ["PYTHONPATH"] = str(_CONTENDER.parents[2])
    command = [str(python), str(_CONTENDER), who, str(folder), str(seconds), str(seed)]
    done = subprocess.run(command, env=environ, capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(f"{who} failed:\n{done.stderr.decode()[-2000:]}")


def _score(answers: pd.Series, answered: Any) -> float:
    if pd.api.types.is_numeric_dtype(answers):
        return float(r2_score(answers, answered["answers"]))
    return float(_losses(answers, answered).mean())


def _losses(answers: pd.Series, answered: Any) -> Any:
    """Give each row's loss: of the first kind its mean is the log loss, of the second what R² lacks to one."""
    if pd.api.types.is_numeric_dtype(answers):
        return amount_losses(answers.to_numpy(dtype=np.float64), answered["answers"])
    labels = [str(label) for label in answered["classes"]]
    codes = np.array([labels.index(answer) for answer in answers])
    return class_losses(codes, np.asarray(answered["answers"], dtype=np.float64))


if __name__ == "__main__":
    main()
