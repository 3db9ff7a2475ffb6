"""Opening models: once for everybody, within a bound of memory and disk, from wherever the file is nearest."""

import asyncio
import os
from collections import OrderedDict
from pathlib import Path

import httpx
import pytest

from api._lib import artifacts, engines
from api._lib.lookup import database
from api._lib.settings import settings
from api.predict import app as predict_app
from tests.api.tiny import Tiny, build, expected


@pytest.fixture
def gallery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be a function with a gallery of its own, no database, nothing opened and an empty disk."""
    monkeypatch.setattr(artifacts, "GALLERY", tmp_path / "gallery")
    monkeypatch.setattr(engines, "_opened", OrderedDict())
    monkeypatch.setenv("ROWCAST_MODEL_CACHE_DIR", str(tmp_path / "cache"))
    artifacts.bundled_artifacts.cache_clear()
    settings.cache_clear()
    database.worked()
    yield tmp_path / "gallery"
    artifacts.bundled_artifacts.cache_clear()
    settings.cache_clear()
    database.worked()


def _bundle(gallery: Path, name: str, seed: int = 0) -> Tiny:
    made = build(name, seed=seed)
    (gallery / name).mkdir(parents=True)
    (gallery / name / "model.onnx").write_bytes(made.model)
    (gallery / name / "card.json").write_text(made.card.model_dump_json())
    artifacts.bundled_artifacts.cache_clear()
    return made


def _post(path: str, **options) -> httpx.Response:
    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(predict_app), base_url="http://test") as client:
            return await client.post(path, **options)

    return asyncio.run(ask())


def test_bundled_champion_answers_without_any_server(gallery: Path):
    """A function alone in the world still predicts, says which part is missing, and leaves the number open."""
    _bundle(gallery, "alone")

    answer = _post("/api/predict/alone", json={"length": 1.5, "width": 2, "island": "Dream"})

    assert answer.status_code == 200
    assert answer.headers["x-rowcast-degraded"] == "database"
    assert (answer.json()["version"], answer.json()["alias"]) == (None, "champion")
    assert answer.json()["predictions"][0]["probabilities"] == pytest.approx(expected(1.5, 2, "Dream"), abs=1e-5)


@pytest.mark.parametrize("reference", ["alone@challenger", "alone@1", "other"])
def test_without_the_database_only_the_bundled_champion_is_known(gallery: Path, reference: str):
    """What only the database can tell is unavailable, not wrong."""
    _bundle(gallery, "alone")

    answer = _post(f"/api/predict/{reference}", json={"length": 1})

    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")


def test_model_is_opened_once_for_many_first_callers(gallery: Path, monkeypatch: pytest.MonkeyPatch):
    """Concurrent first requests wait for one opening."""
    made = _bundle(gallery, "once")
    opened = []
    open_file = engines._open_file
    monkeypatch.setattr(engines, "_open_file", lambda artifact: opened.append(1) or open_file(artifact))

    async def story() -> list[object]:
        return await asyncio.gather(*(engines.find(made.card.digest) for _ in range(20)))

    found = asyncio.run(story())

    assert len(opened) == 1
    assert len({id(engine) for engine in found}) == 1


def test_least_recently_used_model_makes_room(gallery: Path, monkeypatch: pytest.MonkeyPatch):
    """Above the bound of memory the model that was not asked for longest is closed; it opens again when asked for."""
    made = [_bundle(gallery, f"many-{seed}", seed) for seed in range(4)]
    monkeypatch.setenv("ROWCAST_MODEL_MEMORY_MB", "7")
    settings.cache_clear()
    digests = [each.card.digest for each in made]

    async def story() -> None:
        for digest in digests[:3]:
            await engines.find(digest)
        engines.peek(digests[0])
        await engines.find(digests[3])
        assert [engines.peek(digest) is not None for digest in digests] == [True, False, True, True]
        assert await engines.find(digests[1])

    asyncio.run(story())


def test_file_that_is_not_its_cards_is_not_opened(gallery: Path):
    """A bundled file that was changed is refused as any other."""
    made = _bundle(gallery, "bent")
    (gallery / "bent" / "model.onnx").write_bytes(made.model + b"x")

    answer = _post("/api/predict/bent", json={"length": 1})

    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")


def test_disk_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """What was fetched longest ago is deleted first."""
    monkeypatch.setattr(artifacts, "DISK_BYTES", 250)
    for age, name in enumerate(("newest", "middle", "oldest")):
        file = tmp_path / name / "model.onnx"
        file.parent.mkdir()
        file.write_bytes(b"x" * 100)
        os.utime(file, (10_000 - age, 10_000 - age))

    artifacts._make_room(tmp_path)

    assert sorted(file.parent.name for file in tmp_path.glob("*/*")) == ["middle", "newest"]
