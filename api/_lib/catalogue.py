"""Models as people read about them: faces, aliases and the scores of their versions.

Scores belong to immutable versions and are read once per process. Without the database the bundled champions are shown.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import Field, field_validator

from api._lib import artifacts, log, traffic
from api._lib.callers import Caller
from api._lib.errors import ModelNotFound, Unavailable, VersionNotFound
from api._lib.lookup import Lookup
from api._lib.memory import remember
from api._lib.registry import CHAMPION
from api._lib.schema import Schema
from api._lib.store import models as store
from api._lib.times import Time
from api._lib.traffic import RecentTraffic
from api._lib.upstream import PUBLIC, Rights
from models.contract import Card, Metric, Task


class Version(Schema):
    """One immutable version and what held-out rows said about it."""

    id: str | None = Field(description="Id of the version; null when the database did not tell")
    number: int | None = Field(description="1, 2, 3 …; null when the database did not tell", examples=[1])
    digest: str = Field(description="SHA-256 of model.onnx, hexadecimal")
    size_bytes: int
    metrics: list[Metric] = Field(description="Scores on held-out rows")
    baseline: list[Metric] = Field(description="Scores of the trivial model on the same rows")
    classes: list[str] = Field(description="Class labels; empty for regression", examples=[["Adelie", "Gentoo"]])
    rows: int = Field(description="Rows of the dataset it was trained on")
    created_at: Time

    @field_validator("metrics", "baseline", "classes", mode="before")
    @classmethod
    def _tell_of_none(cls, found: object) -> object:
        """Take a card that says nothing of these for one that has none: one card must not hide the whole list."""
        return [] if found is None else found

    @field_validator("rows", mode="before")
    @classmethod
    def _count_none(cls, found: object) -> object:
        return 0 if found is None else found


class Alias(Schema):
    """A name that points at a version."""

    name: str = Field(examples=["champion"])
    number: int | None = Field(description="Number of the version", examples=[1])
    updated_at: Time


class Model(Schema):
    """A named thing with a target."""

    slug: str = Field(examples=["penguins"])
    title: str = Field(examples=["Palmer penguins"])
    description: str
    task: Task
    target: str = Field(description="The column that is predicted", examples=["species"])
    visibility: Literal["private", "public"]
    keep_inputs: bool = Field(description="Whether the rows that people send are kept with their predictions")
    champion: Version | None = Field(description="The version that answers when none is named")
    aliases: list[Alias]
    archived_at: Time | None = Field(description="Retired since then: not listed, no new versions; it still answers")
    traffic: RecentTraffic | None = Field(
        description="Use of a public model in the last 30 days; null: none that is known"
    )
    created_at: Time
    updated_at: Time


class ModelList(Schema):
    """Models, newest first."""

    models: list[Model]


class ListedVersion(Version):
    """A version in the list of its model's."""

    aliases: list[str] = Field(description="Aliases that point at it", examples=[["champion"]])
    note: str = Field(description="What people noted about it")
    run_id: str | None = Field(description="The run that made it")
    deleted_at: Time | None = Field(description="Its file is gone since then; its line in the history stays")


class VersionList(Schema):
    """Versions of one model, newest first."""

    versions: list[ListedVersion]


_scores: dict[str, Version] = {}
_public: Lookup[str, bytes] = Lookup()


async def list_models(caller: Caller, *, archived: bool = False) -> bytes:
    """List what the caller may see, as JSON. What nobody in particular may see is kept for a moment."""
    if caller.kind != "anonymous" or archived:
        return await _list(caller.rights, archived=archived)
    try:
        return await _public.get("", lambda: _list(PUBLIC))
    except Unavailable:
        log.note_degraded("database")
        return _dump([_bundled_model(slug) for slug in artifacts.bundled_artifacts()])


async def find_model(slug: str, caller: Caller) -> Model:
    """Find one model that the caller may see."""
    try:
        row, used = await asyncio.gather(store.find_model(slug, caller.rights), traffic.read_public())
        return (await _assemble([row], used, caller.rights))[0]
    except Unavailable:
        if slug not in artifacts.bundled_artifacts():
            raise
        log.note_degraded("database")
        return _bundled_model(slug)


async def find_version(slug: str, number: int, caller: Caller) -> ListedVersion:
    """Find one version of a model that the caller may see."""
    found = (await list_versions(slug, caller)).versions
    version = next((each for each in found if each.number == number), None)
    if version is None:
        raise VersionNotFound(slug, str(number))
    return version


async def list_versions(slug: str, caller: Caller) -> VersionList:
    """List the versions of a model that the caller may see."""
    row = await store.find_model(slug, caller.rights)
    found = await store.list_versions(row["id"], caller.rights)
    aliases = [(each["name"], each["versions"]["id"]) for each in row["aliases"]]
    return VersionList(
        versions=[
            ListedVersion(**version, aliases=sorted(name for name, held in aliases if held == version["id"]))
            for version in found
        ]
    )


async def find_model_id(slug: str, caller: Caller) -> str:
    """Find the id of a model that the caller may see."""
    return str((await store.find_model(slug, caller.rights))["id"])


def forget() -> None:
    """Ask again: a model was just changed through this process."""
    _public.forget(lambda _: True)


async def _list(rights: Rights, *, archived: bool = False) -> bytes:
    rows, used = await asyncio.gather(store.list_models(rights, archived=archived), traffic.read_public())
    return _dump(await _assemble(rows, used, rights))


async def _assemble(rows: Sequence[store.Row], used: Mapping[str, RecentTraffic], rights: Rights) -> list[Model]:
    champions = {row["slug"]: _champion_id(row) for row in rows}
    unknown = [version for version in champions.values() if version and version not in _scores]
    for found in await store.find_scores(unknown, rights) if unknown else ():
        remember(_scores, found["id"], Version(**found))
    return [
        Model(
            **{key: value for key, value in row.items() if key not in {"id", "aliases"}},
            champion=_scores.get(champions[row["slug"]]),
            aliases=[
                Alias(name=each["name"], number=each["versions"]["number"], updated_at=each["updated_at"])
                for each in sorted(row["aliases"], key=lambda each: str(each["name"]))
            ],
            traffic=used.get(row["slug"]),
        )
        for row in rows
    ]


def _champion_id(row: store.Row) -> str:
    return next((str(each["versions"]["id"]) for each in row["aliases"] if each["name"] == CHAMPION), "")


def _bundled_model(slug: str) -> Model:
    """Describe a bundled champion from its card alone."""
    if slug not in artifacts.bundled_artifacts():
        raise ModelNotFound(slug)
    card = artifacts.bundled_artifacts()[slug][1].read_card()
    return Model(
        slug=slug,
        title=card.title,
        description=card.description,
        task=card.task,
        target=card.target,
        visibility="public",
        keep_inputs=True,
        champion=_version_of(card),
        aliases=[Alias(name=CHAMPION, number=None, updated_at=card.trained_at)],
        archived_at=None,
        traffic=None,
        created_at=card.trained_at,
        updated_at=card.trained_at,
    )


def _version_of(card: Card) -> Version:
    return Version(
        id=None,
        number=None,
        digest=card.digest,
        size_bytes=card.size_bytes,
        metrics=card.evaluation.metrics,
        baseline=card.evaluation.baseline,
        classes=card.classes,
        rows=card.dataset.rows,
        created_at=card.trained_at,
    )


def _dump(models: list[Model]) -> bytes:
    return ModelList(models=models).model_dump_json().encode()
