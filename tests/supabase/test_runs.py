"""A run is a row: whoever may insert it gets exactly one job, and its states leave a numbered trace."""

import json
from typing import Any

import pytest

JOBS = "select queue_name, task_name, args, lock, queueing_lock, status::text from procrastinate.procrastinate_jobs where lock = %s"
CANCEL = "select (public.cancel_run(%s)).status"


def jobs(world: Any, run: Any) -> list[tuple[Any, ...]]:
    """List the jobs that stand for a run."""
    return list(world.connection.execute(JOBS, (f"run:{run}",)).fetchall())


def test_insert_queues_exactly_one_job(world: Any) -> None:
    """The job is there with the row, locked so that two workers never run it at once."""
    run = world.add_run("penguins", world.add_dataset())

    lock = f"run:{run}"
    assert jobs(world, run) == [("training", "train", {"run_id": str(run)}, lock, lock, "todo")]


def test_rolled_back_insert_leaves_no_job(world: Any) -> None:
    """Row and job are one transaction."""
    with world.connection.transaction(force_rollback=True):
        run = world.add_run("penguins", world.add_dataset())

    assert jobs(world, run) == []


def test_plain_insert_belongs_to_the_owner_of_the_dataset(world: Any) -> None:
    """Whoever types SQL names a dataset, a model and a target, and nothing else."""
    run = world.add_run("penguins", world.add_dataset())

    row = world.row("select created_by, status, attempt, visibility, last_seq from public.runs where id = %s", run)
    assert row == (world.people["owner"], "queued", 0, "private", 1)


def test_inserted_state_is_not_believed(world: Any) -> None:
    """A run starts queued whatever the insert says."""
    run = world.add_run("penguins", world.add_dataset(), status="succeeded", progress=1, attempt=7, message="done")

    assert world.row("select status, progress, attempt from public.runs where id = %s", run) == ("queued", 0, 0)


def test_runs_are_refused_with_a_reason(world: Any) -> None:
    """Rights, dataset, name and target are checked before anything is queued."""
    mine, pending = (
        world.add_dataset(),
        world.value(
            "insert into public.datasets (owner_id, name, filename) values (%s, 'n', 'f.csv') returning id",
            world.people["owner"],
        ),
    )
    world.add_version("taken", owner="stranger")
    world.add_version("penguins")
    insert = "insert into public.runs (dataset_id, model_slug, target) values (%s, %s, %s)"

    with world.acting_as("owner"):
        for code, words, dataset, slug, target in [
            ("PT404", "no such dataset", world.people["owner"], "new", "species"),
            ("PT409", "upload is not complete", pending, "new", "species"),
            ("PT409", "is taken", mine, "taken", "species"),
            ("PT409", 'predicts "species"', mine, "penguins", "island"),
        ]:
            with world.refused(code, words):
                world.connection.execute(insert, (dataset, slug, target))
    with world.acting_as("stranger"), world.refused("PT404", "no such dataset"):
        world.connection.execute(insert, (mine, "new", "species"))
    with world.acting_as("viewer"), world.refused("42501", "needs the role analyst"):
        world.connection.execute(insert, (mine, "new", "species"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "an object is expected"),
        ({"tme_budget": 3}, '"tme_budget" not known'),
        ({"time_budget_seconds": 0}, "from 1 to 3600"),
        ({"time_budget_seconds": "30"}, "from 1 to 3600"),
        ({"seed": -1}, "options.seed"),
        ({"seed": 1.5}, "options.seed"),
        ({"drop": "id"}, "options.drop"),
        ({"drop": [1]}, "options.drop"),
        ({"task": "ranking"}, "options.task"),
    ],
)
def test_odd_options_are_refused(world: Any, options: object, words: str) -> None:
    """What the trainer would not understand never reaches it."""
    with world.refused("22023", words):
        world.add_run("penguins", world.add_dataset(), options=json.dumps(options))


def test_known_options_are_kept(world: Any) -> None:
    """Every documented option passes."""
    options = {"time_budget_seconds": 7.5, "seed": 3, "drop": ["id", "note"], "task": "binary"}

    run = world.add_run("penguins", world.add_dataset(), options=json.dumps(options))

    assert world.value("select options from public.runs where id = %s", run) == options


def test_each_state_is_an_event(world: Any) -> None:
    """The trace is numbered without gaps and ends with the outcome."""
    run = world.add_run("penguins", world.add_dataset())
    version = world.finish(run)

    events = world.connection.execute(
        "select seq, kind, data from public.run_events where run_id = %s order by seq", (run,)
    ).fetchall()
    assert [(seq, kind) for seq, kind, _ in events] == [(1, "queued"), (2, "running"), (3, "succeeded")]
    assert events[-1][2]["version_id"] == str(version)
    assert events[-1][2]["progress"] == 1


def test_an_ended_run_stays_as_it_ended(world: Any) -> None:
    """No later write turns a success into something else."""
    run = world.add_run("penguins", world.add_dataset())
    world.finish(run)

    with world.refused("PT409", "already succeeded"):
        world.connection.execute("update public.runs set status = 'failed', reason = 'x' where id = %s", (run,))
    with world.acting_as("owner"), world.refused("PT409", "already succeeded"):
        world.value(CANCEL, run)


def test_owner_cancels_once_or_twice(world: Any) -> None:
    """Cancelling is final, and asking again answers the same."""
    run = world.add_run("penguins", world.add_dataset())

    with world.acting_as("owner"):
        assert [world.value(CANCEL, run), world.value(CANCEL, run)] == ["cancelled", "cancelled"]

    assert world.column("select kind from public.run_events where run_id = %s order by seq", run) == [
        "queued",
        "cancelled",
    ]


def test_only_its_creator_and_admins_cancel_a_run(world: Any) -> None:
    """For everybody else the run is not there."""
    run = world.add_run("penguins", world.add_dataset())

    for role in ("stranger", "viewer"):
        with world.acting_as(role), world.refused("PT404"):
            world.value(CANCEL, run)
    with world.acting_as("anon"), world.refused("42501"):
        world.value(CANCEL, run)
    with world.acting_as("admin"):
        assert world.value(CANCEL, run) == "cancelled"


def test_lost_runs_get_a_job_again(world: Any) -> None:
    """An unfinished run without a job is found; one with a job, or ended, is left alone."""
    lost, fine, ended = (world.add_run(slug, world.add_dataset()) for slug in ("lost", "fine", "ended"))
    world.value(CANCEL, ended)
    world.connection.execute("set local search_path = procrastinate")
    world.connection.execute("delete from procrastinate_jobs where lock = any (%s)", ([f"run:{lost}", f"run:{ended}"],))

    found = world.column("select private.requeue_lost_runs()")

    assert lost in found
    assert not {fine, ended} & set(found)
    assert len(jobs(world, lost)) == 1


def test_run_survives_its_dataset(world: Any) -> None:
    """Deleting data is always possible; the run and its model stay."""
    dataset = world.add_dataset()
    run = world.add_run("penguins", dataset)
    world.finish(run)

    with world.acting_as("owner"):
        world.connection.execute("delete from public.datasets where id = %s", (dataset,))

    assert world.row("select dataset_id, status from public.runs where id = %s", run) == (None, "succeeded")


def test_without_a_queue_the_insert_says_so(world: Any) -> None:
    """No run is accepted that nobody would ever carry out."""
    dataset = world.add_dataset()
    world.connection.execute("alter table procrastinate.procrastinate_jobs rename to elsewhere")

    with world.refused("PT503", "queue is not installed"):
        world.add_run("penguins", dataset)
