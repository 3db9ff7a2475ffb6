"""Trains one file without any server: `python -m models.training FILE --target COLUMN --out FOLDER`."""

import argparse
import sys
from pathlib import Path
from typing import Any

from models.errors import ModelError
from models.training import TrainOptions, read_table, train, write


def main(arguments: list[str] | None = None) -> int:
    """Train and write; return the exit code. Progress goes to standard error."""
    parser = argparse.ArgumentParser(prog="python -m models.training", description=__doc__)
    parser.add_argument("file", type=Path, help="CSV file with a line of column names")
    parser.add_argument("--target", required=True, help="the column to predict")
    parser.add_argument("--out", type=Path, required=True, help="folder for model.onnx and card.json")
    parser.add_argument("--name", help="name of the model (default: the file's name)")
    parser.add_argument("--time-budget", type=float, default=30, metavar="SECONDS")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--drop", action="append", default=[], metavar="COLUMN", help="leave a column out; may be repeated"
    )
    parser.add_argument("--task", choices=["binary", "multiclass", "regression"], help="default: told from the target")
    given = parser.parse_args(arguments)
    options = TrainOptions(
        target=given.target,
        name=given.name or given.file.name.partition(".")[0],
        time_budget_seconds=given.time_budget,
        seed=given.seed,
        drop=tuple(given.drop),
        task=given.task,
    )
    try:
        trained = train(read_table(given.file), options, _show)
    except ModelError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    for warning in trained.card.warnings:
        sys.stderr.write(f"note: {warning}\n")
    write(trained, given.out)
    sys.stdout.write(f"{given.out}\n")
    return 0


def _show(event: dict[str, Any]) -> None:
    sys.stderr.write(f"{event['progress']:4.0%} {event['message']}\n")


if __name__ == "__main__":
    sys.exit(main())
