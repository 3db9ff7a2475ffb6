"""What a request of nothing but mistakes may cost."""

import time

import pytest

from models.encoding import RowEncoder
from models.errors import MAX_REPORTED, InvalidRows
from tests.models.fitted import fit


def test_near_misses_are_cheap():
    """A thousand columns and a thousand names that are nearly right: a hundred are told, a few with the right name."""
    card = fit("ridge").card
    numbers = [feature for feature in card.features if feature.kind == "number"]
    names = [f"mean_concave_points_{index:04}_of_the_cell" for index in range(1000)]
    features = [numbers[0].model_copy(update={"name": name, "position": at}) for at, name in enumerate(names)]
    encoder = RowEncoder(card.model_copy(update={"features": features}))
    started = time.process_time()

    with pytest.raises(InvalidRows) as refused:
        encoder.encode([{f"{name}s": 1.0 for name in names}])

    assert time.process_time() - started < 5  # one by one they took a minute
    assert len(refused.value.errors) == MAX_REPORTED
    assert f"did you mean {names[0]!r}" in refused.value.errors[0].detail
