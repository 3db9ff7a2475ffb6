"""The prediction log: written in batches, once, by servers only; what a model's owner does not want kept is not."""

import json
from typing import Any

from uuid_utils import uuid7

READ = "select count(*), count(rows), count(outputs) from public.predictions where version_id = %s"


def test_batch_is_written_once(world: Any) -> None:
    """A batch whose confirmation was lost is sent again: only what is new is written, and nothing changes."""
    version = world.add_version("logged")
    first, second = world.log(version), world.log(version)

    assert world.write_log(first, second) == 2
    assert world.write_log(first | {"rows": [{"mass": 2}]}, world.log(version)) == 1

    assert world.row(READ, version) == (3, 3, 3)
    assert world.value("select rows from public.predictions where id = %s", first["id"]) == [{"mass": 1}]


def test_inputs_are_dropped_where_the_owner_wants_none(world: Any) -> None:
    """The database decides, whatever an instance that has not heard of it sends."""
    version = world.add_version("silent")
    with world.acting_as("owner"):
        world.connection.execute("update public.models set keep_inputs = false where slug = 'silent'")

    world.write_log(world.log(version))

    assert world.row(READ, version) == (1, 0, 1)


def test_version_is_found_by_its_file(world: Any) -> None:
    """A function that could not ask the database knows only which file it served; unknown files are nobody's."""
    version = world.add_version("bundled")
    known = world.log(version, version_id=None, model="bundled", digest="b" * 64)

    assert world.write_log(known, {**known, "id": str(uuid7()), "model": "other"}) == 1
    assert world.row(READ, version) == (1, 1, 1)


def test_batch_may_come_as_text(world: Any) -> None:
    """The embedded data API passes an object on as a JSON string."""
    version = world.add_version("texty")
    sent = json.dumps(json.dumps({"predictions": [world.log(version)]}))

    assert world.value("select public.log_predictions(%s)", sent) == 1


def test_record_that_does_not_fit_refuses_its_batch(world: Any) -> None:
    """Nothing half-written: the API then sends the halves."""
    version = world.add_version("strict")

    with world.refused("23514", "source is api"):
        world.write_log(world.log(version), world.log(version, source="nowhere"))

    assert world.row(READ, version) == (0, 0, 0)


def test_owner_reads_a_page_of_the_log_by_index(world: Any) -> None:
    """Row security must not turn the newest predictions of a model into a scan of all."""
    model = world.value("select model_id from public.versions where id = %s", world.add_version("indexed"))
    world.connection.execute("set local enable_seqscan = off")
    query = "explain select id from public.predictions where model_id = %s order by at desc limit 10"

    with world.acting_as("owner"):
        plan = "\n".join(world.column(query, model))

    assert "predictions_model_id_idx" in plan, plan


def test_refusals_are_counted_with_the_batch(world: Any) -> None:
    """A batch tells how many requests were refused, by kind: once, and of models that exist."""
    version = world.add_version("refusing")
    refusal = {"id": str(uuid7()), "at": "2026-11-23T10:00:00Z", "model": "refusing"}
    refusal |= {"status": 422, "code": "rows_invalid", "count": 7}
    unknown = {**refusal, "id": str(uuid7()), "model": "none"}

    for _ in range(2):
        world.write_log({"refusal": refusal}, world.log(version), {"refusal": unknown})

    model = world.value("select model_id from public.versions where id = %s", version)
    assert world.row("select count(*), sum(count) from public.refusals where model_id = %s", model) == (1, 7)
    assert world.value("select code from public.refusals where id = %s", refusal["id"]) == "rows_invalid"
    assert world.value("select count(*) from public.refusals where id = %s", unknown["id"]) == 0
    assert world.row(READ, version)[0] == 2
