"""A row in `runs` becomes a certified version, or ends with a reason; nothing half-written stays."""

import hashlib
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import UUID

import httpx
import pytest

from api._jobs import train_run
from api._jobs.errors import RunInterrupted, RunPostponed
from api._jobs.run_record import Event, RunRecord
from api._jobs.storage import Storage
from api._jobs.train_run import carry_out
from api._lib.settings import settings
from models.contract import Card
from models.runtime import OnnxModel

TABLE = "mass,wing,island,species\n" + "".join(
    f"{3400 + 23 * (n % 20) + 600 * (n % 3)},{180 + n % 13 + 9 * (n % 3)},{'xyz'[n % 3]},{'abc'[n % 3]}\n"
    for n in range(150)
)


def go(run: UUID) -> None:
    """Carry a run out in this process."""
    carry_out(run, threading.Event())


@pytest.mark.slow
def test_plain_insert_ends_as_a_certified_version(bench: Any, service: httpx.Client, unique: str) -> None:
    """From one SQL insert to a champion that answers: the whole path, with nothing else done by anybody."""
    dataset = bench.upload(TABLE, profiled=True)
    run = bench.insert_run(unique, dataset)

    bench.drain()

    assert bench.state(run) == "succeeded", bench.reason(run)
    path = f"/rest/v1/models?slug=eq.{unique}&select=task,aliases(name,versions(number,digest,card,size_bytes))"
    model = service.get(path).json()[0]
    assert {alias["name"] for alias in model["aliases"]} == {"champion", "challenger"}
    version = model["aliases"][0]["versions"]
    served = service.get(f"/storage/v1/object/models/{version['digest']}/model.onnx").content
    assert hashlib.sha256(served).hexdigest() == version["digest"]
    card = Card.model_validate(version["card"])
    assert (card.name, card.parity.passed, len(served)) == (unique, True, version["size_bytes"])
    stored = service.get(f"/storage/v1/object/models/{version['digest']}/card.json").content
    assert Card.model_validate_json(stored) == card
    answer = OnnxModel.open(served, card).predict([{"mass": 4500, "wing": 200, "island": "z"}])[0]
    assert set(answer["probabilities"]) == {"a", "b", "c"}
    kinds = bench.kinds(run)
    assert (kinds[0], kinds[1], kinds[-1]) == ("queued", "running", "succeeded")
    assert bench.value("select rows from public.datasets where id = %s", dataset) == 150
    assert bench.column("select 1 from procrastinate.procrastinate_jobs where lock = %s", f"run:{run}") == []


@pytest.mark.parametrize(
    ("content", "target", "words"),
    [
        ("mass,species\n1,a\n2,b\n" * 30, "colour", "colour"),
        ("mass,species\n" + "1,a\n2,a\n" * 30, "species", "species"),
        ("mass,species\n1,a\x00\n", "species", "NUL"),
        ("a\n1\n2\n", "a", "column"),
    ],
)
def test_unusable_table_fails_once_with_a_reason(
    bench: Any, unique: str, content: str, target: str, words: str
) -> None:
    """The owner reads one line; the queue is free again; neither version, model nor object exists."""
    before = bench.artefacts()
    run = bench.insert_run(unique, bench.upload(content), target)

    go(run)

    assert bench.state(run) == "failed"
    assert words in bench.reason(run)
    assert "\n" not in bench.reason(run)
    assert bench.kinds(run)[-1] == "failed"
    assert bench.value("select attempt from public.runs where id = %s", run) == 1
    assert bench.value("select count(*) from public.models where slug = %s", unique) == 0
    assert bench.artefacts() == before


def test_other_bytes_than_announced_are_refused(bench: Any, unique: str) -> None:
    """What is trained on is what was uploaded and checked, byte by byte."""
    run = bench.insert_run(unique, bench.upload(TABLE, stored=b"a,b\n1,2\n"))

    go(run)

    assert "not the one that was announced" in bench.reason(run)


def test_missing_upload_is_said(bench: Any, service: httpx.Client, unique: str) -> None:
    """A dataset whose object is gone ends the run with that."""
    dataset = bench.upload(TABLE)
    path = bench.value("select object_path from public.datasets where id = %s", dataset)
    assert service.request("DELETE", "/storage/v1/object/datasets", json={"prefixes": [path]}).is_success
    run = bench.insert_run(unique, dataset)

    go(run)

    assert "never uploaded" in bench.reason(run)


def test_deleted_dataset_is_said(bench: Any, unique: str) -> None:
    """An account goes at any time, and its data with it; a run that waited for them ends readably."""
    bench.owner = bench.stack.create_user("analyst")
    run = bench.insert_run(unique, bench.upload(TABLE))
    bench.value("delete from auth.users where id = %s returning id", bench.owner.id)

    go(run)

    assert "was deleted" in bench.reason(run)


def test_silent_storage_postpones_the_run(bench: Any, unique: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An outage is not the owner's fault: the run waits, and fails only after its last attempt."""
    run = bench.insert_run(unique, bench.upload(TABLE))
    monkeypatch.setenv("SUPABASE_URL", "http://127.0.0.1:9")
    settings.cache_clear()

    states = []
    for _ in range(3):
        try:
            go(run)
        except RunPostponed:
            states.append(bench.state(run))

    assert states == ["queued", "queued"]
    assert bench.state(run) == "failed"
    assert bench.reason(run) == "Storage does not answer. Tried 3 times."


def test_full_disk_is_said(bench: Any, unique: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even a failure of the machine ends in a sentence, and the run is tried again."""
    run = bench.insert_run(unique, bench.upload(TABLE))
    monkeypatch.setattr("tempfile.tempdir", "/dev/null")

    with pytest.raises(RunPostponed, match="machine failed: Not a directory"):
        go(run)

    assert bench.state(run) == "queued"


@pytest.mark.slow
def test_failing_upload_leaves_nothing(
    bench: Any, unique: str, refusing_storage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model file is up, the card is refused: no version, no model, and the file is taken away again."""
    before = bench.artefacts()
    run = bench.insert_run(unique, bench.upload(TABLE))
    bench.value("update public.runs set attempt = 2 where id = %s returning id", run)
    monkeypatch.setenv("SUPABASE_URL", refusing_storage)
    monkeypatch.setattr(train_run, "PATIENCE_SECONDS", 0)
    settings.cache_clear()

    go(run)

    assert bench.reason(run) == "Storage refused with status 503. Tried 3 times."
    assert bench.value("select count(*) from public.models where slug = %s", unique) == 0
    assert bench.artefacts() == before


def test_leftovers_of_a_killed_worker_are_removed(bench: Any, storage: Storage, unique: str, tmp_path: Any) -> None:
    """Killed between upload and registration, then cancelled: the job finds the objects and takes them away."""
    digest = hashlib.sha256(unique.encode()).hexdigest()
    (tmp_path / "model.onnx").write_bytes(b"half a version")
    storage.put_artefacts(digest, {"model.onnx": tmp_path / "model.onnx"})
    run = bench.insert_run(unique, bench.upload(TABLE))
    with RunRecord.open(run) as record:
        record.take_up()
        record.note([Event("stage", {"stage": "publish", "digest": digest}, datetime.now(UTC))])
    bench.value("select public.cancel_run(%s)", run)

    assert digest in bench.artefacts()
    go(run)

    assert digest not in bench.artefacts()


def test_a_run_in_good_hands_is_left_alone(bench: Any, unique: str) -> None:
    """A second worker that gets the job while the first still shows signs of life waits."""
    run = bench.insert_run(unique, bench.upload(TABLE))
    with RunRecord.open(run) as record:
        record.take_up()

    with pytest.raises(RunPostponed, match="Another worker"):
        go(run)

    assert bench.value("select attempt from public.runs where id = %s", run) == 1


def test_a_run_that_kills_its_workers_ends(bench: Any, unique: str) -> None:
    """After the third death in the middle of it nobody tries again."""
    run = bench.insert_run(unique, bench.upload(TABLE))
    bench.value("update public.runs set status = 'running', attempt = 3 where id = %s returning id", run)

    go(run)

    assert bench.reason(run) == "The worker died 3 times in the middle of this run."


def test_an_interrupted_attempt_does_not_count(bench: Any, unique: str) -> None:
    """A worker that is stopped gives the run back as if it had never had it."""
    run = bench.insert_run(unique, bench.upload(TABLE))
    stop = threading.Event()
    stop.set()

    with pytest.raises(RunInterrupted):
        carry_out(run, stop)

    row = bench.connection.execute(
        "select status, attempt, heartbeat_at from public.runs where id = %s", (run,)
    ).fetchone()
    assert row == ("queued", 0, None)


def test_carrying_out_an_ended_run_changes_nothing(bench: Any, unique: str) -> None:
    """A job that comes twice finds nothing to do."""
    run = bench.insert_run(unique, bench.upload("a\n1\n"), "a")
    go(run)
    events = bench.kinds(run)

    go(run)

    assert bench.kinds(run) == events


@pytest.fixture
def refusing_storage(bench: Any) -> Iterator[str]:
    """Stand between worker and Storage, and refuse cards."""
    target = bench.stack.supabase_url

    class Door(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            """Keep quiet."""

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            if self.command == "POST" and self.path.endswith("card.json"):
                status, content = 503, b"no"
            else:
                headers = {
                    name: self.headers[name] for name in ("apikey", "content-type", "x-upsert") if name in self.headers
                }
                passed = httpx.request(self.command, target + self.path, content=body, headers=headers, trust_env=False)
                status, content = passed.status_code, passed.content
            self.send_response(status)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_DELETE = answer  # noqa: N815

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
