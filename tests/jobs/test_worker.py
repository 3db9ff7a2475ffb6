"""Workers come and go: killed, stopped, doubled, without a queue; every run still ends once."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from procrastinate.jobs import Job

from api._jobs import queue
from api._jobs.errors import RunInterrupted, RunPostponed
from api._jobs.trainer import Order
from api._jobs.trainer_process import TrainerProcess

PATIENCE = 3
"""Times that a machine which runs other tests meanwhile may take longer than was promised."""

REPOSITORY = Path(__file__).parents[2]
TABLE = "mass,wing,island,species\n" + "".join(
    f"{3400 + 23 * (n % 20) + 600 * (n % 3)},{180 + n % 13 + 9 * (n % 3)},{'xyz'[n % 3]},{'abc'[n % 3]}\n"
    for n in range(150)
)


def is_searching(bench: Any, run: Any) -> bool:
    """Tell whether the trainer has got to its first trial."""
    return bool(bench.column("select 1 from public.run_events where run_id = %s and kind = 'trial'", run))


@pytest.mark.slow
def test_killed_worker_is_replaced_within_a_minute(bench: Any, unique: str) -> None:
    """SIGKILL in the middle of training: another worker takes the run up and finishes it once."""
    run = bench.insert_run(unique, bench.upload(TABLE), time_budget_seconds=5)
    first = bench.start_worker()
    bench.wait_until(lambda: is_searching(bench, run))
    (trainer,) = first.trainers()

    first.end(signal.SIGKILL)
    second = bench.start_worker()

    bench.wait_until(lambda: not trainer.is_running() or trainer.status() == psutil.STATUS_ZOMBIE, 5 * PATIENCE)
    taken_up = bench.wait_until(lambda: bench.value("select attempt from public.runs where id = %s", run) == 2, 60)
    bench.wait_until(lambda: bench.state(run) == "succeeded", 60)
    versions = "select count(*) from public.versions where run_id = %s"
    assert bench.value(versions, run) == 1
    assert bench.kinds(run).count("succeeded") == 1
    assert taken_up < 60, second.log.read_text()


@pytest.mark.slow
def test_stopped_worker_gives_its_run_back(bench: Any, unique: str) -> None:
    """SIGTERM: gone within seconds, the run is queued again without a lost attempt, the next worker finishes it."""
    run = bench.insert_run(unique, bench.upload(TABLE), time_budget_seconds=4)
    worker = bench.start_worker()
    bench.wait_until(lambda: is_searching(bench, run))

    seconds = worker.end(signal.SIGTERM)

    assert worker.process.returncode == 0, worker.log.read_text()
    assert seconds < 5 * PATIENCE
    row = bench.connection.execute("select status, attempt from public.runs where id = %s", (run,)).fetchone()
    assert row == ("queued", 0)
    jobs = "select status::text from procrastinate.procrastinate_jobs where lock = %s"
    assert bench.column(jobs, f"run:{run}") == ["todo"]
    bench.drain()
    assert bench.state(run) == "succeeded", bench.reason(run)


@pytest.mark.slow
def test_cancelling_stops_the_training_within_five_seconds(bench: Any, unique: str) -> None:
    """The owner cancels by the data API; the training child is gone, and nothing comes of it."""
    run = bench.insert_run(unique, bench.upload(TABLE), time_budget_seconds=60)
    worker = bench.start_worker()
    bench.wait_until(lambda: is_searching(bench, run))

    with bench.stack.client(user=bench.owner) as client:
        answer = client.post("/rest/v1/rpc/cancel_run", json={"run_id": str(run)})

    assert answer.json()["status"] == "cancelled"
    assert bench.wait_until(lambda: not worker.trainers()) < 5 * PATIENCE
    assert bench.state(run) == "cancelled"
    assert bench.kinds(run)[-1] == "cancelled"
    assert bench.value("select count(*) from public.models where slug = %s", unique) == 0
    assert worker.process.poll() is None


def test_two_workers_share_the_runs(bench: Any, unique: str) -> None:
    """Each run is taken up exactly once, however many workers there are."""
    runs = [bench.insert_run(f"{unique}-{n}", bench.upload(f"only\n{n}\n"), "only") for n in range(4)]

    workers = [bench.start_worker("--drain") for _ in range(2)]

    for worker in workers:
        assert worker.process.wait(60) == 0
    assert [bench.state(run) for run in runs] == ["failed"] * 4
    assert [bench.kinds(run).count("running") for run in runs] == [1] * 4


def test_worker_finds_runs_without_a_job(bench: Any, unique: str) -> None:
    """A run whose job got lost is queued again by the next worker."""
    run = bench.insert_run(unique, bench.upload("only\n1\n"), "only")
    bench.connection.execute("truncate procrastinate.procrastinate_jobs cascade")

    bench.drain()

    assert bench.state(run) == "failed"


def test_worker_writes_json_lines_without_secrets(bench: Any, unique: str) -> None:
    """Whoever reads the log can parse it, and learns no key."""
    bench.insert_run(unique, bench.upload("only\n1\n"), "only")

    bench.drain()

    text = bench.workers[0].log.read_text()
    events = [json.loads(line)["event"] for line in text.splitlines()]
    assert {"worker started", "run started", "run failed", "worker stopped"} <= set(events)
    for name in ("SUPABASE_SECRET_KEY", "DATABASE_URL"):
        assert bench.stack.environ[name] not in text


def test_worker_says_which_settings_are_missing() -> None:
    """One line, exit code 2."""
    ended = subprocess.run(
        [sys.executable, "-m", "api._jobs.worker"], cwd=REPOSITORY, env={"PATH": os.environ["PATH"]},
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert ended.returncode == 2
    assert ended.stderr.splitlines()[-1] == "worker: error: set DATABASE_URL, SUPABASE_URL, SUPABASE_SECRET_KEY"


def test_draining_without_a_database_fails(bench: Any) -> None:
    """A worker of a scheduled workflow reports that it could not work."""
    worker = bench.start_worker("--drain", DATABASE_URL="postgresql://postgres@127.0.0.1:9/postgres")

    assert worker.process.wait(30) == 1


def test_queue_is_installed_where_there_is_none(bench: Any) -> None:
    """A hosted database gets procrastinate's tables from the first worker, and only once."""
    bench.connection.execute("create database elsewhere")
    address = psycopg.conninfo.make_conninfo(bench.stack.environ["DATABASE_URL"], dbname="elsewhere")

    async def install_twice() -> list[bool]:
        async with await psycopg.AsyncConnection.connect(address, autocommit=True) as connection:
            return [await queue.install(connection), await queue.install(connection)]

    assert asyncio.run(install_twice()) == [True, False]
    bench.connection.execute("drop database elsewhere")


def test_jobs_that_raise_are_tried_again() -> None:
    """At once when the worker had to stop, after a while when something failed."""
    job = Job(queue="training", lock=None, queueing_lock=None, task_name="train", attempts=0)

    at_once = queue.TryAgain().get_retry_decision(exception=RunInterrupted(), job=job)
    later = queue.TryAgain().get_retry_decision(exception=RunPostponed("x"), job=job)

    assert at_once.retry_at is None
    assert later.retry_at is not None
    assert queue.RETRY_AFTER[0] < timedelta(seconds=20)


def test_trainer_has_no_secrets(bench: Any, tmp_path: Path) -> None:
    """The process that reads uploaded data knows neither keys nor addresses."""
    with TrainerProcess.start(Order(str(tmp_path / "x.csv"), str(tmp_path), {})):
        (trainer,) = [
            each
            for each in psutil.Process().children(recursive=True)
            if "api._jobs.trainer" in " ".join(each.cmdline())
        ]
        environ = trainer.environ()

    assert not {name for name in environ if name.startswith(("SUPABASE", "DATABASE", "KV", "ROWCAST"))}


def test_killed_trainer_is_reported(tmp_path: Path) -> None:
    """The system's out-of-memory killer leaves a sentence, not a silence."""
    with TrainerProcess.start(Order(str(tmp_path / "x.csv"), str(tmp_path), {})) as process:
        process._process.kill()
        with pytest.raises(EOFError, match="memory ran out"):
            process.next_event(10)


@pytest.mark.slow
def test_database_restart_in_the_middle_of_training_loses_nothing(bench: Any, unique: str) -> None:
    """The database falls over and comes back; the run ends as a version all the same."""
    run = bench.insert_run(unique, bench.upload(TABLE), time_budget_seconds=8)
    worker = bench.start_worker()
    bench.wait_until(lambda: is_searching(bench, run))

    bench.restart_database()

    bench.wait_until(lambda: bench.state(run) == "succeeded", 90)
    assert worker.process.poll() is None, worker.log.read_text()
    assert bench.value("select count(*) from public.versions where run_id = %s", run) == 1
    assert bench.kinds(run).count("running") == 1
