"""The prediction log over a crash of the real database: answers go on, and each is in the log exactly once."""

import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from api._stack.settings import Ports, Settings
from api._stack.stack import Stack
from tests.api.conftest import Publisher
from tests.api.tiny import build
from tests.conftest import RunningStack
from tests.jobs.conftest import Bench

ROW = {"length": 1.5, "width": 2, "island": "Dream"}


@pytest.fixture
def durable() -> Iterator[Bench]:
    """Run servers that keep what they have confirmed, as those of people do and those of other tests need not."""
    home = Path(tempfile.mkdtemp(prefix="rowcast-durable-"))
    running = Stack(Settings(home=home, ports=Ports.free()), applications=(), on_event=lambda _: None)
    running.start()
    stack = RunningStack(running)
    bench = Bench(stack, stack.create_user("analyst"), home, stack.connect(autocommit=True))
    yield bench
    bench.connection.close()
    running.stop()
    shutil.rmtree(home)


@pytest.mark.slow
def test_crash_of_the_database_loses_no_prediction(durable: Bench, unique: str) -> None:
    """PostgreSQL is ended at once under load and comes back: no failed answer, no lost record, none twice."""
    bench = durable
    Publisher(bench.stack).publish(unique, build(unique), owner=bench.owner)
    bench.stack.run("site")
    answers = [httpx.post(f"{bench.stack.site_url}/api/predict/{unique}", json=ROW, trust_env=False, timeout=30)]
    is_over = threading.Event()

    def ask() -> None:
        with httpx.Client(base_url=bench.stack.site_url, trust_env=False, timeout=30) as client:
            while not is_over.is_set():
                answers.append(client.post(f"/api/predict/{unique}", json=ROW))
                time.sleep(0.01)

    callers = [threading.Thread(target=ask) for _ in range(4)]
    for caller in callers:
        caller.start()
    time.sleep(1)
    bench.restart_database()
    time.sleep(4)
    is_over.set()
    for caller in callers:
        caller.join()

    assert {answer.status_code for answer in answers} == {200}
    assert any("log" in answer.headers.get("x-rowcast-degraded", "") for answer in answers)
    ids = [answer.json()["id"] for answer in answers]
    logged = "select count(*) from public.predictions where id = any(%s::uuid[])"
    bench.wait_until(lambda: bench.value(logged, ids) == len(ids), 20)
    of_model = "select count(*) from public.predictions where model_id = (select id from public.models where slug = %s)"
    assert bench.value(of_model, unique) == len(ids) == len(set(ids))
    bench.wait_until(lambda: not list((bench.stack.settings.home / "spill").glob("*.jsonl")), 20)
    print(f"{len(ids)} answers over the crash")
