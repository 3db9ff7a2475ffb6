"""What is asked and answered about hooks."""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from api._lib.hook_mapping import HookMapping, Scalar
from api._lib.problems import FieldProblem
from api._lib.schema import Schema, Sent
from api._lib.times import Time

Kind = Literal["standard", "supabase", "key"]
Mode = Literal["answer", "write_back", "event"]

_TABLE = Field(
    default=None,
    min_length=1,
    max_length=200,
    description="Table that predictions are written to, with its schema; needed for the mode write_back. Nothing is written "
    "before the migration of that table allows it (`POST /api/hooks/{id}/migration`)",
    examples=["public.customers"],
)
_PREFIX = Field(
    default="",
    pattern=r"^([a-z_][a-z0-9_]{0,39})?$",
    description="In front of the columns score, label, version and predicted_at of that table",
)
_SECRET = Field(
    default=None,
    max_length=200,
    description="A secret that the sender already has (`whsec_…`, or `v1,whsec_…` of Supabase Auth); absent: a new one is made",
)


class HookDraft(Sent):
    """What a hook does with a message."""

    model: str = Field(
        max_length=100,
        description="Slug of a model; `@alias` or `@number` chooses a version, the champion answers otherwise",
        examples=["penguins", "penguins@challenger"],
    )
    kind: Kind = Field(
        default="standard",
        description="standard: signed after Standard Webhooks; supabase: a Database Webhook with the secret in the header "
        "x-rowcast-secret; key: JSON with an API key of yours",
    )
    mode: Mode = Field(
        default="answer",
        description="answer: only answer; write_back: also write into the source row; event: also emit hook.answered to your "
        "subscriptions",
    )
    mapping: HookMapping = Field(default_factory=HookMapping)
    table: str | None = _TABLE
    prefix: str = _PREFIX

    @model_validator(mode="after")
    def _check_table(self) -> Self:
        if self.mode == "write_back" and not self.table:
            raise ValueError("the mode write_back needs a table")
        return self


class HookOrder(HookDraft):
    """A hook to be opened."""

    name: str = Field(min_length=1, max_length=80, pattern=r"\S", examples=["New customers"])
    secret: str | None = _SECRET


class HookChange(Sent):
    """What is to be changed; the model and the kind stay."""

    name: str | None = Field(default=None, min_length=1, max_length=80, pattern=r"\S")
    alias: str | None = Field(
        default=None, pattern=r"^([a-z][a-z0-9-]{0,31}|[1-9][0-9]{0,8})$", examples=["champion", "challenger", "3"]
    )
    mode: Mode | None = None
    mapping: HookMapping | None = None
    table: str | None = _TABLE
    prefix: str | None = Field(default=None, pattern=r"^([a-z_][a-z0-9_]{0,39})?$")
    enabled: bool | None = None


class Hook(Schema):
    """A door that webhooks come in by."""

    id: str
    name: str = Field(examples=["New customers"])
    url: str = Field(description="Where messages are sent to")
    model: str | None = Field(description="Slug; null where the model is not yours to see any more")
    alias: str = Field(description="Alias or number of the version that answers", examples=["champion"])
    kind: Kind
    mode: Mode
    mapping: HookMapping
    table: str | None
    prefix: str
    enabled: bool
    refused_count: int = Field(
        description="Requests that were turned away; only the count is kept, and the last reason"
    )
    refused_at: Time | None
    refused_reason: str | None
    ignored_count: int = Field(description="Changes that asked for no prediction")
    created_at: Time
    updated_at: Time


class OneHook(Hook):
    """A hook, and whether it can do what it is for."""

    is_writable: bool | None = Field(description="Whether its table was opened for it; null where it writes to none")


class NewHook(OneHook):
    """A hook with its secret, which is shown this one time."""

    secret: str | None = Field(description="Keep it now: it cannot be shown again. Null for hooks that take API keys")


class HookList(Schema):
    """Your hooks, newest first."""

    hooks: list[Hook]


class Rotation(Sent):
    """How a secret is replaced."""

    overlap_seconds: int = Field(
        default=86_400, ge=0, le=30 * 86_400, description="How long the secret before goes on; 0 ends it at once"
    )
    secret: str | None = _SECRET


class NewSecret(Schema):
    """A new secret, which is shown this one time."""

    secret: str
    old_ends_in_seconds: int


class Trial(Sent):
    """A payload to be tried."""

    payload: Any = Field(description="What the sender would send")
    mapping: HookMapping | None = Field(default=None, description="Tried instead of the hook's own")


class DraftTrial(HookDraft):
    """A payload to be tried with a hook that is not there yet."""

    payload: Any = Field(description="What the sender would send")


class TriedRow(Schema):
    """What one row would become."""

    place: str = Field(description="Where it stands in the payload", examples=["#/record"])
    features: dict[str, Any]
    key: dict[str, Scalar] | None = Field(description="Names the source row; null where nothing is written back")
    prediction: dict[str, Any] | None = Field(description="Null where some row does not fit the model")


class Tried(Schema):
    """What a payload would become. Nothing was recorded, written or sent."""

    outcome: Literal["predicted", "ignored", "refused"]
    reason: str | None = Field(description="Why it would be ignored or refused")
    version: int | None
    sources: dict[str, str] = Field(description="Where each feature comes from", examples=[{"age": "@.age"}])
    rows: list[TriedRow]
    errors: list[FieldProblem] = Field(description="Places in the payload that are wrong")
    warnings: list[FieldProblem]


class HookDelivery(Schema):
    """What came in, and what became of it."""

    id: str
    delivery_id: str = Field(description="The sender's id, or one made of the content")
    event: str | None = Field(examples=["INSERT"])
    state: Literal["claimed", "answered"] = Field(description="claimed: being worked on, or its process died")
    attempt: int = Field(description="How often it was taken up")
    prediction_id: str
    version: int | None
    row_count: int | None
    written_count: int | None
    answer: str | None = Field(description="The answer as it was sent")
    duplicate_count: int = Field(description="How often it came again")
    total_ms: float | None
    received_at: Time
    answered_at: Time | None


class HookDeliveryList(Schema):
    """What came in by a hook, newest first."""

    deliveries: list[HookDelivery]


class MigrationOrder(Sent):
    """A table whose rows shall be sent to a hook."""

    table: str | None = Field(
        default=None, max_length=200, description="Absent: the hook's own", examples=["public.customers"]
    )
    key: list[str] = Field(default=["id"], min_length=1, max_length=8, description="Columns that name a row")
    on_update: bool = Field(
        default=False, description="Also predict again when a column that the model reads has changed"
    )
    actual: str | None = Field(
        default=None,
        min_length=1,
        max_length=63,
        description="Column that will hold what turned out to be true: as soon as it does, it is joined to the prediction as "
        "an actual. In Rowcast's own database only",
        examples=["churned"],
    )
    observed_at: str | None = Field(
        default=None,
        min_length=1,
        max_length=63,
        description="Column that says since when that is known; absent: when it is written",
    )


class Migration(Schema):
    """A migration to be applied by whoever owns the database."""

    filename: str = Field(examples=["20261123120000_rowcast_customers.sql"])
    sql: str
    connect: str = Field(
        description="To be run once per environment: tells the database the hook's address and its secret"
    )
