"""The verbs of a deployment, each run for real as far as a machine without accounts goes."""

import hashlib
import json
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from api._commands.deploy import bundle as bundling
from api._commands.deploy import programs
from api._commands.deploy.bundle import Champion
from api._commands.deploy.migrate import migrate
from api._commands.deploy.push import push
from api._commands.deploy.slim import slim
from api._commands.errors import CliError
from api._stack import migrations
from tests.api.conftest import Publisher
from tests.api.tiny import build
from tests.cli.command import Run
from tests.conftest import RunningStack, User


def test_bundle_takes_what_is_published_and_nothing_else(
    run: Run, stack: RunningStack, analyst: User, unique: str, tmp_path: Path
):
    """Files equal to their digest; private models stay out, old bundles go; a file that was tampered with is refused."""
    publisher, tiny = Publisher(stack), build(unique, seed=77)
    publisher.publish(unique, tiny)
    publisher.publish(f"{unique}-private", build(f"{unique}-private", seed=78), owner=analyst, visibility="private")
    gallery = tmp_path / "gallery"
    (gallery / "gone").mkdir(parents=True)
    (gallery / "gone/card.json").write_text("{}")
    (gallery / "datasets").mkdir()

    done = run("deploy", "bundle", "--out", str(gallery), environ=stack.environ)

    assert done.returncode == 0, done.stderr
    bundled = {path.name for path in gallery.iterdir()}
    assert {unique, "datasets"} <= bundled
    assert not {"gone", f"{unique}-private"} & bundled
    card = json.loads((gallery / unique / "card.json").read_text())
    assert hashlib.sha256((gallery / unique / "model.onnx").read_bytes()).hexdigest() == card["digest"]
    with stack.client(is_service=True) as storage:
        path, headers = f"/storage/v1/object/models/{tiny.card.digest}/model.onnx", {"x-upsert": "true"}
        storage.post(path, content=tiny.model + b"!", headers=headers).raise_for_status()
        refused = run("deploy", "bundle", "--out", str(gallery), environ=stack.environ)
        storage.post(path, content=tiny.model, headers=headers).raise_for_status()
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    assert "not the one that was certified" in refused.stderr


def test_bundle_keeps_within_its_room():
    """The smallest come first; what does not fit is named, not dropped in silence."""
    each = [Champion("big", "b", 3_000_000), Champion("small", "s", 400_000), Champion("middle", "m", 600_000)]

    chosen, left_out = bundling._fit(each, 1)

    assert ([one.slug for one in chosen], [one.slug for one in left_out]) == (["middle", "small"], ["big"])


def test_smoke_tells_a_sound_deployment_from_others(
    run: Run, stack: RunningStack, web_url: str, unique: str, protected: str
):
    """The real site passes; another commit, a protected deployment and nobody at all do not."""
    Publisher(stack).publish(unique, build(unique))

    sound = run("deploy", "smoke", web_url)
    other = run("deploy", "smoke", web_url, "--commit", "abc123")
    shut = run("deploy", "smoke", protected, "--wait", "0")
    nobody = run("deploy", "smoke", "http://127.0.0.1:9", "--wait", "0")

    assert (sound.returncode, "FAIL" in sound.stdout) == (0, False), sound.stdout
    assert "prediction: " in sound.stdout
    assert (other.returncode, "abc123 was deployed" in other.stdout) == (1, True)
    assert (shut.returncode, "VERCEL_AUTOMATION_BYPASS_SECRET" in shut.stderr) == (1, True)
    assert (nobody.returncode, nobody.stderr.count("\n")) == (1, 1)


@pytest.fixture
def protected() -> Iterator[str]:
    """Stand a platform's sign-in page in front of everything."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(401)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def empty_database(stack: RunningStack, unique: str) -> Iterator[str]:
    """Make a database without anything of ours, as a new project's is."""
    with stack.connect(autocommit=True) as connection:
        connection.execute(f"create database {unique}")
    yield make_conninfo_url(stack.environ["DATABASE_URL"], unique)
    with stack.connect(autocommit=True) as connection:
        connection.execute(f"drop database {unique} with (force)")


def make_conninfo_url(url: str, name: str) -> str:
    """Name another database of the same server."""
    assert make_conninfo(url)
    return url.removesuffix(conninfo_to_dict(url)["dbname"]) + name


def test_migrate_brings_an_empty_database_up_to_date(
    empty_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """Shown first, then applied with the record of the Supabase CLI and the queue's tables, then nothing to do."""
    (tmp_path / "20990101000000_probe.sql").write_text(
        "create schema if not exists procrastinate;\ncreate table public.probe (id int);\n"
    )
    monkeypatch.setattr(migrations, "MIGRATIONS", tmp_path)
    monkeypatch.setenv("DATABASE_URL", empty_database)

    said = []
    for dry_run in (True, False, False, True):
        migrate(dry_run=dry_run)
        said.append(capsys.readouterr().out.strip())

    assert said[0] == "20990101000000_probe.sql"
    assert said[1].endswith("migrations applied.")
    assert said[2:] == ["The database is up to date.", "Nothing is missing."]
    with psycopg.connect(empty_database) as connection:
        assert connection.execute("select version, name from supabase_migrations.schema_migrations").fetchall() == [
            ("20990101000000", "probe")
        ]
        assert connection.execute("select to_regclass('procrastinate.procrastinate_jobs') is not null").fetchone() == (
            True,
        )


def test_queue_is_installed_after_the_migrations_too(
    empty_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Where the Supabase CLI came first, the queue's schema is there and empty."""
    with psycopg.connect(empty_database) as connection:
        connection.execute("create schema procrastinate")
    monkeypatch.setattr(migrations, "MIGRATIONS", tmp_path)
    monkeypatch.setenv("DATABASE_URL", empty_database)

    migrate()

    with psycopg.connect(empty_database) as connection:
        found = connection.execute("select to_regclass('procrastinate.procrastinate_jobs') is not null").fetchone()
    assert found == (True,)


def test_migrate_refuses_in_one_line(run: Run):
    """No address, the pooler that cannot listen, a server that is not there; the password is in no message."""
    for url, said in (
        ("", "set DATABASE_URL"),
        ("postgresql://u:hidden@aws-0-x.pooler.supabase.com:6543/postgres", "session pooler, 5432"),
        ("postgresql://u:hidden@127.0.0.1:9/postgres", "does not take it"),
    ):
        done = run("deploy", "migrate", environ={"DATABASE_URL": url} if url else {})
        assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
        assert said in done.stderr
        assert "hidden" not in done.stderr


FAKE = """
import json, os, sys
with open({log!r}, "a") as file:
    file.write(json.dumps({{"argv": sys.argv[1:], "text": sys.stdin.read(), "environ": dict(os.environ)}}) + "\\n")
if "deploy" in sys.argv: print("Inspect: https://vercel.com/x\\nhttps://rowcast-abc.vercel.app")
"""


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in for Vercel's command line, whose other end is Vercel, and write down how it is called."""
    log, script = tmp_path / "calls", tmp_path / "vercel.py"
    script.write_text(FAKE.format(log=str(log)))
    python = subprocess.run(["which", "python3"], capture_output=True, text=True, check=True).stdout.strip()
    monkeypatch.setattr(programs, "vercel", lambda: [python, str(script)])
    monkeypatch.setenv("ROWCAST_HOME", str(tmp_path / "home"))
    return log


def test_push_builds_and_deploys_without_telling_secrets(
    calls: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """Pull, build byte-code compiled, deploy what was built; the token goes by environment; the workflow is told where."""
    with pytest.raises(CliError, match="set VERCEL_TOKEN, VERCEL_ORG_ID, VERCEL_PROJECT_ID"):
        push(production=True)
    for name in ("VERCEL_TOKEN", "VERCEL_ORG_ID", "VERCEL_PROJECT_ID"):
        monkeypatch.setenv(name, f"hidden-{name}")
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))

    assert push(production=True, with_smoke=False) == 0

    made = [json.loads(line) for line in calls.read_text().splitlines()]
    assert [call["argv"] for call in made] == [
        ["pull", "--yes", "--environment=production"],
        ["build", "--yes", "--prod"],
        ["deploy", "--prebuilt", "--yes", "--prod"],
    ]
    assert {call["environ"]["VERCEL_TOKEN"] for call in made} == {"hidden-VERCEL_TOKEN"}
    assert {call["environ"]["VERCEL_PYTHON_COMPILEALL"] for call in made} == {"1"}
    said = capsys.readouterr()
    assert said.out == "https://rowcast-abc.vercel.app\n"
    assert "hidden" not in said.out + said.err
    assert (tmp_path / "output").read_text() == "url=https://rowcast-abc.vercel.app\n"


def test_what_no_function_loads_is_left_out(tmp_path: Path):
    """From the list of files and from those that lie in the function; what is loaded stays, and twice is as once."""
    function = tmp_path / "functions" / "api" / "predict.func"
    config = function / ".vc-config.json"
    loaded = [
        "_vendor/onnxruntime/capi/onnxruntime_pybind11_state.so",
        "_vendor/numpy/testing/__init__.py",
        "api/predict.py",
    ]
    idle = [
        "_vendor/onnxruntime/capi/libonnxruntime.so.1.32.0",
        "_vendor/numpy/_core/tests/test_api.py",
        "_vendor/pip/x.py",
    ]
    function.mkdir(parents=True)
    config.write_text(json.dumps({"handler": "x", "filePathMap": {name: f"from/{name}" for name in [*loaded, *idle]}}))
    for name in (loaded[1], idle[1]):
        compiled = (function / name).parent / "__pycache__" / "one.cpython-312.pyc"
        compiled.parent.mkdir(parents=True)
        compiled.touch()

    assert slim(tmp_path) == len(idle) + 1
    assert slim(tmp_path) == 0

    left = json.loads(config.read_text())
    assert left == {"handler": "x", "filePathMap": {name: f"from/{name}" for name in loaded}}
    assert [path.parent.parent.name for path in function.rglob("*.pyc")] == ["testing"]
