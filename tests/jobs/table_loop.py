"""A table that is attached to a hook, and an API process that may be killed: what the tests of that loop share."""

import os
import subprocess
import sys
import time
from contextlib import suppress
from typing import Any

import httpx
import psycopg
import pytest

from api._stack.settings import Ports
from tests.api.conftest import Publisher
from tests.api.tiny import build, expected
from tests.jobs.conftest import REPOSITORY, Bench

IS_FULL = os.environ.get("ROWCAST_SOAK") == "full"
PATIENCE_SECONDS = 600 if IS_FULL else 90


class Api:
    """An API process that can be killed and started again on its port."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self.port = Ports.free().site
        self.url = f"http://127.0.0.1:{self.port}"
        self.environ = {
            **os.environ,
            **bench.stack.environ,
            "ROWCAST_SITE_URL": self.url,
            "ROWCAST_MODEL_CACHE_DIR": str(bench.folder / "models"),
            "ROWCAST_SPILL_DIR": str(bench.folder / "spill"),
            "ROWCAST_LIMIT_KEY": "1000000",
        }
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        command = [
            sys.executable,
            "-m",
            "uvicorn",
            "api._stack.server:app",
            "--port",
            str(self.port),
            "--no-access-log",
        ]
        with (self._bench.folder / "api.log").open("ab") as log:
            process = subprocess.Popen(command, env=self.environ, cwd=REPOSITORY, stdout=log, stderr=log)
        ends_at = time.monotonic() + 40
        with httpx.Client(trust_env=False) as client:
            while time.monotonic() < ends_at:
                assert process.poll() is None, "the API process ended"
                with suppress(httpx.TransportError):
                    if client.get(f"{self.url}/api/health").status_code == 200:
                        return process
                time.sleep(0.1)
        raise AssertionError("the API process did not answer")

    def kill(self) -> None:
        """End it in the middle of whatever it does."""
        self.process.kill()
        self.process.wait()

    def restart(self) -> None:
        """Kill it and start another."""
        self.kill()
        self.process = self._start()


class Loop:
    """A table that is attached to a hook."""

    def __init__(self, bench: Bench, api: Api, table: str, **migration: Any) -> None:
        self.bench, self.api, self.table = bench, api, table
        slug = f"loop-{table}"
        Publisher(bench.stack).publish(slug, build(slug), owner=bench.owner, visibility="private")
        with httpx.Client(base_url=api.url, headers=bench.owner.headers, timeout=30, trust_env=False) as client:
            order = {"name": "Loop", "model": slug, "mode": "write_back", "table": f"public.{table}"}
            self.hook = client.post("/api/hooks", json=order).raise_for_status().json()
            made = (
                client.post(f"/api/hooks/{self.hook['id']}/migration", json={"on_update": True, **migration})
                .raise_for_status()
                .json()
            )
        columns = "id bigint primary key, length float8, width int, island text, touched int default 0, species text, seen_at timestamptz"
        bench.connection.execute(f"create table public.{table} ({columns})")
        bench.connection.execute(made["sql"].encode())
        bench.connection.execute(made["connect"].replace("whsec_…", self.hook["secret"]))
        bench.connection.execute("delete from rowcast.outbox")

    def insert(self, sizes: list[int]) -> None:
        """Insert rows in statements of these sizes, over outages of the database; each row is different from all others."""
        first = 0
        pause = 0 if IS_FULL else 0.03
        connection: psycopg.Connection[Any] | None = None
        for size in sizes:
            values = ", ".join(f"({first + each}, {(first + each) / 1000}, 2, 'Biscoe')" for each in range(size))
            statement = f"insert into public.{self.table} values {values} on conflict (id) do nothing"
            while True:
                try:
                    connection = connection or self.bench.stack.connect(autocommit=True)
                    connection.execute(statement.replace(" values ", " (id, length, width, island) values ", 1))
                    break
                except psycopg.OperationalError:
                    connection = None
                    time.sleep(0.3)
            first += size
            time.sleep(pause)
        if connection:
            connection.close()

    def predicted(self) -> int:
        """Count the rows that have a prediction; none while the database is away."""
        with suppress(psycopg.OperationalError):
            return int(self.bench.value(f"select count(*) from public.{self.table} where predicted_at is not null"))
        return 0

    def hurry(self) -> None:
        """Let time pass: what is to be sent again is due, leases of the dead are over."""
        if IS_FULL:
            return
        with suppress(psycopg.OperationalError):
            self.bench.connection.execute(
                "update rowcast.outbox set due_at = now() where state = 'sent' and due_at > now() and due_at < now() + interval '14 s'"
            )
            self.bench.connection.execute(
                "update public.hook_deliveries set claimed_until = now() where state = 'claimed' and received_at < now() - interval '5 s'"
            )

    def wait_for(self, count: int) -> None:
        """Wait until so many rows have their prediction."""
        ends_at = time.monotonic() + PATIENCE_SECONDS
        while self.predicted() < count:
            assert time.monotonic() < ends_at, self.state()
            self.hurry()
            time.sleep(0.5)

    def state(self) -> str:
        """Tell what is where, for a failing test."""
        return str(
            self.bench.connection.execute(
                "select state, status, reason, count(*) from rowcast.outbox group by 1, 2, 3"
            ).fetchall()
        )

    def check(self, rows: int) -> None:
        """See that each row has exactly one prediction, the right one, and that nothing is left to do."""
        bench = self.bench
        hook = self.hook["id"]
        bench.wait_until(
            lambda: not bench.value("select count(*) from rowcast.outbox where state in ('waiting', 'sent')")
        )
        assert bench.value("select count(*) from rowcast.outbox where state <> 'delivered'") == 0, self.state()
        logged = bench.column(
            "select (row ->> 'length')::float8 from public.predictions as held, jsonb_array_elements(held.rows) as row "
            "where held.id in (select prediction_id from public.hook_deliveries where hook_id = %s)",
            hook,
        )
        assert sorted(logged) == [each / 1000 for each in range(rows)]
        assert bench.value(
            "select count(*) from public.predictions where model_id = (select model_id from public.hooks where id = %s)",
            hook,
        ) == bench.value("select count(*) from public.hook_deliveries where hook_id = %s", hook)
        written = bench.connection.execute(f"select length, label, score, version from public.{self.table}").fetchall()
        assert len(written) == rows
        for length, label, score, version in written:
            answer = expected(length, 2, "Biscoe")
            assert (label, version) == (max(answer, key=answer.__getitem__), 1)
            assert score == pytest.approx(max(answer.values()), abs=1e-5)
