"""What is answered about a run, at whichever door it was asked for."""

from typing import Any, Literal

from pydantic import Field

from api._lib.schema import Schema
from api._lib.times import Time

Status = Literal["queued", "running", "succeeded", "failed", "cancelled"]


class Run(Schema):
    """One training run, or the trial of a model file that somebody brought."""

    id: str
    kind: Literal["train", "import"]
    dataset_id: str | None
    model: str = Field(description="Slug", examples=["penguins"])
    title: str
    description: str
    target: str
    options: dict[str, Any]
    visibility: Literal["private", "public"]
    status: Status
    reason: str | None = Field(description="Why it failed, in one line")
    progress: float = Field(description="0 to 1")
    message: str = Field(description="What it is doing, in words")
    attempt: int = Field(description="How often a worker took it up")
    heartbeat_at: Time | None = Field(
        description="When its worker last showed that it lives; null while nobody is at it"
    )
    last_seq: int = Field(description="Number of its newest event")
    version: int | None = Field(description="Number of the version it made")
    created_at: Time
    started_at: Time | None
    finished_at: Time | None
