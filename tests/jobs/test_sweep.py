"""Nothing lies about: uploads that never came, objects without a row, files of deleted versions."""

import hashlib
from typing import Any

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
