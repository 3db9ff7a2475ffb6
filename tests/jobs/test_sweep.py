"""Nothing lies about: uploads that never came, objects without a row, files of deleted versions."""

import hashlib
import json
from typing import Any

from uuid_utils import uuid7

from api._jobs.storage import DATASETS, MODELS, RESULTS, Storage
from api._jobs.sweep import sweep_up
from tests.api.conftest import Publisher
from tests.api.tiny import build

AGE = "update storage.objects set created_at = now() - interval '2 days' where name like %s returning id"


def names(bench: Any, word: str) -> set[str]:
    """List the objects whose name holds a word."""
    return set(bench.column("select name from storage.objects where name like %s", f"%{word}%"))


def test_strays_are_swept_up_when_they_are_old(bench: Any, storage: Storage, unique: str) -> None:
    """Old objects that no row knows go, in every bucket; young ones, and those that a row knows, stay."""
    digest = hashlib.sha256(unique.encode()).hexdigest()
    for bucket, path in (
        (DATASETS, f"{unique}/old.csv"),
        (RESULTS, f"{unique}/{unique}/result.csv"),
        (MODELS, f"{digest}/model.onnx"),
        (DATASETS, f"{unique}-young/new.csv"),
    ):
        storage.write(bucket, path, b"x", "text/csv")
    kept = bench.upload("a,b\n1,2\n")
    kept_path = bench.value("select object_path from public.datasets where id = %s", kept)
    for word in (f"{unique}/%", f"{digest}/%", kept_path):
        assert bench.value(AGE, word)

    sweep_up()

    assert names(bench, unique) == {f"{unique}-young/new.csv"}
    assert names(bench, digest) == set()
    assert names(bench, kept_path) == {kept_path}


def test_uploads_that_never_came_are_forgotten(bench: Any, storage: Storage) -> None:
    """Row and bytes, a day after the announcement."""
    statement = (
        "insert into public.datasets (owner_id, name, filename, created_at) values (%s, 'n', 'f.csv', '2026-01-01T00:00Z') "
        "returning object_path"
    )
    path = bench.value(statement, bench.owner.id)
    storage.write(DATASETS, path, b"half", "text/csv")

    assert sweep_up() >= 1

    assert names(bench, path) == set()
    assert bench.value("select count(*) from public.datasets where object_path = %s", path) == 0


def test_a_removed_person_leaves_no_bytes(bench: Any, unique: str) -> None:
    """The account goes, its datasets with it, and a worker's next visit takes their bytes away, whatever their age."""
    bench.owner = bench.stack.create_user("analyst")
    dataset = bench.upload("a,b\n1,2\n")
    path = bench.value("select object_path from public.datasets where id = %s", dataset)
    assert names(bench, path) == {path}

    bench.value("select public.remove_user(%s)", bench.owner.email)
    bench.drain()

    assert names(bench, path) == set()


def test_a_draining_worker_does_the_chores(bench: Any, unique: str, storage: Storage) -> None:
    """Where no worker lives long, each visit counts the traffic, looks for drift, forgets what is old, and sweeps."""
    publisher = Publisher(bench.stack)
    publisher.publish(unique, build(unique), owner=bench.owner, visibility="private")
    find = (
        "select version.id from public.versions as version join public.models as model on model.id = version.model_id "
    )
    version = bench.value(find + "where model.slug = %s", unique)
    row, label = {"length": 1.5, "width": 2, "island": "Dream"}, {"label": "Adelie", "probabilities": {"Adelie": 1.0}}
    told = {"id": str(uuid7()), "version_id": str(version), "source": "api", "caller_kind": "anonymous"}
    told |= {"row_count": 1, "rows": [row], "outputs": [label]}
    old = {**told, "id": str(uuid7()), "at": "2020-01-01T00:00:00Z"}
    bench.value("select public.log_predictions(%s)", json.dumps({"predictions": [told, old]}))
    storage.write(DATASETS, f"{unique}/old.csv", b"x", "text/csv")
    assert bench.value(AGE, f"{unique}/%")

    bench.drain()

    log = bench.workers[-1].log.read_text()
    counted = "select sum(seen) from public.value_days where version_id = %s and feature = 'length'"
    assert bench.value(counted, version) == 2, log
    assert bench.value("select count(*) from public.drift_states where version_id = %s", version) > 0, log
    assert bench.column("select id::text from public.predictions where version_id = %s", version) == [told["id"]], log
    assert names(bench, unique) == set(), log
    assert bench.column("select task_name from procrastinate.procrastinate_jobs where lock ^@ 'chore:'") == []


def test_file_of_a_deleted_version_goes_unless_another_has_it(bench: Any, unique: str) -> None:
    """Two models share a file: it goes with the second deletion only."""
    publisher = Publisher(bench.stack)
    shared, newer = build(unique, seed=int(unique[-6:], 16)), build(unique)
    for slug in (unique, f"{unique}-b"):
        publisher.publish(slug, newer, shared, owner=bench.owner, visibility="private")
        statement = (
            "update public.aliases set version_id = (select id from public.versions where number = 1 and model_id = "
        )
        statement += (
            "aliases.model_id) where name = 'challenger' and model_id = (select id from public.models where slug = %s)"
        )
        bench.connection.execute(statement, (slug,))
    digest = shared.card.digest

    bench.value("select public.delete_version(%s, 2)", unique)
    bench.drain()
    assert names(bench, digest) == {f"{digest}/model.onnx", f"{digest}/card.json"}
    bench.value("select public.delete_version(%s, 2)", f"{unique}-b")
    bench.drain()

    assert names(bench, digest) == set()
