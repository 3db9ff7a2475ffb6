"""One thread per computation: on a busy machine threads that wait for each other make boosting ten times slower."""

from collections.abc import Iterator

import pytest
from threadpoolctl import threadpool_limits


@pytest.fixture(autouse=True)
def single_thread() -> Iterator[None]:
    with threadpool_limits(1):
        yield
