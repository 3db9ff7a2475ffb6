"""Runs, workers and faults on a stack of their own, so that no worker of another test takes a run away."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import psutil
import psycopg
import pytest

from api._jobs.storage import Storage
from api._lib.settings import settings
from api._stack.settings import Ports, Settings
from api._stack.stack import Stack
from tests.conftest import RunningStack, User
from tests.jobs.post_office import PostOffice
from tests.receiver import Receiver

REPOSITORY = Path(__file__).parents[2]


@dataclass
class Worker:
    """A worker process of a test."""

    process: subprocess.Popen[bytes]
    log: Path

    def trainers(self) -> list[psutil.Process]:
        """List the training children that live."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        return [each for each in children if "api._jobs.trainer" in _command(each)]

    def end(self, number: int, seconds: float = 15) -> float:
        """Send a signal and return how long the worker then took to end."""
        start = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(seconds)
        return time.monotonic() - start


@dataclass
class Bench:
    """What these tests do with the stack."""

    stack: RunningStack
    owner: User
    folder: Path
    connection: psycopg.Connection[Any]
    workers: list[Worker] = field(default_factory=list)

    def value(self, statement: str, *parameters: Any) -> Any:
        """Execute and return the first column of the first row."""
        row = self.connection.execute(statement, parameters).fetchone()
        return None if row is None else row[0]

    def column(self, statement: str, *parameters: Any) -> list[Any]:
        """Execute and return the first column."""
        return [row[0] for row in self.connection.execute(statement, parameters).fetchall()]

    def upload(self, content: str | bytes, *, stored: bytes | None = None, profiled: bool = False) -> UUID:
        """Upload a table as its owner does; `stored` puts other bytes there than were announced.

        Each profile is a process of its own; only tests that are about it leave it queued (`profiled`).
        """
        content = content.encode() if isinstance(content, str) else content
        statement = (
            "insert into public.datasets (owner_id, name, filename, size_bytes, sha256, status) "
            "values (%s, 'A table', 'table.csv', %s, %s, 'ready') returning id, object_path"
        )
        sha256 = hashlib.sha256(content).hexdigest()
        row = self.connection.execute(statement, (self.owner.id, max(len(content), 1), sha256)).fetchone()
        assert row is not None
        with self.stack.client(user=self.owner) as client:
            body = content if stored is None else stored
            answer = client.post(
                f"/storage/v1/object/datasets/{row[1]}", content=body, headers={"content-type": "text/csv"}
            )
            assert answer.is_success, answer.text
        dataset: UUID = row[0]
        if not profiled:
            self.connection.execute("update public.datasets set profile_status = 'none' where id = %s", (dataset,))
            with self.connection.transaction():
                self.connection.execute("set local search_path to procrastinate")  # its own triggers ask for it
                undone = "delete from procrastinate_jobs where lock = %s and status = 'todo'"
                self.connection.execute(undone, (f"dataset:{dataset}",))
        return dataset

    def insert_run(self, slug: str, dataset: UUID, target: str = "species", **options: Any) -> UUID:
        """Start a run by a plain SQL insert."""
        statement = (
            "insert into public.runs (dataset_id, model_slug, target, options) values (%s, %s, %s, %s) returning id"
        )
        chosen = json.dumps({"time_budget_seconds": 2, "seed": 1, **options})
        run: UUID = self.value(statement, dataset, slug, target, chosen)
        return run

    def state(self, run: UUID) -> str:
        """Read the state of a run."""
        return str(self.value("select status from public.runs where id = %s", run))

    def reason(self, run: UUID) -> str:
        """Read why a run failed."""
        return str(self.value("select reason from public.runs where id = %s", run))

    def kinds(self, run: UUID) -> list[str]:
        """List the kinds of a run's events, in order, and see that they are numbered without gaps."""
        rows = self.connection.execute("select seq, kind from public.run_events where run_id = %s order by seq", (run,))
        events = rows.fetchall()
        assert [seq for seq, _ in events] == list(range(1, len(events) + 1))
        return [kind for _, kind in events]

    def artefacts(self) -> set[str]:
        """List the digests that have an object in the bucket of artefacts."""
        return {
            name.split("/")[0] for name in self.column("select name from storage.objects where bucket_id = 'models'")
        }

    def start_worker(self, *arguments: str, module: str = "api._jobs.worker", **environ: str) -> Worker:
        """Start a worker; it is ended after the test at the latest."""
        log = self.folder / f"worker-{len(self.workers)}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                cwd=REPOSITORY,
                env={**os.environ, **self.stack.environ, **environ},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        worker = Worker(process, log)
        self.workers.append(worker)
        return worker

    def restart_database(self, meanwhile: Callable[[], object] = lambda: None) -> None:
        """Let the database fall over at once, do something while it is down, and wait until it is back."""
        supervisor = self.stack._stack._supervisor
        os.kill(supervisor.children()["database"].pid, signal.SIGQUIT)
        self.connection.close()
        meanwhile()

        def is_back() -> bool:
            try:
                self.connection = self.stack.connect(autocommit=True)
            except psycopg.OperationalError:
                return False
            return True

        self.wait_until(is_back)

    def drain(self) -> None:
        """Let a worker empty the queue."""
        worker = self.start_worker("--drain")
        assert worker.process.wait(100) == 0, worker.log.read_text()

    @staticmethod
    def wait_until(what: Callable[[], object], seconds: float = 90) -> float:
        """Wait until something is true and return how long that took."""
        start = time.monotonic()
        while not what():
            assert time.monotonic() - start < seconds, "waited in vain"
            time.sleep(0.1)
        return time.monotonic() - start


def _command(process: psutil.Process) -> list[str]:
    """Tell a process's command; one that is ending has none."""
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []


@pytest.fixture(scope="session")
def jobs_stack() -> Iterator[RunningStack]:
    """Run servers that only these tests use."""
    home = Path(tempfile.mkdtemp(prefix="rowcast-jobs-"))
    running = Stack(Settings(home=home, ports=Ports.free(), is_durable=False), applications=(), on_event=lambda _: None)
    running.start()
    yield RunningStack(running)
    running.stop()
    shutil.rmtree(home)


@pytest.fixture(scope="session")
def owner(jobs_stack: RunningStack) -> User:
    """Sign an analyst up."""
    return jobs_stack.create_user("analyst")


@pytest.fixture
def bench(jobs_stack: RunningStack, owner: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """Give a test an empty queue and this process the settings of a worker."""
    for name, value in jobs_stack.environ.items():
        monkeypatch.setenv(name, value)
    settings.cache_clear()
    bench = Bench(jobs_stack, owner, tmp_path, jobs_stack.connect(autocommit=True))
    bench.connection.execute("select public.cancel_run(id) from public.runs where status in ('queued', 'running')")
    bench.connection.execute("truncate procrastinate.procrastinate_jobs cascade")
    yield bench
    for worker in bench.workers:
        if worker.process.poll() is None:
            worker.end(signal.SIGKILL)
    bench.connection.close()
    settings.cache_clear()


@pytest.fixture
def storage(bench: Bench) -> Iterator[Storage]:
    """Open Storage as the worker does."""
    with Storage.open() as opened:
        yield opened


@pytest.fixture
def service(bench: Bench) -> Iterator[httpx.Client]:
    """Open a client of Supabase's doors with the secret key."""
    with bench.stack.client(is_service=True) as client:
        yield client


@pytest.fixture
def office(bench: Any) -> Iterator[PostOffice]:
    """Open a post office without subscriptions of other tests."""
    with Receiver() as receiver:
        opened = PostOffice(bench, receiver)
        opened.clear()
        yield opened
        opened.clear()
