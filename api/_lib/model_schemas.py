"""What is sent about models, and what is answered about their versions' moves and replays."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Path, Query
from pydantic import ConfigDict, Field

from api._lib import registry
from api._lib.schema import Schema, Sent
from api._lib.times import Time
from api._lib.uuids import Uuid

ALIAS_PATTERN = r"^[a-z][a-z0-9-]{0,31}$"
REFERENCE_PATTERN = r"^([a-z][a-z0-9-]{0,31}|[0-9]{1,9}|[0-9a-f]{64})$"
MAX_NUMBER = 999_999_999

Slug = Annotated[str, Path(description="Slug of the model", examples=["penguins"])]
AliasName = Annotated[str, Path(description="Name of the alias", examples=["champion"], pattern=ALIAS_PATTERN)]
VersionNumber = Annotated[int, Path(description="Number of the version", examples=[2], ge=1, le=MAX_NUMBER)]
Reference = Annotated[
    str,
    Query(
        description="Alias or number of the version, or the SHA-256 of its file",
        examples=["champion", "3"],
        pattern=REFERENCE_PATTERN,
    ),
]
SeenVersion = Annotated[
    int | None,
    Field(
        ge=0,
        le=MAX_NUMBER,
        description="Number that the alias pointed at when you looked, 0 for nothing: if it has moved since, that is a 409",
        examples=[1],
    ),
]
Reason = Annotated[str, Field(min_length=1, max_length=500, examples=["Better on last month's rows"])]


class ModelChanges(Sent):
    """What may change about a model. Absent fields stay as they are."""

    title: str | None = Field(default=None, min_length=1, max_length=120, examples=["Palmer penguins"])
    description: str | None = Field(default=None, max_length=2000)
    visibility: Literal["private", "public"] | None = Field(
        default=None, description="public: anybody may read about the model and predict with it"
    )
    keep_inputs: bool | None = Field(
        default=None,
        description="false: the rows that people send are not kept with their predictions any more; those kept stay",
    )
    archived: bool | None = Field(
        default=None,
        examples=[False],
        description="true: no longer listed, no new versions, no promotions; it still answers. false: back again",
    )


class VersionChanges(Sent):
    """What may change about a version: what people note about it."""

    note: str = Field(max_length=2000, examples=["Trained after the price change"])


class PromotionOrder(Sent):
    """Where an alias shall point, and why."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"version": 2, "reason": "better on this week's rows"}]})

    version: int = Field(ge=1, le=MAX_NUMBER, description="Number of the version", examples=[2])
    reason: Reason
    replay: Uuid | None = Field(
        default=None,
        description="The replay to write down as evidence; if absent, the newest one of these two versions",
    )
    from_version: SeenVersion = None


class RollbackOrder(Sent):
    """Which alias shall go back, and why."""

    alias: str = Field(default=registry.CHAMPION, pattern=ALIAS_PATTERN)
    reason: Reason
    from_version: SeenVersion = None


class Promotion(Schema):
    """One move of an alias: who, when and why. Never changed, never deleted."""

    id: str
    model: str = Field(examples=["penguins"])
    alias: str = Field(examples=["champion"])
    from_version: int | None = Field(description="Number it pointed at before; null the first time", examples=[1])
    to_version: int | None = Field(
        description="Number it has pointed at since; null where the alias was given up", examples=[2]
    )
    reason: str
    evidence: dict[str, Any] = Field(
        description="What was known when it was decided: `metrics` of both versions, `parity`, and the `replay` of one "
        "against the other, or null"
    )
    rollback_of: str | None = Field(description="The promotion that this one undid")
    promoted_by: str | None = Field(description="Id of the user; null for the house")
    promoted_at: Time


class PromotionList(Schema):
    """Promotions of one model, newest first."""

    promotions: list[Promotion]


class LiveAlias(Schema):
    """What an alias pointed at, at some moment."""

    name: str = Field(examples=["champion"])
    version: int = Field(description="Number of the version", examples=[2])
    since: Time
    reason: str
    promoted_by: str | None


class History(Schema):
    """What was live at some moment."""

    model: str = Field(examples=["penguins"])
    at: datetime
    aliases: list[LiveAlias]


class ReplayOrder(Sent):
    """Which version shall be tried against which, on how many rows."""

    version: int = Field(ge=1, le=MAX_NUMBER, description="Number of the version that may be promoted", examples=[3])
    against: str = Field(
        default=registry.CHAMPION,
        pattern=REFERENCE_PATTERN,
        description="Alias or number of the version it is judged by",
    )
    rows: int = Field(default=500, ge=1, le=5000, description="How many of the newest rows at most")
    dataset_id: Uuid | None = Field(
        default=None,
        description="Rows of this dataset instead of logged ones; where it has the target, gains are known",
    )


class Change(Schema):
    """Rows whose label changes."""

    before: str = Field(description="The label of `against`", alias="from", examples=["no"])
    after: str = Field(description="The label of `version`", alias="to", examples=["yes"])
    rows: int


class ReplayScore(Schema):
    """The score of both versions on the rows whose truth is known, and the difference with its 95 % interval."""

    name: str = Field(examples=["accuracy"])
    better: Literal["higher", "lower"]
    version: float
    against: float
    difference: float
    low: float
    high: float


class Latency(Schema):
    """What one row costs, measured here and now, both versions in turn."""

    p50_ms: float
    p95_ms: float


class Latencies(Schema):
    """Of both versions."""

    version: Latency
    against: Latency


class ReplayExample(Schema):
    """A row whose answer changes most."""

    row: dict[str, Any]
    version: dict[str, Any]
    against: dict[str, Any]
    actual: str | float | None


class ReplayResult(Schema):
    """What would have been answered otherwise."""

    rows: int = Field(description="Rows that both versions could read")
    since: Time | None = Field(description="Time of the oldest logged row; null for a dataset")
    until: Time | None
    unreadable: int = Field(description="Rows that one of the versions refuses")
    flips: int = Field(description="Rows whose label changes; regression: 0")
    flip_share: float
    changes: list[Change]
    mean_difference: float = Field(description="Of values, or of the probability of the label that `against` chose")
    largest_difference: float
    differences: list[float] = Field(description="`version` minus `against` at 0, 5, 25, 50, 75, 95, 100 %")
    actuals: int = Field(description="Rows whose truth is known")
    gains: int = Field(description="Of those: rows that become right; regression: nearer to the truth")
    losses: int = Field(description="Of those: rows that become wrong; regression: farther from it")
    score: ReplayScore | None
    latency: Latencies
    examples: list[ReplayExample]


class Replay(Schema):
    """Rows through two versions of a model."""

    id: str
    model: str = Field(examples=["penguins"])
    version: int | None = Field(examples=[3])
    against: int | None = Field(examples=[1])
    rows: int = Field(description="How many rows at most")
    dataset_id: str | None
    status: Literal["queued", "running", "succeeded", "failed"]
    reason: str | None = Field(description="Why it failed, in one line")
    result: ReplayResult | None
    created_by: str | None
    created_at: Time
    finished_at: Time | None


class ReplayList(Schema):
    """Replays of one model, newest first."""

    replays: list[Replay]
