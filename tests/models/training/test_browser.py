"""The browser's leg of the certificate, by the real runtime under Node."""

import numpy as np
import pytest

from models.errors import ExportRefused
from models.training import browser
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


@pytest.mark.parametrize("node", [None, "/bin/false"])
def test_without_a_browser_runtime_the_certificate_says_so(monkeypatch, node):
    """No Node, or one that cannot run here: the leg is left out, and nothing is claimed."""
    monkeypatch.setattr(browser, "find_node", lambda: node)

    assert certified(understood("binary"), "linear").browser is None
