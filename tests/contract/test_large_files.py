"""Tables above the size of a request: the refusal names the way, and the way is one command or one call."""

import csv
import hashlib
import io
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.cli.command import run_in
from tests.conftest import RunningStack, User

NOTE = "x" * 2000
BAD_ROW = 7


def _table(rows: int, note: str = NOTE) -> str:
    cells = ["much" if index == BAD_ROW else str(index / 100) for index in range(rows)]
    return "length,note\n" + "".join(f"{cell},{note}\n" for cell in cells)


@pytest.fixture
def environ(stack: RunningStack, site_url: str, contract_owner: User) -> dict[str, str]:
    """Return what the owner's shell holds."""
    return {
        "ROWCAST_API_URL": site_url,
        "SUPABASE_URL": stack.supabase_url,
        "SUPABASE_PUBLISHABLE_KEY": stack.environ["SUPABASE_PUBLISHABLE_KEY"],
        "ROWCAST_EMAIL": contract_owner.email,
        "ROWCAST_PASSWORD": contract_owner.password,
    }


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """Write a file above what a request may hold."""
    file = tmp_path / "large.csv"
    file.write_text(_table(2300), encoding="utf-8")
    assert file.stat().st_size > 4_500_000
    return file


def _lines(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened))


@pytest.mark.parametrize("path", ["/api/predict/{}", "/v2/models/{}/infer", "/invocations/{}"])
def test_refusal_names_the_way(api: httpx.Client, contract_model: str, large: Path, path: str):
    """413 says how such a table is scored, in one line, whether its length was told or not."""

    def parts() -> Iterator[bytes]:
        with large.open("rb") as file:
            while part := file.read(1 << 20):
                yield part

    for content in (large.read_bytes(), parts()):
        answer = api.post(path.format(contract_model), content=content, headers={"content-type": "text/csv"})

        assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
        assert "POST /api/batches" in answer.json()["detail"]


@pytest.mark.slow
def test_command_scores_a_large_file_in_the_background(
    worker: None, environ: dict[str, str], contract_model: str, large: Path
):
    """One command: uploaded, scored by a worker, fetched; a row that cannot be read costs itself only."""
    done = run_in(large.parent, "predict", contract_model, "--csv", large.name, environ=environ)

    assert done.returncode == 0, done.stderr
    assert f"2,300 rows of large.csv scored by {contract_model} version 1: large.predicted.csv" in done.stdout
    assert "1 of them cannot be read" in done.stderr
    lines = _lines(large.with_name("large.predicted.csv"))
    assert [line["length"] for line in lines] == [row["length"] for row in _lines(large)]
    assert [index for index, line in enumerate(lines) if not line["prediction"]] == [BAD_ROW]
    assert lines[BAD_ROW]["error"] == 'length: expected a number, got "much"'


def test_command_sends_parts_for_who_may_not_start_batches(
    environ: dict[str, str], contract_model: str, large: Path, viewer: User
):
    """Predictions are for everybody: a viewer's large file, and nobody's, go in requests of their own."""
    as_viewer = {**environ, "ROWCAST_EMAIL": viewer.email, "ROWCAST_PASSWORD": viewer.password}
    as_nobody = {"ROWCAST_API_URL": environ["ROWCAST_API_URL"]}
    large.write_text("length\n" + f"1.{'0' * 2000}\n" * 2300, encoding="utf-8")

    for who in (as_viewer, as_nobody):
        done = run_in(large.parent, "predict", contract_model, "--csv", large.name, "--out", "o.csv", environ=who)
        assert done.returncode == 0, done.stderr
        assert len(_lines(large.with_name("o.csv"))) == 2300


def test_table_in_the_body_becomes_a_batch(api: httpx.Client, contract_owner: User, contract_model: str, unique: str):
    """One call: a dataset of that name, and its batch; sent again under its key, the same one."""
    content = _table(20, "n").encode()
    headers = {**contract_owner.headers, "content-type": "text/csv; charset=utf-8", "idempotency-key": unique}
    query = {"model": f"{contract_model}@2", "filename": f"{unique}.csv"}

    first, again = (api.post("/api/batches/csv", params=query, content=content, headers=headers) for _ in range(2))

    assert first.status_code == 201, first.text
    assert again.content == first.content
    batch = first.json()
    assert (batch["model"], batch["version"]) == (contract_model, 2)
    dataset = api.get(f"/api/datasets/{batch['dataset_id']}", headers=contract_owner.headers).json()
    assert (dataset["filename"], dataset["status"]) == (f"{unique}.csv", "ready")
    assert dataset["sha256"] == hashlib.sha256(content).hexdigest()


@pytest.mark.slow
def test_batch_of_a_body_is_scored(worker: None, api: httpx.Client, contract_key: str, contract_model: str):
    """A machine sends a table, asks how far it is, and downloads what became of it."""
    headers = {"x-api-key": contract_key}
    sent = {**headers, "content-type": "text/csv"}
    query = {"model": contract_model}
    batch = api.post("/api/batches/csv", params=query, content=_table(20, "n"), headers=sent).json()
    ends_at = time.monotonic() + 60
    while batch["status"] in {"queued", "running"} and time.monotonic() < ends_at:
        time.sleep(0.2)
        batch = api.get(f"/api/batches/{batch['id']}", headers=headers).json()

    assert (batch["status"], batch["progress"], batch["rows_failed"]) == ("succeeded", 1, 1), batch
    result = api.get(f"/api/batches/{batch['id']}/result", headers=headers).json()
    content = httpx.get(result["url"], trust_env=False).content
    assert hashlib.sha256(content).hexdigest() == result["sha256"]
    assert len(list(csv.DictReader(io.StringIO(content.decode())))) == 20


@pytest.mark.parametrize(
    ("content", "changes", "status"),
    [
        (b"", {}, 422),
        (b" \n ", {}, 422),
        (b"length\n1\n", {"content-type": "application/json"}, 415),
        (b"length\n1\n", {"content-type": ""}, 415),
        (b"length\n1\n", {"model": "no-such-model"}, 404),
        (b"length\n1\n", {"model": ""}, 404),
        (b"length\n1\n", {"filename": "../up.csv"}, 422),
        (b"length\n1\n", {"filename": "a\x00b"}, 422),
        (b"length\n1\n", {"filename": "..."}, 422),
        (b" " * 4_600_000, {}, 413),
    ],
    ids=str,
)
def test_bad_bodies(api: httpx.Client, contract_owner: User, contract_model: str, content, changes, status: int):
    """Each is refused with what to change."""
    headers = {**contract_owner.headers, "content-type": changes.get("content-type", "text/csv")}
    query = {"model": contract_model, **{name: each for name, each in changes.items() if name != "content-type"}}

    answer = api.post("/api/batches/csv", params=query, content=content, headers=headers)

    assert answer.status_code == status, answer.text
    assert answer.json()["detail"]
