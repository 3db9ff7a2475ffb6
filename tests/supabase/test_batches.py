"""Batches: born queued with their job, only for who may use both dataset and version, and ended once."""

from typing import Any

import pytest

JOBS = "select count(*) from procrastinate.procrastinate_jobs where lock = %s and queue_name = 'scoring' and status = 'todo'"


def test_batch_gets_its_job_in_the_same_transaction(world: Any, things: Any) -> None:
    """A batch that exists has a job; one by plain SQL belongs to the owner of the dataset."""
    row = world.row("select status, created_by, attempt from public.batches where id = %s", things.batch)

    assert row == ("queued", world.people["owner"], 0)
    assert world.value(JOBS, f"batch:{things.batch}") == 1


@pytest.mark.parametrize(
    ("who", "visibility", "code"),
    [
        ("owner", "private", None),
        ("stranger", "private", "PT404"),
        ("stranger", "public", None),
        ("admin", "private", None),
    ],
)
def test_version_must_be_readable(world: Any, who: str, visibility: str, code: str | None) -> None:
    """A dataset of one's own through anybody's public model, or through a private one of one's own."""
    version = world.add_version("model", visibility=visibility)
    own = world.add_dataset(who)

    def start() -> None:
        with world.acting_as(who):
            world.add_batch(own, version, created_by=world.people[who])

    if code is None:
        start()
    else:
        with world.refused(code, "no such version"):
            start()


def test_dataset_must_be_ones_own_and_ready(world: Any) -> None:
    """Nobody scores somebody else's table, a server in their name neither."""
    version = world.add_version("model", visibility="public")
    dataset = world.add_dataset()

    with world.refused("PT404", "no such dataset"), world.acting_as("stranger"):
        world.add_batch(dataset, version, created_by=world.people["stranger"])
    with world.refused("PT404", "no such dataset"), world.acting_as("service"):
        world.add_batch(dataset, version, created_by=world.people["stranger"])
    with world.refused("42501", "role analyst"), world.acting_as("service"):
        world.add_batch(dataset, version, created_by=world.people["viewer"])
    world.connection.execute("alter table public.datasets disable trigger check_dataset")
    world.connection.execute("update public.datasets set status = 'pending' where id = %s", (dataset,))
    with world.refused("PT409", "not ready"):
        world.add_batch(dataset, version)


def test_cancelling_is_for_its_creator(world: Any, things: Any) -> None:
    """A stranger learns nothing; cancelled stays cancelled, and cancelling twice is the same."""
    cancel = "select status from public.cancel_batch(%s)"

    with world.refused("PT404", "no such batch"), world.acting_as("stranger"):
        world.value(cancel, things.batch)
    with world.acting_as("owner"):
        assert [world.value(cancel, things.batch) for _ in range(2)] == ["cancelled", "cancelled"]
    with world.refused("PT409", "already been cancelled"):
        world.connection.execute("update public.batches set status = 'running' where id = %s", (things.batch,))


def test_batch_without_a_job_is_found(world: Any, things: Any) -> None:
    """Whatever became of its job, an unfinished batch is queued again."""
    world.connection.execute("truncate procrastinate.procrastinate_jobs cascade")

    assert things.batch in world.column("select private.requeue_lost_batches()")
    assert world.value(JOBS, f"batch:{things.batch}") == 1


def test_batch_outlives_its_dataset(world: Any, things: Any) -> None:
    """The account goes, and its data; the row stays, and its worker says why there is nothing to score."""
    world.connection.execute("delete from auth.users where id = %s", (world.people["owner"],))

    assert world.row("select dataset_id, status from public.batches where id = %s", things.batch) == (None, "queued")
