"""One SQL insert and nothing else: a worker trains, a listener hears it live, and a certified challenger answers."""

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx
import psycopg
import pytest
from websockets.exceptions import ConnectionClosedOK
from websockets.sync.client import ClientConnection, connect

from tests.api.test_datasets import upload
from tests.conftest import User

TABLE = "mass,wing,island,species\n" + "".join(
    f"{3400 + 23 * (n % 20) + 600 * (n % 3)},{180 + n % 13 + 9 * (n % 3)},{'xyz'[n % 3]},{'abc'[n % 3]}\n"
    for n in range(150)
)


def listen(socket: ClientConnection, token: str) -> Iterator[tuple[float, dict[str, Any]]]:
    """Hear a run to its end, with the moment at which each event came."""
    socket.send(json.dumps({"access_token": token}))
    with suppress(ConnectionClosedOK):
        while True:
            yield time.monotonic(), json.loads(socket.recv(timeout=90))


@pytest.mark.slow
@pytest.mark.usefixtures("worker")
def test_an_inserted_row_becomes_a_challenger_while_somebody_listens(
    site_url: str, api: httpx.Client, database: psycopg.Connection[Any], analyst: User, unique: str
):
    """Every event comes once, in order and while the run goes on; the version it ends in has its certificate."""
    dataset = upload(api, analyst.headers, TABLE.encode())["id"]
    insert = (
        "insert into public.runs (dataset_id, model_slug, target, options) values (%s, %s, 'species', %s) returning id"
    )
    run = database.execute(insert, (dataset, unique, json.dumps({"time_budget_seconds": 3}))).fetchone()[0]
    database.commit()

    with connect(f"{site_url.replace('http', 'ws')}/api/runs/{run}/events", proxy=None) as socket:
        heard = list(listen(socket, analyst.access_token))

    heard = [(at, event) for at, event in heard if "seq" in event]  # the others say only that the line is alive
    events = [event for _, event in heard]
    kinds = [event["kind"] for event in events]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert (kinds[0], kinds[1], kinds[-1]) == ("queued", "running", "succeeded")
    assert kinds.count("look") >= 3
    assert kinds.count("trial") >= 2  # the baseline, and at least the best of those looks
    assert {"search", "parity", "publish"} <= {event["data"].get("stage") for event in events}
    first_look, end = heard[kinds.index("look")][0], heard[-1][0]
    assert end - first_look > 1, "the events came at the end, all at once"
    model = api.get(f"/api/models/{unique}", headers=analyst.headers).json()
    assert {alias["name"]: alias["number"] for alias in model["aliases"]}["challenger"] == 1
    card = api.get(f"/api/models/{unique}/card?version=challenger", headers=analyst.headers).json()
    assert card["parity"]["passed"]
    assert card["parity"]["label_flips"] == 0
    row = {"rows": [{"mass": 4500, "wing": 200, "island": "z"}]}
    answer = api.post(f"/api/predict/{unique}@challenger", json=row, headers=analyst.headers)
    assert answer.json()["predictions"][0]["label"] in {"a", "b", "c"}, answer.text
