"""The whole way against the real stack: a CSV in, a certified model, predictions, a key."""

import json
import signal
import subprocess
import sys
import time

import httpx
import pytest

from tests.cli.command import composed_environ, run_in

pytestmark = [pytest.mark.stack, pytest.mark.slow]

ROW = json.dumps({"length": 5.1, "width": 3.0, "island": "South", "wild": True})


@pytest.fixture(scope="module")
def environ(cli_environ, worker) -> dict[str, str]:
    """Return what an analyst's shell holds, with a worker behind the stack."""
    return cli_environ


@pytest.fixture(scope="module")
def folder(tmp_path_factory, flowers):
    made = tmp_path_factory.mktemp("server")
    (made / "flowers.csv").write_text(flowers, encoding="utf-8")
    return made


@pytest.fixture(scope="module")
def trained(folder, environ):
    """Train through the server once and return the finished command."""
    return run_in(
        folder, "train", "flowers.csv", "--target", "kind", "--name", "cli-flowers", "--time-budget", "3",
        environ=environ, seconds=110,
    )  # fmt: skip


def test_train_ends_with_a_certified_champion(trained):
    """The first version answers at once; the result says so, with score, baseline and certificate."""
    assert trained.returncode == 0, trained.stderr
    assert "cli-flowers version 1 is certified and answers as champion" in trained.stdout
    assert "baseline" in trained.stdout
    assert "./rowcast predict cli-flowers --row " in trained.stdout
    assert "./rowcast key create --scope predict --model cli-flowers" in trained.stdout


def test_train_tells_its_stages_as_it_goes(trained):
    assert len(trained.stderr.splitlines()) >= 4


def test_train_as_json_adds_a_challenger(trained, folder, environ):
    """A second version waits as challenger; programs get run, version and card."""
    done = run_in(
        folder, "train", "flowers.csv", "--target", "kind", "--name", "cli-flowers", "--time-budget", "1",
        "--seed", "1", "--drop", "wild", "--json", environ=environ, seconds=110,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    assert (made["version"], made["champion"]) == (2, 1)
    assert made["run"]["status"] == "succeeded"
    assert [feature["name"] for feature in made["card"]["features"]] == ["length", "width", "island"]


def test_predict_shows_probabilities(trained, folder, environ):
    done = run_in(folder, "predict", "cli-flowers", "--row", ROW, environ=environ)

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("cli-flowers version 1\ntulip")


def test_predict_by_number_and_alias(trained, folder, environ):
    for reference in ("cli-flowers@1", "cli-flowers@champion"):
        done = run_in(folder, "predict", reference, "--row", ROW, "--json", environ=environ)
        assert json.loads(done.stdout)["version"] == 1


def test_predict_a_csv_longer_than_a_batch(trained, folder, environ, flowers):
    """Batches are invisible: one answer, in order, the target column ignored."""
    header, *rows = flowers.splitlines()
    (folder / "many.csv").write_text("\n".join([header, *rows * 8]) + "\n", encoding="utf-8")

    done = run_in(folder, "predict", "cli-flowers", "--csv", "many.csv", "--json", environ=environ)

    assert done.returncode == 0, done.stderr
    predictions = json.loads(done.stdout)["predictions"]
    assert len(predictions) == 2400
    assert predictions[:300] == predictions[2100:]


def test_predict_names_the_row_of_the_file_beyond_the_first_batch(trained, folder, environ, flowers):
    header, *rows = flowers.splitlines()
    (folder / "late.csv").write_text("\n".join([header, *rows * 4, "long,3,North,true,rose"]), encoding="utf-8")

    done = run_in(folder, "predict", "cli-flowers", "--csv", "late.csv", environ=environ)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("rowcast: row 1201, length: ")


def test_predict_of_an_unknown_model_is_one_line(folder, environ):
    done = run_in(folder, "predict", "no-such-model", "--row", ROW, environ=environ)

    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "no-such-model" in done.stderr


def test_key_predicts_until_it_is_revoked(trained, folder, environ, site_url):
    """A key made here opens the private model to a program, and nothing after it is revoked."""
    made = run_in(folder, "key", "create", "--scope", "predict", "--name", "till", "--json", environ=environ)
    assert made.returncode == 0, made.stderr
    key = json.loads(made.stdout)["key"]

    def ask() -> int:
        headers = {"x-api-key": key, "content-type": "application/json"}
        return httpx.post(
            f"{site_url}/api/predict/cli-flowers", headers=headers, content=ROW, trust_env=False
        ).status_code

    assert ask() == 200
    listed = json.loads(run_in(folder, "key", "list", "--json", environ=environ).stdout)
    mine = next(each for each in listed if each["name"] == "till")
    assert key not in json.dumps(listed)
    assert run_in(folder, "key", "revoke", mine["id"], environ=environ).returncode == 0
    deadline = time.monotonic() + 30
    while ask() != 401 and time.monotonic() < deadline:
        time.sleep(0.5)
    assert ask() == 401


def test_a_key_is_a_token_for_the_command_line(trained, folder, environ):
    """`ROWCAST_TOKEN` carries a key; no account is needed beside it."""
    made = run_in(folder, "key", "create", "--scope", "predict", environ=environ)
    key = made.stdout.split()[0]

    done = run_in(
        folder, "predict", "cli-flowers", "--row", ROW,
        environ={"ROWCAST_API_URL": environ["ROWCAST_API_URL"], "ROWCAST_TOKEN": key},
    )  # fmt: skip

    assert done.returncode == 0, done.stderr


def test_interrupted_training_goes_on_and_can_be_cancelled(folder, environ):
    """Ctrl-C stops the watching only; the words it leaves on screen lead back to the run."""
    watcher = subprocess.Popen(
        [sys.executable, "-m", "api._cli", "train", "flowers.csv", "--target", "kind", "--name", "cli-long",
         "--time-budget", "60"],
        cwd=folder, env=composed_environ(folder, environ), stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 30
    while _find_run(folder, environ, "cli-long") is None and time.monotonic() < deadline:
        time.sleep(0.3)
    watcher.send_signal(signal.SIGINT)
    _, said = watcher.communicate(timeout=60)

    run = _find_run(folder, environ, "cli-long")
    assert watcher.returncode == 130
    assert f"./rowcast run follow {run['id']}" in said
    assert run["status"] in {"queued", "running"}
    assert run_in(folder, "run", "cancel", run["id"], environ=environ).returncode == 0
    followed = run_in(folder, "run", "follow", run["id"], environ=environ)
    assert (followed.returncode, followed.stdout) == (1, "")
    assert "cancelled" in followed.stderr.splitlines()[-1]


def test_no_wait_returns_the_run(folder, environ):
    done = run_in(
        folder, "train", "flowers.csv", "--target", "kind", "--name", "cli-later", "--time-budget", "1", "--no-wait",
        environ=environ,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    run = _find_run(folder, environ, "cli-later")
    assert run["id"] in done.stdout
    followed = run_in(folder, "run", "follow", run["id"], environ=environ, seconds=110)
    assert followed.returncode == 0, followed.stderr
    assert "cli-later" in followed.stdout


def test_train_of_somebody_who_may_not_is_one_line(folder, environ, viewer):
    """A viewer is told so by the server; nothing is left of the attempt."""
    done = run_in(
        folder, "train", "flowers.csv", "--target", "kind", "--name", "cli-viewer",
        environ={**environ, "ROWCAST_EMAIL": viewer.email, "ROWCAST_PASSWORD": viewer.password},
    )  # fmt: skip

    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "analyst" in done.stderr


def _find_run(folder, environ, model):
    listed = json.loads(run_in(folder, "run", "list", "--json", environ=environ).stdout or "[]")
    return next((run for run in listed if run["model"] == model), None)
