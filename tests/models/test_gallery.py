"""The gallery's tables: what they are, where they come from, and that each trains for real."""

import hashlib
import json
from pathlib import Path

import pytest

from models.runtime import OnnxModel
from models.training import TrainOptions, read_table, train
from models.training import gallery as gallery_module
from models.training.gallery import GALLERY

CATALOGUE = json.loads((GALLERY / "datasets.json").read_text(encoding="utf-8"))
EXPECTED = {
    "penguins": ("multiclass", "accuracy", 0.93),
    "breast-cancer": ("binary", "accuracy", 0.9),
    "diabetes": ("regression", "r2", 0.3),
}


def test_every_table_is_named_with_licence_and_source():
    """Nothing is shipped without saying whose it is."""
    assert [entry["slug"] for entry in CATALOGUE] == list(EXPECTED)
    for entry in CATALOGUE:
        assert set(entry) == {"slug", "file", "title", "description", "target", "licence", "source", "sha256", "drop"}
        assert all(entry[key] for key in ("title", "description", "target", "licence", "source"))
        assert hashlib.sha256((GALLERY / "datasets" / entry["file"]).read_bytes()).hexdigest() == entry["sha256"]


@pytest.mark.parametrize("writer", ["breast_cancer", "diabetes"])
def test_tables_from_scikit_learn_are_what_it_carries(tmp_path, writer):
    """The committed file is what the library's own data gives."""
    path = tmp_path / "again.csv"

    getattr(gallery_module, f"write_{writer}")(path)

    assert path.read_bytes() == (GALLERY / "datasets" / f"{writer.replace('_', '-')}.csv").read_bytes()


@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry["slug"])
def test_every_table_trains(entry):
    """Trained, certified, better than the baseline, and answering its own examples."""
    task, metric_name, at_least = EXPECTED[entry["slug"]]
    options = TrainOptions(
        target=entry["target"], name=entry["slug"], drop=tuple(entry["drop"]), time_budget_seconds=2, threads=2
    )

    made = train(read_table(Path(GALLERY / "datasets" / entry["file"])), options)

    metric = next(metric for metric in made.card.evaluation.metrics if metric.name == metric_name)
    assert made.card.task == task
    assert made.card.parity.passed
    assert metric.value > at_least
    assert len(OnnxModel.open(made.model, made.card).predict(made.card.examples)) == len(made.card.examples)
