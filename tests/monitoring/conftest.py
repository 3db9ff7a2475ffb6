"""A model with a log that tests write as the API does, at the times they like, and the jobs that count it."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from uuid_utils import uuid7

from api._jobs import counting
from api._lib.settings import settings
from tests.api.conftest import Publisher
from tests.api.tiny import CLASSES, Tiny, build
from tests.conftest import RunningStack, User

QUANTILES = [0.0, 0.5, 2.5, 5.0, 7.5, 9.5, 10.0]
"""Of both numbers of the watched model: spread evenly from 0 to 10."""


def build_spread(name: str) -> Tiny:
    """Build the tiny model with a card that says how its numbers were spread."""
    tiny = build(name)
    features = [
        each.model_copy(update={"quantiles": QUANTILES, "missing_share": 0.0}) if each.kind != "category" else each
        for each in tiny.card.features
    ]
    return Tiny(tiny.model, tiny.card.model_copy(update={"features": features}))


class Watched:
    """A private model of the analyst's and what happens to it."""

    def __init__(self, stack: RunningStack, slug: str) -> None:
        self._stack = stack
        self.slug = slug

    def value(self, statement: str, *parameters: Any) -> Any:
        """Execute and return the first column of the first row."""
        with self._stack.connect() as connection:
            row = connection.execute(statement, parameters).fetchone()
            return None if row is None else row[0]

    def log(self, *predictions: dict[str, Any]) -> list[str]:
        """Write predictions to the log and return their ids."""
        version = "(select version.id from public.versions as version join public.models as model on model.id = version.model_id "
        version_id = self.value(f"select {version} where model.slug = %s and version.number = 1)", self.slug)
        records = [{"id": str(uuid7()), "version_id": str(version_id), **each} for each in predictions]
        self.value("select public.log_predictions(%s)", json.dumps({"predictions": records}))
        return [record["id"] for record in records]

    def refuse(self, *refusals: dict[str, Any]) -> None:
        """Write refused requests to the log."""
        self.value("select public.log_predictions(%s)", json.dumps({"predictions": refusals}))


def predicted(label: str = "Adelie", sure: float = 0.8, at: datetime | None = None, **facts: Any) -> dict[str, Any]:
    """Describe a logged prediction of one row."""
    rest = (1 - sure) / (len(CLASSES) - 1)
    probabilities = {each: sure if each == label else rest for each in CLASSES}
    return {
        "at": (at or datetime.now(UTC)).isoformat(),
        "source": "api",
        "caller_kind": "anonymous",
        "row_count": 1,
        "rows": [{"length": 1.5, "width": 2, "island": "Dream"}],
        "outputs": [{"label": label, "probabilities": probabilities}],
        "cache": "miss",
        "parse_ms": 0.02,
        "infer_ms": 0.1,
        "total_ms": 0.4,
        **facts,
    }


@pytest.fixture
def watched(stack: RunningStack, analyst: User, unique: str) -> Watched:
    """Publish a private model of the analyst's."""
    Publisher(stack).publish(unique, build_spread(unique), owner=analyst, visibility="private")
    return Watched(stack, unique)


@pytest.fixture
def count(stack: RunningStack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], int]]:
    """Let this process count what was logged, as the worker does."""
    for name, value in stack.environ.items():
        monkeypatch.setenv(name, value)
    settings.cache_clear()
    yield counting.count_all
    settings.cache_clear()


@pytest.fixture
def as_owner(site_url: str, analyst: User) -> Iterator[httpx.Client]:
    """Open a client of the API as the analyst."""
    with httpx.Client(base_url=site_url, headers=analyst.headers, timeout=30, trust_env=False) as client:
        yield client
