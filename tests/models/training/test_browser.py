"""The browser's leg of the certificate, by the real runtime under Node."""

import re
import resource

import numpy as np
import onnx
import pytest

from models.errors import ExportRefused
from models.training import browser
from models.training.awkward import batches
from models.training.parity import TOLERANCE, certify
from tests.models.tables import table
from tests.models.training.fits import understood, understood_table


def certified(fits, recipe):
    blend = fits.fitted((1.0, fits.pipeline(recipe)))
    content = fits.exported(blend)
    return certify(blend, fits.opened(content), content, fits.data, 0)


@pytest.mark.parametrize(("task", "recipe"), [("multiclass", "hist_gradient_boosting"), ("regression", "linear")])
def test_the_browser_answers_as_the_server_does(task, recipe):
    """Held-out and awkward rows of numbers and texts: no label changed, within the tolerance."""
    certificate = certified(understood(task), recipe)

    assert certificate.browser is not None
    assert certificate.browser.engine.startswith("onnxruntime-web ")
    assert certificate.browser.rows > 1_000
    assert certificate.browser.label_flips == 0
    assert certificate.browser.max_error <= TOLERANCE
    assert certificate.versions["onnxruntime"]
    assert len(certificate.digest) == 64


def test_dates_are_taken_apart_alike_in_the_browser():
    """The parts of a date are computed inside the file, by every runtime."""
    random = np.random.default_rng(0)
    days = random.integers(0, 25_000, 300)
    texts = np.datetime_as_string(np.datetime64("1960-01-01") + days.astype("timedelta64[D]"))
    fits = understood_table(table({"day": texts, "x": random.normal(size=300), "y": days % 7 + random.random(300)}))

    for recipe in ("linear", "hist_gradient_boosting", "random_forest"):
        assert certified(fits, recipe).browser is not None


def test_a_browser_that_answers_differently_is_refused(monkeypatch):
    """A tenth of a per cent is too much."""
    honest = browser._answers
    monkeypatch.setattr(browser, "_answers", lambda *given: honest(*given) * 1.001)

    with pytest.raises(ExportRefused, match=r"onnxruntime-web .* answers differently"):
        certified(understood("binary"), "linear")


def not_node(folder, script):
    """Make a program that stands in for Node."""
    path = folder / "node"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (None, "Node is not installed"),
        ("exit 1", r"onnxruntime-web \S+ does not run here: Node says nothing"),
        ("echo no such flag >&2; exit 9", "does not run here: no such flag"),
        ("echo std::bad_alloc >&2; exit 4", "does not run here: std::bad_alloc"),
        ("kill -KILL $$", "Node was ended by SIGKILL before it answered"),
        ("exec sleep 30", r"onnxruntime-web \S+ gave no answer within 1 seconds"),
    ],
)
def test_without_a_browser_runtime_the_certificate_says_so(tmp_path, monkeypatch, script, reason):
    """No Node, or one that cannot run here: the leg is left out with its reason, and nothing is claimed."""
    node = script and not_node(tmp_path, script)
    monkeypatch.setattr(browser, "find_node", lambda: node)
    monkeypatch.setattr(browser, "_SECONDS", 1.0)

    certificate = certified(understood("binary"), "linear")

    assert certificate.browser is None
    assert re.search(reason, certificate.browser_missing)
    assert certificate.browser_missing in certificate.browser_sentence


def test_the_bound_of_a_training_is_not_that_of_the_browsers_runtime(tmp_path, monkeypatch):
    """A wasm runtime sets aside more than it uses: within the bound it could not even start, and the leg would be missing."""
    node = not_node(tmp_path, f"ulimit -S -d > {tmp_path}/limit; exit 3")
    monkeypatch.setattr(browser, "find_node", lambda: node)
    before = resource.getrlimit(resource.RLIMIT_DATA)
    bound = 8 << 30
    resource.setrlimit(resource.RLIMIT_DATA, (bound, before[1]))
    try:
        assert certified(understood("binary"), "linear").browser is None
        assert resource.getrlimit(resource.RLIMIT_DATA) == (bound, before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)

    assert (tmp_path / "limit").read_text().strip() != str(bound >> 10)


@pytest.mark.parametrize("present", [[], ["package.json"], ["package.json", "dist/ort.wasm.min.mjs"]])
def test_a_half_installed_browser_runtime_is_none(tmp_path, monkeypatch, present):
    """While npm is at work, files are missing at any place; a training meanwhile goes on without the leg."""
    complete = browser._PACKAGE
    for name in present:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((complete / name).read_bytes())
    monkeypatch.setattr(browser, "_PACKAGE", tmp_path)

    certificate = certified(understood("binary"), "linear")

    assert certificate.browser is None
    assert "onnxruntime-web" in certificate.browser_missing


def test_a_model_that_the_browser_cannot_run_is_refused(monkeypatch):
    """The runtime works, so visitors would meet the same error: this file is not published."""
    fits = understood("binary")
    blend = fits.fitted((1.0, fits.pipeline("linear")))
    content = fits.exported(blend)
    broken = onnx.load_from_string(content)
    broken.graph.node[-1].op_type = "NoSuchOperator"

    with pytest.raises(ExportRefused, match=r"onnxruntime-web \S+ works, but not with this model: .*NoSuchOperator"):
        browser.compare(fits.opened(content), broken.SerializeToString(), batches(fits.data, content, 0), TOLERANCE)
