"""One thread per computation: on a busy machine threads that wait for each other make boosting ten times slower."""

from collections.abc import Iterator

import pytest
from threadpoolctl import threadpool_limits


@pytest.fixture(autouse=True)
def single_thread() -> Iterator[None]:
    with threadpool_limits(1):
        yield


@pytest.fixture(autouse=True)
def without_browser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare each training the second that Node takes; what is about the browser asks for it by a marker in its name."""
    if "browser" not in request.node.name:
        monkeypatch.setattr("models.training.browser.find_node", lambda: None)


@pytest.fixture(autouse=True)
def few_awkward_rows(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a certificate stand on fewer rows where it is not what the test is about."""
    if request.path.stem not in {"test_parity", "test_browser", "test_large"}:
        monkeypatch.setattr("models.training.awkward.MAX_AWKWARD_ROWS", 300)
