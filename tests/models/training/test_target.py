"""What is asked: classes or amounts, and which targets cannot be learned."""

import pytest

from models.errors import DatasetRejected
from models.training.target import MIN_ROWS, read_target


def read(cells, task=None, name="y"):
    return read_target({"x": ["1"] * len(cells), "y": [str(cell) for cell in cells]}, name, task)


@pytest.mark.parametrize(
    ("cells", "task", "classes"),
    [
        (["b", "a"] * 10, "binary", ["a", "b"]),
        (["b", "a", "c"] * 10, "multiclass", ["a", "b", "c"]),
        (["True", "False"] * 10, "binary", ["False", "True"]),
        (["yes", "no"] * 10, "binary", ["no", "yes"]),
        ([1, 0] * 10, "binary", ["0", "1"]),
        (["1.0", "0.0"] * 10, "binary", ["0", "1"]),
        ([10, 9, 2] * 10, "multiclass", ["2", "9", "10"]),
        (["01", "1", "2"] * 10, "binary", ["1", "2"]),
        ([1.5, 2.5] * 10, "regression", []),
        (list(range(11)) * 9, "regression", []),
        (list(range(8)) * 3, "regression", []),
    ],
    ids=lambda value: str(value)[:30],
)
def test_task_is_told_from_the_values(cells, task, classes):
    """Texts, truth values and few whole numbers are classes; fractions and many numbers are amounts."""
    target = read(cells)

    assert (target.task, target.classes) == (task, classes)


def test_numbers_read_as_classes_are_told():
    """Whole numbers could be amounts: the reader learns how to say so."""
    assert "set the task to regression" in read([1, 2, 3] * 10).warnings[0]


def test_task_can_be_chosen():
    """The analyst knows better."""
    assert read([1, 2, 3] * 10, "regression").answers.tolist()[:3] == [1.0, 2.0, 3.0]
    assert read([1.5, 2.5, 3.5] * 10, "multiclass").classes == ["1.5", "2.5", "3.5"]


def test_codes_follow_the_order_of_the_classes():
    """The probability columns are in this order."""
    assert read(["b", "a", "c", "b"] * 9).answers.tolist()[:4] == [1, 0, 2, 1]


def test_rows_without_a_target_are_left_out_and_told():
    """A label that has not arrived yet is no reason to refuse the rest."""
    target = read(["a", "b", "NA", ""] * 10)

    assert target.kept.tolist()[:4] == [True, True, False, False]
    assert len(target.answers) == 20
    assert "20 of 40 rows have no 'y'" in target.warnings[0]


@pytest.mark.parametrize(
    ("cells", "task", "reason"),
    [
        (["a"] * 30, None, "always 'a'"),
        ([3] * 30, None, "always '3'"),
        (["1", "1.0"] * 15, None, "always '1'"),
        ([""] * 30, None, "missing in 30 of 30 rows"),
        (["a", "b", *[""] * 30], None, "missing in 30 of 32 rows"),
        (["a", "b"] * (MIN_ROWS // 2 - 1), None, f"needs at least {MIN_ROWS}"),
        ([*["a", "b"] * 15, "c"], None, "only one row of 'c'"),
        ([*["a", "b"] * 15, "c", "d"], None, "only one row of 'c', 'd'"),
        ([f"name {index}" for index in range(200)], None, "limit is 100 classes"),
        ([*[1.5, 2.5] * 15, "high"], "regression", "'high': a regression needs numbers"),
        (["a", "b", "c"] * 10, "binary", "a binary task needs two"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_targets_that_cannot_be_learned_are_refused(cells, task, reason):
    """Each refusal is one line that says what to change."""
    with pytest.raises(DatasetRejected) as refused:
        read(cells, task)

    assert reason in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "hint"),
    [("Y", "did you mean 'y'?"), ("speceis", "did you mean 'species'?"), ("zzz", "the columns are species, y")],
)
def test_an_unknown_target_is_refused_with_a_hint(name, hint):
    """A slip of the finger is recognised; otherwise the columns are listed."""
    with pytest.raises(DatasetRejected, match=hint.replace("?", r"\?")):
        read_target({"species": ["a"], "y": ["b"]}, name)
