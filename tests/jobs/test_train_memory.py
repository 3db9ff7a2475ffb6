"""A worker with little memory: a table that is too large is sampled, and says so; one that cannot be is refused."""

import threading
from typing import Any

import numpy as np
import pytest

from api._jobs.train_run import carry_out
from api._lib.settings import settings

COLUMNS, ROWS = 20, 20_000


@pytest.fixture(scope="module")
def table() -> str:
    """Write a table of numbers that takes some forty megabytes in training."""
    numbers = np.random.default_rng(0).normal(size=(ROWS, COLUMNS)).round(4)
    lines = [",".join([*map(str, row), "ab"[row[0] > 0]]) for row in numbers.tolist()]
    return "\n".join([",".join([*(f"x{place}" for place in range(COLUMNS)), "species"]), *lines])


def train(bench: Any, unique: str, table: str, memory_mb: int, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Carry a run out with so much memory."""
    monkeypatch.setenv("ROWCAST_TRAINING_MEMORY_MB", str(memory_mb))
    settings.cache_clear()
    run = bench.insert_run(unique, bench.upload(table))
    carry_out(run, threading.Event())
    return run


@pytest.mark.slow
def test_a_table_that_does_not_fit_is_sampled(
    bench: Any, unique: str, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The version is certified, and its card tells how many of the rows it knows."""
    run = train(bench, unique, table, 640, monkeypatch)

    assert bench.state(run) == "succeeded", bench.reason(run)
    card = bench.value("select card from public.versions where run_id = %s", run)
    assert card["parity"]["browser"], card["parity"]["browser_missing"]
    (said,) = [one for one in card["warnings"] if "random sample" in one]
    assert f"The table of {ROWS} rows needs about" in said
    assert 5_000 < card["dataset"]["rows"] < ROWS


def test_a_table_of_which_too_little_fits_is_refused(
    bench: Any, unique: str, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some hundred rows of twenty thousand are no fair sample: the reason says what to change."""
    run = train(bench, unique, table, 601, monkeypatch)

    assert bench.state(run) == "failed"
    assert "does not fit into memory" in bench.reason(run)
    assert "drop columns" in bench.reason(run)
