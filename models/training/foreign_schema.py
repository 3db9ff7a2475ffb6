"""What the owner of a file says of it, and the card that this makes."""

import hashlib
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from models.contract import (
    CONTRACT_VERSION,
    Card,
    CategoryCount,
    DatasetNote,
    Evaluation,
    Feature,
    FeatureKind,
    ParityCertificate,
    Task,
)
from models.errors import ArtifactRejected

MAX_EXAMPLES = 60
MAX_CATEGORIES = 200


class _Said(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _SaidFeature(_Said):
    """What the owner says of one feature."""

    name: str = Field(min_length=1, max_length=200)
    kind: FeatureKind
    categories: list[str] = Field(default=[], max_length=MAX_CATEGORIES)
    minimum: float | None = None
    maximum: float | None = None


class Schema(_Said):
    """What the owner says of the model."""

    name: str = Field(min_length=1, max_length=100)
    title: str = ""
    description: str = ""
    task: Task
    target: str = Field(min_length=1, max_length=200)
    classes: list[str] = Field(default=[], max_length=100)
    features: list[_SaidFeature] = Field(min_length=1, max_length=1000)
    examples: list[dict[str, float | int | bool | str | None]] = Field(min_length=1, max_length=MAX_EXAMPLES)


def read_schema(said: Any) -> Schema:
    """Read what the owner says. Raises ArtifactRejected with the place that does not fit."""
    try:
        schema = Schema.model_validate(said)
    except ValidationError as error:
        first = error.errors()[0]
        place = "/".join(map(str, first["loc"]))
        raise ArtifactRejected(f"the description of the model does not fit at {place}: {first['msg']}") from None

    _check_names(schema)
    return schema


def _check_names(schema: Schema) -> None:
    names = [feature.name for feature in schema.features]
    if len(set(names)) < len(names) or schema.target in names:
        raise ArtifactRejected("every feature needs its own name, other than the target's")
    if (schema.task == "regression") != (not schema.classes) or len(set(schema.classes)) < len(schema.classes):
        raise ArtifactRejected("classes must be given, each once, for a classification, and only there")
    if schema.task == "binary" and len(schema.classes) != 2:  # noqa: PLR2004  # what binary means
        raise ArtifactRejected("a binary model has two classes")


def is_required(name: str, schema: Schema) -> bool:
    """Tell whether a feature must be there: no example does without it."""
    return all(row.get(name) is not None for row in schema.examples)


def card_of(content: bytes, schema: Schema) -> Card:
    """Describe a file that nobody here has trained or judged."""
    positions = {"numeric": 0, "text": 0}
    features = []
    for said in schema.features:
        side = "text" if said.kind == "category" else "numeric"
        features.append(_feature(said, positions[side], schema))
        positions[side] += 1
    return Card(
        contract_version=CONTRACT_VERSION,
        name=schema.name,
        title=schema.title or schema.name,
        description=schema.description,
        task=schema.task,
        target=schema.target,
        features=features,
        classes=schema.classes,
        class_shares=[],
        target_quantiles=[],
        target_histogram=[],
        interval=None,
        ignored_columns=[],
        examples=schema.examples[:6],
        background=schema.examples[:50],
        recipe="foreign",
        parameters={},
        evaluation=_nothing_judged(),
        parity=_nothing_proved(),
        dataset=DatasetNote(name="not told", sha256="", rows=0, columns=len(features), source=None, licence=None),
        warnings=["This file was trained elsewhere: nobody here has judged it on labelled rows."],
        digest=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        libraries={name: version(name) for name in ("onnx", "onnxruntime", "numpy")},
        seed=0,
        training_seconds=0.0,
        trained_at=datetime.now(UTC),
    )


def _nothing_judged() -> Evaluation:
    return Evaluation(
        rows=0,
        metrics=[],
        baseline=[],
        leaderboard=[],
        importance=[],
        confusion=[],
        reliability=[],
        residual_quantiles=[],
    )


def _nothing_proved() -> ParityCertificate:
    return ParityCertificate(
        passed=False, tolerance=0.0, rows=0, label_flips=0, max_error=0.0, kinds=[], worst_row={}, engines=[]
    )


def _feature(said: _SaidFeature, position: int, schema: Schema) -> Feature:
    cells = [row.get(said.name) for row in schema.examples]
    return Feature(
        name=said.name,
        kind=said.kind,
        position=position,
        missing_share=sum(cell is None for cell in cells) / len(cells),
        required=is_required(said.name, schema),
        minimum=said.minimum,
        maximum=said.maximum,
        quantiles=[],
        histogram=[],
        categories=[CategoryCount(value=value, share=0.0) for value in said.categories],
        category_count=len(said.categories),
        default=next((cell for cell in cells if cell is not None), None),
    )
