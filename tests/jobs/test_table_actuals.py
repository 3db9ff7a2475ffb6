"""Actuals out of the table that the rows came from."""

from collections.abc import Iterator

import httpx
import pytest

from tests.jobs.conftest import Bench
from tests.jobs.table_loop import Api, Loop


@pytest.fixture
def api(bench: Bench) -> Iterator[Api]:
    """Run the whole API in a process of this test's."""
    running = Api(bench)
    yield running
    running.kill()


def test_what_turned_out_to_be_true_is_taken_from_the_table(bench: Bench, api: Api, unique: str):
    """Late, corrected, there before the prediction, missed by the trigger: each true value becomes one actual."""
    loop = Loop(bench, api, unique, actual="species", observed_at="seen_at")
    bench.start_worker()
    loop.insert([4])
    loop.wait_for(4)
    actuals = (
        "select known.key[1]::int, held.value #>> '{}', held.corrections, held.source, held.observed_at > held.predicted_at "
        "from public.actuals as held join private.predicted_rows as known using (prediction_id, row_index) "
        f"where known.hook_id = '{loop.hook['id']}' order by 1"
    )

    bench.connection.execute(
        f"update public.{unique} set species = 'Adelie', seen_at = now() + interval '1 h' where id <= 1"
    )
    bench.connection.execute(
        f"update public.{unique} set species = 'Gentoo', seen_at = now() + interval '2 h' where id = 1"
    )
    bench.connection.execute(f"update public.{unique} set species = 'a walrus' where id = 2")

    assert bench.connection.execute(actuals).fetchall() == [
        (0, "Adelie", 0, "table", True),
        (1, "Gentoo", 1, "table", True),
    ]

    # A row that brings its truth along, and one that was written while the trigger was not there.
    bench.connection.execute(
        f"insert into public.{unique} (id, length, width, island, species) values (9, 1, 2, 'Biscoe', 'Chinstrap')"
    )
    loop.wait_for(5)
    with bench.connection.transaction():
        bench.connection.execute(f"alter table public.{unique} disable trigger user")
        bench.connection.execute(f"update public.{unique} set species = 'Adelie' where id = 3")
        bench.connection.execute(f"alter table public.{unique} enable trigger user")

    assert bench.value("select private.join_all_actuals()") == 1
    found = {key: value for key, value, *_ in bench.connection.execute(actuals).fetchall()}
    assert found == {0: "Adelie", 1: "Gentoo", 3: "Adelie", 9: "Chinstrap"}
    with httpx.Client(base_url=api.url, headers=bench.owner.headers, timeout=30, trust_env=False) as client:
        (quality,) = client.get(f"/api/metrics/loop-{unique}").raise_for_status().json()["quality"]
    assert (quality["version"], quality["actuals"], quality["corrections"]) == (1, 4, 1)
