"""Bodies of the subscriptions' requests and answers."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from api._lib.schema import Schema, Sent
from api._lib.times import Moment, Time
from api._lib.uuids import Uuid

EventType = Literal[
    "run.succeeded",
    "run.failed",
    "version.promoted",
    "drift.detected",
    "prediction.created",
    "quota.near",
    "hook.answered",
]
State = Literal["pending", "delivered", "failed", "dead"]
Url = Annotated[
    str,
    Field(
        max_length=2000,
        description="Where messages go: https, a host on the public internet, port 443 or one from 1024 on",
        examples=["https://example.com/webhooks/rowcast"],
    ),
]
EventTypes = Annotated[
    list[EventType], Field(min_length=1, max_length=20, description="Which events", examples=[["version.promoted"]])
]
Description = Annotated[str, Field(max_length=200, description="For you to recognise it by")]


class SubscriptionOrder(Sent):
    """An address that shall be told."""

    url: Url
    event_types: EventTypes
    model: str | None = Field(
        default=None,
        max_length=63,
        description="Slug: only events of this model. Absent: of all your models",
        examples=["penguins"],
    )
    description: Description = ""


class SubscriptionChanges(Sent):
    """What shall be different. What is absent stays."""

    url: Url | None = None
    event_types: EventTypes | None = None
    description: Description | None = None
    is_enabled: bool | None = Field(default=None, description="Switched off, nothing is sent and new events pass by")


class Subscription(Schema):
    """An address that is told of events."""

    id: str
    url: str
    event_types: list[EventType]
    model: str | None = Field(description="Slug; null: all your models")
    description: str
    is_enabled: bool
    disabled_at: Time | None
    disabled_reason: str | None = Field(description="Why it is switched off; the receiver's 410 does that too")
    failing_since: Time | None = Field(description="Since when no delivery has succeeded; null while all is well")
    resume_at: Time | None = Field(description="The receiver asked to be left alone until then")
    waiting: int = Field(description="Deliveries on their way; counted up to 1000")
    dead: int = Field(description="Deliveries that were given up; counted up to 1000")
    last_delivered_at: Time | None
    created_at: Time


class NewSubscription(Subscription):
    """A subscription with its secret, which is shown this one time."""

    secret: str = Field(description="Verify messages with it; keep it now", examples=["whsec_…"])


class SubscriptionList(Schema):
    """Your subscriptions, newest first."""

    subscriptions: list[Subscription]


class SubscriptionRotation(Sent):
    """How to change the secret."""

    overlap_hours: float = Field(
        default=24,
        ge=0,
        le=168,
        description="So long messages carry two signatures, with the old secret and the new one",
    )


class SubscriptionSecret(Schema):
    """A new secret, shown this one time."""

    secret: str = Field(description="Verify messages with it; keep it now", examples=["whsec_…"])
    old_until: Time = Field(description="Until then messages are signed with the old secret as well")


class Delivery(Schema):
    """One event on its way to one receiver."""

    id: str
    event_id: str = Field(description="The `webhook-id` of every attempt")
    type: str = Field(examples=["version.promoted"])
    state: State = Field(description="pending: not tried yet; failed: will be tried again; delivered; dead: given up")
    attempts: int
    reason: str | None = Field(description="Why the last attempt failed")
    next_attempt_at: Time | None
    created_at: Time
    ended_at: Time | None = Field(description="When it was delivered or given up")


class DeliveryList(Schema):
    """Deliveries, newest first."""

    deliveries: list[Delivery]


class DeliveryAttempt(Schema):
    """One attempt: what was sent, what came back, how long it took."""

    number: int
    at: Time
    url: str
    request_headers: dict[str, str]
    status: int | None = Field(description="Null: there was no answer")
    response_headers: dict[str, str] | None
    response_body: str | None = Field(description="Its first 4 kB")
    ms: float | None
    reason: str | None = Field(description="Why it failed; null: it was delivered")


class DeliveryDetail(Delivery):
    """A delivery with what is sent and every attempt."""

    body: str = Field(description="What every attempt sends, byte for byte")
    log: list[DeliveryAttempt] = Field(description="Attempts, oldest first")


class DeliveryReplay(Sent):
    """What to send again: some deliveries by their ids, or all that were given up since a time."""

    deliveries: list[Uuid] | None = Field(default=None, min_length=1, max_length=1000)
    dead_since: Moment | None = Field(default=None, description="All that were given up since")

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        if (self.deliveries is None) == (self.dead_since is None):
            raise ValueError("say either deliveries or dead_since")
        return self


class Replayed(Schema):
    """How many are sent again."""

    replayed: int
