"""Several workers, one search: they meet in Postgres, and one of them writes the result."""

import json
import os
import socket
import subprocess
import sys
import time
from urllib.parse import quote

import pytest
from sqlalchemy.exc import ProgrammingError, SQLAlchemyError

from models.errors import DatasetRejected
from models.training import TrainOptions, assist, study, train
from models.training.options import Study
from models.training.progress import Progress
from tests.models.tables import csv_bytes, mixed, table

HELPER = """
import json, sys
from pathlib import Path
from models.training import TrainOptions, assist, read_table
from models.training import search, trainer
search.Search._is_beaten = lambda *_: False  # what it tries is to be completed, however good the leader is
print("ready", flush=True)
sys.stdin.readline()
print(assist(read_table(Path(sys.argv[1])), TrainOptions.from_json(json.loads(sys.argv[2]))))
"""


@pytest.fixture
def address(stack, request):
    with stack.connect(autocommit=True) as connection:
        connection.execute("create schema if not exists study_test")
    url = stack.environ["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://", 1)
    joint = "&" if "?" in url else "?"
    return {"storage": f"{url}{joint}options=-csearch_path%3Dstudy_test", "name": f"study of {request.node.name}"}


def _until_the_helper_has_tried(stack) -> None:
    """Wait, however busy the machine is, for a completed trial that is not of this process."""
    statement = """
        select count(*) from study_test.trial_user_attributes join study_test.trials using (trial_id)
        where key = 'worker' and value_json <> %s and state = 'COMPLETE'
    """
    own = json.dumps(f"{socket.gethostname()}:{os.getpid()}")
    deadline = time.monotonic() + 100
    while time.monotonic() < deadline:
        with stack.connect() as connection:
            if connection.execute(statement, [own]).fetchone()[0]:
                return
        time.sleep(0.2)
    raise AssertionError("the helper completed no trial")


@pytest.mark.timeout(180)
def test_two_workers_share_one_search(stack, address, tmp_path, monkeypatch):
    """Two processes add trials to one study; the leader alone ends with a certified model."""
    columns = mixed(300)
    path = tmp_path / "t.csv"
    path.write_bytes(csv_bytes(list(columns), list(zip(*columns.values(), strict=True))))
    given = {"target": "y", "name": "shared", "time_budget_seconds": 16, "threads": 1, "study": address}
    helper = subprocess.Popen(
        [sys.executable, "-c", HELPER, str(path), json.dumps(given)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert helper.stdout.readline() == "ready\n"
    helper.stdin.write("go\n")
    helper.stdin.flush()
    told = []
    monkeypatch.setattr("models.training.rematch._REPEATS", ())  # what follows the search is not what this is about
    # The leader's clock counts trials, so that a busy machine has as much time as an idle one.
    monkeypatch.setattr(Progress, "elapsed", property(lambda progress: float(progress._facts.get("trials", 0))))

    def tell(event):
        told.append(event)
        if event["kind"] == "trial" and event["trial"] == 10:  # behind the plain ones
            _until_the_helper_has_tried(stack)

    made = train(table(columns), TrainOptions.from_json(given), tell)
    out, _ = helper.communicate(timeout=60)

    trials = [event for event in told if event["kind"] == "trial"]
    theirs = [trial for trial in trials if "worker" in trial]
    ours = [trial for trial in trials if "worker" not in trial]
    assert helper.returncode == 0
    assert int(out) >= len(theirs) > 0
    assert len(ours) > 5  # the plain recipes, and more
    assert len({trial["worker"] for trial in theirs}) == 1
    assert made.card.parity.passed
    listed = [line.parameters for line in made.card.evaluation.leaderboard]
    assert any(trial["parameters"] in listed for trial in theirs)
    monkeypatch.undo()
    assert assist(table(columns), TrainOptions.from_json(given)) == 0  # the search is over


def test_tables_that_somebody_else_makes_at_that_moment_do_no_harm(address, monkeypatch):
    """A helper that looks for the study may win the race for one of its tables; the leader looks again."""
    monkeypatch.setattr("models.training.study._POLL_SECONDS", 0.0)
    honest, raced = study._Storage, []

    def racing(given, **options):
        if not raced:
            raced.append(given)
            raise ProgrammingError("create table alembic_version", {}, Exception("it already exists"))
        return honest(given, **options)

    monkeypatch.setattr(study, "_Storage", racing)

    made = study.SharedStudy.lead(Study(**address), 0)

    assert raced
    assert not made.is_announced
    made.leave()


def test_a_search_that_an_earlier_attempt_left_is_begun_anew(address):
    """A worker that was killed leaves a study behind; the next attempt is not confused by it."""
    given = {"target": "y", "name": "again", "time_budget_seconds": 1, "study": address}
    for _ in range(2):
        told = []
        train(table(mixed(200)), TrainOptions.from_json(given), told.append)
        assert not any("worker" in event for event in told)


def test_who_joins_a_search_that_nobody_leads_comes_back(address, monkeypatch):
    """After a minute; here after a moment."""
    monkeypatch.setattr("models.training.study._WAIT_SECONDS", 0.2)
    options = TrainOptions.from_json({"target": "y", "name": "n", "study": address})

    assert assist(table(mixed(200)), options) == 0


def test_no_connection_is_left_where_a_search_cannot_be_opened(stack, address):
    """A helper that looks before the tables are made, and a leader whose tables cannot be made."""
    nowhere = Study(address["storage"].replace("study_test", "no_such_schema"), address["name"])
    application = "search that cannot be opened"
    named = Study(f"{nowhere.storage}&application_name={quote(application)}", nowhere.name)

    assert study.SharedStudy._found(named, 0) is None
    with pytest.raises(SQLAlchemyError):
        study.SharedStudy.lead(named, 0)

    with stack.connect() as connection:
        left = "select count(*) from pg_stat_activity where application_name = %s"
        deadline = time.monotonic() + 10  # the server notices a moment later
        while (count := connection.execute(left, [application]).fetchone()[0]) and time.monotonic() < deadline:
            time.sleep(0.1)
            connection.rollback()
    assert count == 0


def test_joining_needs_a_study():
    """Said before anything is read."""
    with pytest.raises(DatasetRejected, match="name its study"):
        assist(table(mixed(50)), TrainOptions(target="y", name="n"))
