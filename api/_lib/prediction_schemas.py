"""How predictions look in OpenAPI. Bodies are read and written by hand; nothing here runs on a request."""

from typing import Any, Literal

from pydantic import Field

from api._lib.problems import FieldProblem
from api._lib.schema import Schema, Sent

_ROW: dict[str, Any] = {"type": "object", "additionalProperties": {"type": ["number", "string", "boolean", "null"]}}
PREDICT_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "anyOf": [
                    {"title": "One row", **_ROW},
                    {
                        "title": "Rows",
                        "type": "object",
                        "properties": {"rows": {"type": "array", "minItems": 1, "items": _ROW}},
                        "required": ["rows"],
                        "additionalProperties": False,
                    },
                    {
                        "title": "Columns",
                        "type": "object",
                        "properties": {"columns": {"type": "object", "additionalProperties": {"type": "array"}}},
                        "required": ["columns"],
                        "additionalProperties": False,
                    },
                    {"title": "A list of rows", "type": "array", "minItems": 1, "items": _ROW},
                ]
            },
            "examples": {
                "one row": {"value": {"bill_length_mm": 39.1, "island": "Torgersen"}},
                "rows": {"value": {"rows": [{"bill_length_mm": 39.1}, {"bill_length_mm": 50.0}]}},
                "columns": {"value": {"columns": {"bill_length_mm": [39.1, 50.0]}}},
            },
        },
        "text/csv": {
            "schema": {"type": "string"},
            "examples": {"rows": {"value": "bill_length_mm,island\n39.1,Torgersen\n50.0,Biscoe\n"}},
        },
    },
}

TABLE_ANSWER: dict[str, Any] = {
    "text/csv": {
        "schema": {"type": "string"},
        "example": "bill_length_mm,prediction,probability_Adelie,probability_Gentoo\n39.1,Adelie,0.98,0.02\n",
    },
}
"""What `Accept: text/csv` gets; a regression has `prediction`, `prediction_low` and `prediction_high`."""

TABLE_HEADERS: dict[str, Any] = {
    "x-rowcast-prediction-id": {"description": "With CSV: the prediction's id", "schema": {"type": "string"}},
    "x-rowcast-version": {"description": "With CSV: the model and version that answered", "schema": {"type": "string"}},
}


class Interval(Schema):
    """Where the true value lies with the stated probability."""

    low: float
    high: float
    coverage: float = Field(description="Share of unseen rows whose true value lies inside", examples=[0.9])


class Prediction(Schema):
    """One answer: label and probabilities by class, or a value and its interval."""

    label: str | None = Field(default=None, description="Classification: the most probable class", examples=["Adelie"])
    probabilities: dict[str, float] | None = Field(
        default=None, description="Classification: probability of each class", examples=[{"Adelie": 0.98}]
    )
    value: float | None = Field(default=None, description="Regression: the predicted value")
    interval: Interval | None = Field(default=None, description="Regression: absent when the card has none")


class Contribution(Schema):
    """What one feature did to the answer."""

    feature: str
    value: float | bool | str | None
    contribution: float = Field(description="How far it moved the answer away from the baseline")
    standard_error: float = Field(description="0 where the method is exact")


class Explanation(Schema):
    """Where an answer comes from: `baseline` plus all contributions is `output`, up to `sum_error`."""

    label: str | None = Field(default=None, description="Classification: the class whose probability is explained")
    baseline: float = Field(description="Mean answer for the card's reference rows")
    output: float
    contributions: list[Contribution]
    method: Literal["exact", "sampled"]
    references: int = Field(description="How many reference rows there are")
    rows_used: int = Field(description="How many rows the model answered for this explanation")
    sum_error: float
    seed: int


class Point(Schema):
    """One value of the feature and the answer it leads to."""

    value: float | bool | str | None
    prediction: Prediction


class WhatIf(Schema):
    """The answers for one row while one feature moves."""

    model: str = Field(examples=["penguins"])
    version: int | None
    feature: str = Field(examples=["bill_length_mm"])
    kind: Literal["number", "integer", "boolean", "category", "date"]
    current: float | bool | str | None = Field(description="The row's own value")
    points: list[Point] = Field(description="In the order of the values, null last")


class WhatIfOrder(Sent):
    """A row and the feature that moves."""

    row: dict[str, float | bool | str | None] = Field(examples=[{"bill_length_mm": 39.1, "island": "Torgersen"}])
    feature: str = Field(min_length=1, max_length=200, examples=["bill_length_mm"])
    points: int = Field(default=41, ge=2, le=200, description="About how many values of a number to ask for")


class Timing(Schema):
    """Where the time went, in milliseconds; a remembered answer took none of the steps."""

    parse_ms: float
    validate_ms: float
    infer_ms: float
    total_ms: float


class Answer(Schema):
    """Predictions in the order of the rows."""

    id: str = Field(description="Id of this prediction (UUIDv7)")
    model: str = Field(examples=["penguins"])
    version: int | None = Field(
        description="Number of the version that answered; null when the database did not tell (x-rowcast-degraded)"
    )
    alias: str | None = Field(description="Alias that led to the version; null when a number was asked for")
    task: Literal["binary", "multiclass", "regression"]
    predictions: list[Prediction]
    warnings: list[FieldProblem] = Field(description="What is odd about the rows, at most 100")
    explanations: list[Explanation] | None = Field(default=None, description="With explain=1: one for each row")
    timing: Timing


EXPLAIN_PARAMETER = {
    "name": "explain",
    "in": "query",
    "description": "1: say how much each feature moved each answer (at most 10 rows)",
    "schema": {"type": "string", "enum": ["0", "1", "false", "true"]},
}
QUERY_PARAMETER = {
    "name": "features",
    "in": "query",
    "description": "The features of one row, by name",
    "style": "form",
    "explode": True,
    "schema": {"type": "object", "additionalProperties": {"type": "string"}},
    "example": {"bill_length_mm": "39.1"},
}
