"""A card as the README of a model repository."""

import re
import subprocess
import sys

import pytest
import yaml

from models.card_readme import card_readme
from models.contract import BrowserParity
from tests.models.samples import trained

TASKS = {"binary": "tabular-classification", "multiclass": "tabular-classification", "regression": "tabular-regression"}


@pytest.mark.parametrize("task", TASKS)
def test_front_matter_is_what_hubs_read(task):
    """Task, library, tags, and one result whose metrics are those of the card."""
    card = trained(task).card

    _, head, body = card_readme(card).split("---\n", 2)
    facts = yaml.safe_load(head)

    assert facts["pipeline_tag"] == TASKS[task]
    assert facts["library_name"] == "onnx"
    assert {"tabular", "onnx"} <= set(facts["tags"])
    (entry,) = facts["model-index"]
    (result,) = entry["results"]
    assert entry["name"] == card.name
    assert result["task"]["type"] == TASKS[task]
    assert result["dataset"]["name"] == card.dataset.name
    assert {one["type"]: one["value"] for one in result["metrics"]} == {
        metric.name: pytest.approx(metric.value) for metric in card.evaluation.metrics
    }
    for heading in ("Scores", "Features", "Importance", "Parity", "What to know", "Origin"):
        assert f"## {heading}" in body
    assert card.digest in body


@pytest.mark.parametrize(
    ("leg", "missing", "said"),
    [
        (
            BrowserParity(engine="onnxruntime-web 1.30.0 (wasm)", rows=1680, label_flips=0, max_error=2e-7),
            None,
            "answered 1680",
        ),
        (
            None,
            "onnxruntime-web is not installed",
            "Not compared in a browser's runtime: onnxruntime-web is not installed.",
        ),
        (None, None, "Not compared in a browser's runtime."),
    ],
)
def test_the_browsers_leg_is_told_in_both_parts(leg, missing, said):
    """Passed, or why there is none; cards that were written before the reason was kept know no more."""
    card = trained().card
    parity = card.parity.model_copy(update={"browser": leg, "browser_missing": missing})

    _, head, body = card_readme(card.model_copy(update={"parity": parity})).split("---\n", 2)

    assert said in yaml.safe_load(head)["browser_parity"]
    assert said in body


def test_words_of_strangers_stay_words():
    """A title, a column or a licence cannot add a line to the front matter, a tag or a column to a table."""
    card = trained().card
    nasty = 'x\n---\nlicense: "mit" <script> | `y` [a](b)'
    feature = card.features[0].model_copy(update={"name": nasty})
    dataset = card.dataset.model_copy(update={"name": nasty, "licence": nasty})
    parity = card.parity.model_copy(update={"browser": None, "browser_missing": nasty})
    changed = card.model_copy(
        update={
            "title": nasty,
            "parity": parity,
            "features": [feature],
            "dataset": dataset,
            "warnings": [nasty],
            "name": nasty,
        }
    )

    readme = card_readme(changed)
    facts = yaml.safe_load(readme.split("\n---\n")[0].removeprefix("---\n"))

    assert facts["license"] == nasty.lower()
    assert facts["model-index"][0]["name"] == nasty
    body = re.sub(r"`[^`\n]*`", "", readme.split("\n---\n", 1)[1])  # what stands in code is shown as it is
    assert "<script>" not in body
    assert "\n---\nlicense" not in readme


def test_a_function_may_write_it():
    """No numpy, no onnxruntime, no scikit-learn behind it."""
    code = "import sys, models.card_readme; print({'numpy', 'onnxruntime', 'sklearn'} & set(sys.modules))"

    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert out.stdout.strip() == "set()"
