"""Table in, predictions out: rows are inserted, everything between is killed on the way, each row gets exactly one prediction.

Small by default; ROWCAST_SOAK=full inserts ten thousand rows and lets pauses and leases take their time.
"""

import random
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from tests.api.tiny import expected
from tests.jobs.conftest import Bench
from tests.jobs.table_loop import IS_FULL, PATIENCE_SECONDS, Api, Loop

ROWS = 10_000 if IS_FULL else 600


@pytest.fixture
def durable(bench: Bench) -> Iterator[None]:
    """Let commits be on disk before they are confirmed, as everywhere but in tests, for every session from now on."""
    others = "select pg_terminate_backend(pid) from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()"
    bench.connection.execute("alter database postgres set synchronous_commit = on")
    bench.connection.execute(others)
    yield
    bench.connection.execute("alter database postgres reset synchronous_commit")


@pytest.fixture
def api(bench: Bench) -> Iterator[Api]:
    """Run the whole API in a process of this test's."""
    running = Api(bench)
    yield running
    running.kill()


@pytest.mark.timeout(900)
def test_every_row_gets_one_prediction_whatever_is_killed(
    durable: None, bench: Bench, api: Api, unique: str, capsys: pytest.CaptureFixture[str]
):
    """The API process, the worker and the database die while rows come in."""
    loop = Loop(bench, api, unique)
    chance = random.Random(11)
    sizes: list[int] = []
    while sum(sizes) < ROWS:
        sizes.append(min(chance.choice([1, 1, 1, 1, 2, 2, 5, 12]), ROWS - sum(sizes)))
    worker = bench.start_worker()
    inserting = threading.Thread(target=loop.insert, args=(sizes,))
    began = time.monotonic()
    inserting.start()

    loop.wait_for(ROWS // 10)
    api.restart()
    loop.wait_for(ROWS * 3 // 10)
    worker.end(signal.SIGKILL)
    worker = bench.start_worker()
    loop.wait_for(ROWS // 2)
    bench.restart_database()
    loop.wait_for(ROWS * 7 // 10)
    api.restart()
    worker.end(signal.SIGKILL)
    bench.start_worker()
    inserting.join(PATIENCE_SECONDS)
    loop.wait_for(ROWS)

    loop.check(ROWS)
    counts = bench.connection.execute(
        "select count(*), sum(attempts), max(attempts), (select count(*) from public.hook_deliveries where attempt > 1), "
        "(select sum(duplicate_count) from public.hook_deliveries) from rowcast.outbox"
    ).fetchone()
    with capsys.disabled():
        print(
            f"\n{ROWS} rows, {time.monotonic() - began:.1f} s: messages, attempts, most attempts, taken over, duplicates {counts}"
        )


def test_updates_are_predicted_and_our_own_hand_is_not(bench: Bench, api: Api, unique: str):
    """A changed feature asks again; writing the prediction back does not, or this would never end."""
    loop = Loop(bench, api, unique)
    bench.start_worker()
    loop.insert([3])
    loop.wait_for(3)

    bench.connection.execute(f"update public.{unique} set touched = 1")
    bench.connection.execute(f"update public.{unique} set length = 5 where id = 1")
    loop.wait_for(3)
    bench.wait_until(lambda: bench.value("select count(*) from rowcast.outbox where state = 'delivered'") == 2)

    time.sleep(2 * 0.5)  # were there a loop, it would have turned by now
    assert bench.value("select count(*) from rowcast.outbox") == 2
    assert bench.column(
        "select row_count from public.hook_deliveries where hook_id = %s order by id", loop.hook["id"]
    ) == [3, 1]
    label = bench.value(f"select label from public.{unique} where id = 1")
    answer = expected(5, 2, "Biscoe")
    assert label == max(answer, key=answer.__getitem__)
