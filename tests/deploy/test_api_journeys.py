"""What programs do that leans on the platform most, unchanged from `tests/api`, in front of the built output."""

import pytest

from tests.api.test_runs import (
    dataset_id,
    run,
    test_events_are_resumed_by_number,
    test_stream_tells_events_as_they_happen_and_ends_with_the_run,
    test_websocket_refuses_who_may_not_listen,
    test_websocket_tells_events_as_they_happen,
)

__all__ = [
    "dataset_id",
    "run",
    "test_events_are_resumed_by_number",
    "test_stream_tells_events_as_they_happen_and_ends_with_the_run",
    "test_websocket_refuses_who_may_not_listen",
    "test_websocket_tells_events_as_they_happen",
]

pytestmark = [pytest.mark.slow, pytest.mark.stack, pytest.mark.timeout(600)]
