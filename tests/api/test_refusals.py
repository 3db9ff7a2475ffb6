"""What the database refuses stands at the field it is about, whichever door it came by."""

from typing import Any

import httpx
import pytest

from tests.api.conftest import Publisher
from tests.api.tiny import build
from tests.conftest import RunningStack, User

NOBODY, NOTHING = "nobody@example.com", "0192f0c1-0000-7000-8000-000000000000"


@pytest.mark.parametrize(
    ("path", "body", "status", "pointer"),
    [
        ("PUT /api/models/{mine}/members", {"email": NOBODY, "role": "viewer"}, 404, "#/email"),
        ("POST /api/runs", {"dataset_id": NOTHING, "target": "x", "model": "{mine}"}, 404, "#/dataset_id"),
        ("POST /api/batches", {"dataset_id": NOTHING, "model": "{mine}"}, 404, "#/dataset_id"),
        ("POST /api/keys", {"name": "x", "scopes": ["admin"]}, 403, "#/scopes"),
        (
            "POST /api/subscriptions",
            {"url": "https://example.com/x", "event_types": ["run.succeeded"], "model": "no-such-model"},
            404,
            "#/model",
        ),
    ],
)
def test_refusals_name_their_field(
    api: httpx.Client,
    stack: RunningStack,
    analyst: User,
    unique: str,
    path: str,
    body: dict[str, Any],
    status: int,
    pointer: str,
) -> None:
    Publisher(stack).publish(unique, build(unique), owner=analyst, visibility="private")
    method, place = path.format(mine=unique).split(" ")
    sent = {name: value.format(mine=unique) if isinstance(value, str) else value for name, value in body.items()}

    answer = api.request(method, place, json=sent, headers=analyst.headers)

    assert answer.status_code == status, answer.text
    assert [each["pointer"] for each in answer.json()["errors"]] == [pointer], answer.text
