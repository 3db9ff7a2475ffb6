"""What a run may be told on the command line reaches the run, here and on the server, and what cannot be is said before."""

import json
from collections import Counter
from itertools import combinations

import pytest

from api._commands.errors import CliError
from api._commands.train_options import read_class_weights, read_holdout, read_types
from tests.cli.command import Run, run_in

OPTIONS = (
    "--target", "kind", "--time-budget", "2", "--type", "width=number", "--task", "multiclass", "--metric", "accuracy",
    "--class-weight", "rose=2.5", "--holdout", "group:island", "--holdout-share", "0.4",
)  # fmt: skip


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (None, None),
        (["balanced"], "balanced"),
        (["yes=3", "a=b=0.5"], {"yes": 3.0, "a=b": 0.5}),
    ],
)
def test_class_weights_are_read(given, read):
    assert read_class_weights(given) == read


@pytest.mark.parametrize("given", [["yes"], ["yes=much"], ["yes=0"], ["yes=-1"], ["yes=inf"], ["balanced", "yes=1"]])
def test_class_weight_that_is_none_is_refused(given):
    with pytest.raises(CliError, match="--class-weight"):
        read_class_weights(given)


def test_types_and_holdout_are_read():
    """A column's name may hold the sign that stands between it and its type."""
    assert read_types(["zip=category", "a=b=number:decimal_comma"]) == {
        "zip": "category",
        "a=b": "number:decimal_comma",
    }
    assert read_holdout("time:sold: at", None) == {"by": "time", "column": "sold: at"}
    assert read_holdout("group:patient", 0.3) == {"by": "group", "column": "patient", "share": 0.3}
    assert read_holdout("", None) is None


@pytest.mark.parametrize(
    ("read", "message"),
    [
        (lambda: read_types(["zip"]), "--type 'zip'"),
        (lambda: read_types(["=category"]), "--type"),
        (lambda: read_holdout("newest", None), "time:COLUMN nor group:COLUMN"),
        (lambda: read_holdout("time:", None), "time:COLUMN nor group:COLUMN"),
        (lambda: read_holdout("", 0.3), "--holdout-share belongs to --holdout"),
    ],
    ids=range(5),
)
def test_what_cannot_be_read_says_how_it_is_written(read, message):
    with pytest.raises(CliError, match=message):
        read()


def test_options_reach_a_training_here(run: Run, tmp_path, flowers: str):
    """Whole groups judge the model, and the chosen score is the one that was optimised."""
    (tmp_path / "flowers.csv").write_text(flowers, encoding="utf-8")

    done = run("train", "flowers.csv", *OPTIONS, "--offline", "--json", seconds=100)

    assert done.returncode == 0, done.stderr
    card = json.loads(done.stdout)
    assert [metric["name"] for metric in card["evaluation"]["metrics"] if metric["primary"]] == ["accuracy"]
    sizes = Counter(line.split(",")[2] for line in flowers.splitlines()[1:])
    whole = {sum(some) for count in range(1, len(sizes)) for some in combinations(sizes.values(), count)}
    assert card["evaluation"]["rows"] in whole, "whole groups"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--metric", "r2"], "does not fit"),
        (["--type", "colour=category"], "no column named 'colour'"),
        (["--holdout", "time:colour"], "no column named 'colour'"),
        (["--workers", "2"], "--workers is for a run on the server"),
    ],
)
def test_option_that_does_not_fit_is_refused_in_one_line(run: Run, tmp_path, flowers: str, options, message):
    (tmp_path / "flowers.csv").write_text(flowers, encoding="utf-8")

    done = run("train", "flowers.csv", "--target", "kind", *options, "--time-budget", "1", "--offline", seconds=60)

    assert done.returncode == 1
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 2


@pytest.mark.stack
def test_options_reach_a_run_on_the_server(tmp_path, flowers: str, cli_environ: dict[str, str], unique: str):
    (tmp_path / "flowers.csv").write_text(flowers, encoding="utf-8")

    done = run_in(
        tmp_path, "train", "flowers.csv", *OPTIONS, "--workers", "2", "--name", unique, "--no-wait", "--json",
        environ=cli_environ,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    started = json.loads(done.stdout)
    run_in(tmp_path, "run", "cancel", started["id"], environ=cli_environ)
    assert started["options"] == {
        "time_budget_seconds": 2.0,
        "seed": 0,
        "types": {"width": "number"},
        "task": "multiclass",
        "metric": "accuracy",
        "class_weights": {"rose": 2.5},
        "holdout": {"by": "group", "column": "island", "share": 0.4},
        "workers": 2,
    }
