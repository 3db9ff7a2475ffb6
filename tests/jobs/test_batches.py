"""Batches carried out: complete, the same as one by one, over a killed worker; and files that cannot be scored say why."""

import csv
import io
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest

from tests.api.conftest import Publisher
from tests.api.tiny import build

REPOSITORY = Path(__file__).parents[2]
NAP = "select pid from pg_stat_activity where query like '%%update public.batches%%' and wait_event = 'PgSleep'"


class Scoring:
    """What these tests do with batches of one model."""

    def __init__(self, bench: Any, slug: str, site: str) -> None:
        self.bench = bench
        self.slug = slug
        self.site = httpx.Client(base_url=site, headers=bench.owner.headers, timeout=60, trust_env=False)

    def start(self, content: str) -> str:
        """Upload a table and ask for it to be scored."""
        body = {"dataset_id": str(self.bench.upload(content)), "model": self.slug}
        answer = self.site.post("/api/batches", json=body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def read(self, batch: str) -> dict[str, Any]:
        """Ask the API where a batch stands."""
        found: dict[str, Any] = self.site.get(f"/api/batches/{batch}").json()
        return found

    def run(self, content: str) -> tuple[dict[str, Any], list[dict[str, str]]]:
        """Score a table and return the batch and the lines of its result."""
        batch = self.start(content)
        self.bench.drain()
        found = self.read(batch)
        return found, self.result(batch) if found["status"] == "succeeded" else []

    def result(self, batch: str) -> list[dict[str, str]]:
        """Download the result as a browser does."""
        told = self.site.get(f"/api/batches/{batch}/result").json()
        answer = httpx.get(told["url"], trust_env=False)
        assert (answer.status_code, len(answer.content)) == (200, told["size_bytes"])
        return list(csv.DictReader(io.StringIO(answer.text)))

    def objects(self, batch: str) -> list[str]:
        """List what is kept of a batch in Storage."""
        query = "select name from storage.objects where bucket_id = 'results' and name like %s order by name"
        return [name.split(batch)[1] for name in self.bench.column(query, f"%{batch}%")]

    @contextmanager
    def napping(self, part: int, seconds: int) -> Iterator[None]:
        """Let the database take its time when a worker notes this part for the first time."""
        connection = self.bench.connection
        connection.execute(
            f"create function private.nap() returns trigger language plpgsql as "
            f"'begin perform pg_sleep({seconds}); return new; end'"
        )
        connection.execute(
            f"create trigger nap before update on public.batches for each row "
            f"when (new.parts = {part} and new.attempt = 1) execute function private.nap()"
        )
        try:
            yield
        finally:
            connection.execute("drop trigger nap on public.batches; drop function private.nap()")


@pytest.fixture
def scoring(bench: Any, unique: str) -> Iterator[Scoring]:
    """Publish a small private model of the owner's, with the API in front."""
    Publisher(bench.stack).publish(unique, build(unique), owner=bench.owner, visibility="private")
    bench.connection.execute("select public.cancel_batch(id) from public.batches where status in ('queued', 'running')")
    bench.connection.execute("truncate procrastinate.procrastinate_jobs cascade")
    bench.stack.run("site")
    made = Scoring(bench, unique, bench.stack.site_url)
    yield made
    made.site.close()


def table(rows: int) -> str:
    """Write a table with a bad cell every 997 rows and an unseen category every 100."""
    lines = ["id,length,width,island"]
    for n in range(rows):
        length = "much" if n % 997 == 5 else f"{n / 1000:.3f}"
        lines.append(f"{n},{length},{n % 11},{'Atlantis' if n % 100 == 7 else ['Dream', 'Biscoe', ''][n % 3]}")
    return "\n".join(lines) + "\n"


@pytest.mark.slow
def test_killed_worker_costs_no_row_and_doubles_none(scoring: Scoring) -> None:
    """SIGKILL in the middle of 20,000 rows: the next worker goes on, and each row is what the API answers for it."""
    content = table(20_000)
    with scoring.napping(2, 60):
        batch = scoring.start(content)
        first = scoring.bench.start_worker()
        scoring.bench.wait_until(lambda: scoring.bench.column(NAP))
        first.end(signal.SIGKILL)
        scoring.bench.connection.execute(f"select pg_terminate_backend(pid) from ({NAP.replace('%%', '%')}) as nap")
    before = scoring.read(batch)
    assert (before["status"], before["rows_done"], before["attempt"]) == ("running", 5000, 1)
    assert scoring.objects(batch) == ["/parts/000000.csv", "/parts/000001.csv"]

    second = scoring.bench.start_worker()

    taken = scoring.bench.wait_until(lambda: scoring.read(batch)["status"] == "succeeded", 60)
    after = scoring.read(batch)
    assert (after["attempt"], after["rows_done"], after["progress"]) == (2, 20_000, 1)
    assert '"parts":1' in second.log.read_text(), "the second worker began anew"
    scoring.bench.wait_until(lambda: scoring.objects(batch) == ["/result.csv"], 5)
    result = scoring.result(batch)
    assert [row["id"] for row in result] == [str(n) for n in range(20_000)]
    bad = [n for n in range(20_000) if n % 997 == 5]
    assert [int(row["id"]) for row in result if row["error"]] == bad
    assert after["rows_failed"] == len(bad)
    _compare(scoring, list(csv.DictReader(io.StringIO(content))), result)
    logged = "select row_count, rows from public.predictions where source = 'batch' and version_id = "
    query = f"{logged}(select version_id from public.batches where id = %s)"
    assert scoring.bench.connection.execute(query, (batch,)).fetchall() == [(20_000, None)]
    print(f"finished {taken:.1f} s after the second worker was started")


def _compare(scoring: Scoring, rows: list[dict[str, str]], result: list[dict[str, str]]) -> None:
    """Ask the API for every good row and compare number by number."""
    good = [(row, line) for row, line in zip(rows, result, strict=True) if not line["error"]]
    for start in range(0, len(good), 5000):
        some = good[start : start + 5000]
        sent = [{name: cell for name, cell in row.items() if name != "id"} for row, _ in some]
        answers = scoring.site.post(f"/api/predict/{scoring.slug}", json=sent).json()["predictions"]
        for (_, line), answer in zip(some, answers, strict=True):
            assert line["prediction"] == answer["label"]
            for name, share in answer["probabilities"].items():
                assert float(line[f"probability_{name}"]) == share


def test_rows_that_cannot_be_read_say_why(scoring: Scoring) -> None:
    """One bad cell costs its row only; the columns of the file stay as they were."""
    content = 'note,length,width,species\n"a, b",1.5,2,Adelie\n"he said ""no""",x,2.5,\nlast,null,,Gentoo\n'

    batch, result = scoring.run(content)

    assert batch["status"] == "succeeded", batch["reason"]
    assert (batch["rows_total"], batch["rows_failed"]) == (3, 1)
    assert [row["note"] for row in result] == ["a, b", 'he said "no"', "last"]
    assert [row["species"] for row in result] == ["Adelie", "", "Gentoo"]
    assert result[1]["prediction"] == ""
    assert result[1]["error"] == 'length: expected a number, got "x"; width: expected a whole number, got "2.5"'
    assert all(row["prediction"] and not row["error"] for row in (result[0], result[2]))


def test_result_is_safe_to_open_in_a_spreadsheet(scoring: Scoring) -> None:
    """What a spreadsheet would run is written with an apostrophe; numbers below zero stay numbers."""
    cells = [
        "=1+1",
        "+1+cmd|' /C calc'!A0",
        "-2+3+cmd|' /C calc'!A0",
        "@SUM(A1)",
        "\t=1",
        "\uff1d1",
        "-1.5",
        "+3e-4",
        "safe",
    ]
    rows = io.StringIO(newline="")
    writer = csv.writer(rows, lineterminator="\n")
    writer.writerows([["=evil()", "length", "prediction"], *([cell, "1", "old"] for cell in cells)])

    _, result = scoring.run(rows.getvalue())

    assert list(result[0])[:3] == ["'=evil()", "length", "prediction"]
    assert [row["'=evil()"] for row in result] == [*(f"'{cell}" for cell in cells[:6]), *cells[6:]]
    assert {row["prediction"] for row in result} == {"old"}
    assert {row["prediction_2"] for row in result} == {"Adelie"}


UNUSABLE = {
    "lenght,width\n1,2\n": "'lenght' where the model reads 'length'",
    "width,island\n1,Dream\n": "lacks what the model needs: length",
    "length,Island \n1,Dream\n": "'Island' where the model reads 'island'",
    "a,b\n1,2\n": "lacks what the model needs",
    "length,width\n1,2\n1\n": "1 cells on line 3",
    "length,width\n": "no rows",
}


def test_files_that_cannot_be_scored_say_why(scoring: Scoring) -> None:
    """One readable line each; nothing is left behind, and none holds up the others."""
    batches = {content: scoring.start(content) for content in UNUSABLE}

    scoring.bench.drain()

    for content, batch in batches.items():
        found = scoring.read(batch)
        assert found["status"] == "failed", content
        assert UNUSABLE[content] in found["reason"]
        assert scoring.objects(batch) == []


def test_table_of_one_column_is_enough_for_what_needs_one(scoring: Scoring) -> None:
    """A table to be scored has no target: the only required feature will do."""
    _, result = scoring.run("length\n1\n2.5\n")

    assert [row["prediction"] for row in result] == ["Adelie", "Adelie"]


def test_dataset_of_a_waiting_batch_stays(scoring: Scoring) -> None:
    """What is about to be read cannot be deleted; once the batch is over it can."""
    batch = scoring.start("length\n1\n")
    delete = "delete from public.datasets where id = %s", (scoring.read(batch)["dataset_id"],)
    with pytest.raises(psycopg.Error, match="is using this dataset"):
        scoring.bench.connection.execute(*delete)

    scoring.bench.drain()

    assert scoring.read(batch)["status"] == "succeeded"
    assert scoring.bench.connection.execute(*delete).rowcount == 1


def test_cancelled_batch_stops_and_leaves_nothing(scoring: Scoring) -> None:
    """In the middle of a table: the worker notices with the next part, and the parts are gone."""
    with scoring.napping(1, 2):
        batch = scoring.start(table(20_000))
        worker = scoring.bench.start_worker()
        scoring.bench.wait_until(lambda: scoring.bench.column(NAP))
        assert scoring.site.post(f"/api/batches/{batch}/cancel").json()["status"] == "cancelled"

    scoring.bench.wait_until(lambda: "batch lost" in worker.log.read_text(), 10)
    scoring.bench.wait_until(lambda: scoring.objects(batch) == [], 5)
    assert scoring.read(batch)["rows_done"] <= 10_000
    assert scoring.site.get(f"/api/batches/{batch}/result").status_code == 409


@pytest.mark.slow
def test_stopped_worker_gives_its_batch_back(scoring: Scoring) -> None:
    """SIGTERM between two parts: queued again without a lost attempt, and the next worker goes on."""
    with scoring.napping(1, 2):
        batch = scoring.start(table(20_000))
        worker = scoring.bench.start_worker()
        scoring.bench.wait_until(lambda: scoring.bench.column(NAP))
        worker.end(signal.SIGTERM)

    found = scoring.read(batch)
    assert (found["status"], found["attempt"], found["rows_done"]) == ("queued", 0, 5000)
    scoring.bench.drain()
    assert scoring.read(batch)["status"] == "succeeded"
    assert len(scoring.result(batch)) == 20_000


def test_results_are_reached_through_the_api_only(scoring: Scoring) -> None:
    """The bucket is closed even to the owner; the address in the answer is the way."""
    batch, _ = scoring.run("length\n1\n")
    path = scoring.bench.value("select result_path from public.batches where id = %s", UUID(batch["id"]))

    with scoring.bench.stack.client(user=scoring.bench.owner) as client:
        assert not client.get(f"/storage/v1/object/results/{path}").is_success
        assert not client.post(f"/storage/v1/object/sign/results/{path}", json={"expiresIn": 60}).is_success


def test_scoring_needs_no_trainer() -> None:
    """A worker that scores never loads scikit-learn."""
    code = "import sys, api._jobs.score_batch, models.training.table; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)

    assert not {"sklearn", "pandas", "scipy", "onnx"} & set(done.stdout.split())
