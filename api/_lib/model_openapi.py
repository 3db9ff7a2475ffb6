"""The description of one model's doors: the operations of the API with the row, the answer and the examples of its card.

A row that fits the published schema is accepted. More is accepted than it says: numbers as text, columns the model does not
read; it tells what a program should send.
"""

import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from api._lib.prediction_schemas import EXPLAIN_PARAMETER
from models.coercion import FLOAT32_MAX
from models.contract import Card, Feature

_SHOWN_VALUES = 20
_JSON = "application/json"
_PREDICT = "/api/predict/{model}"
_DOORS = (
    _PREDICT,
    "/api/predict/{model}/what-if",
    "/v2/models/{model}",
    "/v2/models/{model}/ready",
    "/v2/models/{model}/infer",
    "/invocations/{model}",
)
"""The operations that every model answers."""

Described = dict[str, Any]


def row_schema(card: Card) -> Described:
    """Describe one row of the model."""
    return {
        "type": "object",
        "title": f"A row of {card.title}",
        "properties": {feature.name: feature_schema(feature) for feature in card.features},
        "required": [feature.name for feature in card.features if feature.required],
        "additionalProperties": False,
        "examples": [dict(example) for example in card.examples[:2]],
    }


def feature_schema(feature: Feature) -> Described:
    """Describe one cell; null says that the value is unknown."""
    described: Described = {"description": _describe(feature)}
    match feature.kind:
        case "number" | "integer":
            described |= {"type": [feature.kind, "null"], "minimum": -FLOAT32_MAX, "maximum": FLOAT32_MAX}
        case "boolean":
            described |= {"type": ["boolean", "null"]}
        case "date":
            described |= {"type": ["string", "null"], "format": "date"}
        case "category":
            described |= {"type": ["string", "null"]}
            described["examples"] = [each.value for each in feature.categories[:_SHOWN_VALUES]]
    if feature.kind != "category" and feature.default is not None:
        described["examples"] = [feature.default]
    return described


def prediction_schema(card: Card) -> Described:
    """Describe one prediction of the model."""
    number = {"type": "number"}
    if card.classes:
        share = {"type": "number", "minimum": 0, "maximum": 1}
        shares = _record(dict.fromkeys(card.classes, share))
        return _record({"label": {"type": "string", "enum": list(card.classes)}, "probabilities": shares})
    if card.interval is None:
        return _record({"value": number})
    coverage = {"const": card.interval.coverage}
    return _record({"value": number, "interval": _record({"low": number, "high": number, "coverage": coverage})})


def describe_model(whole: Mapping[str, Any], reference: str, card: Card) -> Described:
    """Cut the description of one model, or of one of its versions, out of the whole API's."""
    described = {**deepcopy(dict(whole)), "paths": {}}
    described["info"] |= {"title": card.title, "description": card.description or card.title}
    described["tags"] = [tag for tag in whole["tags"] if tag["name"] in {"predict", "inference"}]
    add_model(described, whole, reference, card, doors=_DOORS)
    _drop_unused(described)
    return described


def add_model(
    described: Described, whole: Mapping[str, Any], reference: str, card: Card, *, doors: Sequence[str] = (_PREDICT,)
) -> None:
    """Add a model's schemas and its operations to a description; without `doors`, the plain prediction only."""
    schemas = described["components"]["schemas"]
    name = reference.replace("@", ".")
    row, answer = f"{name}.Row", f"{name}.Answer"
    schemas[row] = row_schema(card)
    schemas[answer] = _answer(schemas["Answer"], reference.partition("@")[0], card)
    for door in doors:
        operations = deepcopy(whole["paths"][door])
        for operation in operations.values():
            _make_own(operation, name)
        described["paths"][door.replace("{model}", reference)] = operations
    predict = described["paths"][_PREDICT.replace("{model}", reference)]
    predict["post"]["requestBody"] = _rows_body(row, card)
    predict["post"]["parameters"] = [EXPLAIN_PARAMETER]
    predict["get"]["parameters"] = _query(card)
    for operation in predict.values():
        content = operation["responses"]["200"]["content"]
        operation["responses"]["200"]["content"] = {**content, _JSON: {"schema": _reference(answer)}}


def _rows_body(row: str, card: Card) -> Described:
    reference = _reference(row)
    forms: Sequence[Described] = [
        reference,
        _record({"rows": {"type": "array", "minItems": 1, "items": reference}}),
        {"type": "array", "minItems": 1, "items": reference},
    ]
    examples = [dict(example) for example in card.examples[:2]]
    shown = {"one row": {"value": examples[0]}, "rows": {"value": {"rows": examples}}} if examples else {}
    return {"required": True, "content": {_JSON: {"schema": {"anyOf": forms}, "examples": shown}}}


def _query(card: Card) -> list[Described]:
    example = card.examples[0] if card.examples else {}
    return [
        {
            "name": feature.name,
            "in": "query",
            "required": feature.required,
            "description": _describe(feature),
            "schema": {key: value for key, value in feature_schema(feature).items() if key != "description"},
            **({"example": example[feature.name]} if example.get(feature.name) is not None else {}),
        }
        for feature in card.features
    ]


def _answer(general: Described, slug: str, card: Card) -> Described:
    own = deepcopy(general)
    own["properties"]["model"] = {"const": slug}
    own["properties"]["task"] = {"const": card.task}
    own["properties"]["predictions"] = {"type": "array", "minItems": 1, "items": prediction_schema(card)}
    return own


def _make_own(operation: Described, name: str) -> None:
    """Take the model's name out of the parameters, and put it into the operation's own."""
    operation["operationId"] = re.sub(r"\W", "_", f"{operation['operationId']}_{name}", flags=re.ASCII)
    operation["parameters"] = [each for each in operation.get("parameters", ()) if each["name"] != "model"]


def _describe(feature: Feature) -> str:
    parts = [f"{feature.kind.capitalize()}, null where it is unknown."]
    if feature.minimum is not None and feature.maximum is not None and feature.kind in {"number", "integer"}:
        parts.append(f"Training saw {feature.minimum:g} to {feature.maximum:g}.")
    if feature.kind == "category" and feature.category_count:
        parts.append(f"Training saw {feature.category_count} values; others are accepted with a warning.")
    return " ".join(parts)


def _record(properties: Mapping[str, Any]) -> Described:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


def _reference(name: str) -> Described:
    return {"$ref": f"#/components/schemas/{name}"}


def _drop_unused(described: Described) -> None:
    """Leave only the schemas that some operation leads to."""
    schemas = described["components"]["schemas"]
    used: set[str] = set()
    waiting: list[Any] = [described["paths"]]
    while waiting:
        match waiting.pop():
            case {"$ref": str(reference)}:
                name = reference.rpartition("/")[2]
                if name not in used:
                    used.add(name)
                    waiting.append(schemas[name])
            case dict(members):
                waiting.extend(members.values())
            case list(items):
                waiting.extend(items)
    described["components"]["schemas"] = {name: schema for name, schema in schemas.items() if name in used}
