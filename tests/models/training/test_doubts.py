"""What is said about doubtful data and doubtful scores."""

import numpy as np

from models.training import TrainOptions, train
from tests.models.tables import table


def warnings_of(columns):
    return train(table(columns), TrainOptions(target="y", name="d", time_budget_seconds=0.5)).card.warnings


def columns(rows=240):
    random = np.random.default_rng(0)
    x = random.normal(size=rows).round(4)
    noisy = x + random.normal(size=rows)
    return {"x": x, "z": random.normal(size=rows).round(4), "y": ["b" if one > 0 else "a" for one in noisy]}


def test_ordinary_data_raises_no_doubt():
    """No warning cries wolf."""
    assert warnings_of(columns()) == []


def test_few_rows_are_said():
    """Scores of forty rows are not worth much."""
    assert any("only 60 rows" in warning for warning in warnings_of(columns(60)))


def test_repeated_rows_are_said():
    """Copies on both sides of the split make scores look better than they are."""
    twice = {name: [*cells, *cells[:60]] for name, cells in columns().items()}

    assert any("60 of 300 rows repeat" in warning for warning in warnings_of(twice))


def test_a_leaking_column_is_said():
    """A column that is the answer in other words; even a straight line sees it in so many rows."""
    made = columns(1000)
    made["leak"] = [1.5 if answer == "b" else 0.5 for answer in made["y"]]

    assert any("Column 'leak' alone answers" in warning for warning in warnings_of(made))


def test_small_and_lopsided_classes_are_said():
    """Three rows of a class, and a class that is nearly all."""
    made = columns(400)
    made["y"] = ["a"] * 393 + ["b"] * 4 + ["c"] * 3

    told = " ".join(warnings_of(made))

    assert "fewer than 10 rows of 'b', 'c'" in told
    assert "98.2% of the rows are 'a'" in told
