"""How the protocol routes look in OpenAPI. Bodies are read by hand; nothing here runs on a request."""

from typing import Any, Literal

from pydantic import Field

from api._lib.schema import Schema
from api._lib.tensors import DTYPES, TEXT


class ServerMetadata(Schema):
    """Who answers, and which extensions of the protocol it knows."""

    name: str = Field(examples=["rowcast"])
    version: str = Field(examples=["0.1.0"])
    extensions: list[str] = Field(examples=[["binary_tensor_data", "classification"]])


class Live(Schema):
    """The process answers."""

    live: bool


class Ready(Schema):
    """The process can predict."""

    ready: bool


class ModelReady(Schema):
    """The model is open and can predict."""

    name: str = Field(examples=["penguins"])
    ready: bool


class TensorMetadata(Schema):
    """A tensor that a model reads or answers; -1 stands for any number of rows."""

    name: str = Field(examples=["bill_length_mm"])
    datatype: str = Field(examples=["FP32"])
    shape: list[int] = Field(examples=[[-1, 1]])


class ModelMetadata(Schema):
    """What a model reads and answers."""

    name: str = Field(examples=["penguins"])
    versions: list[str] = Field(description="The version that was asked for", examples=[["1"]])
    platform: Literal["onnx_onnxv1"]
    inputs: list[TensorMetadata] = Field(description="One tensor per feature")
    packed_inputs: list[TensorMetadata] = Field(
        description="The same features in two tensors, instead: all numbers, all texts"
    )
    outputs: list[TensorMetadata]
    classes: list[str] = Field(
        description="Class labels in the order of the probabilities; empty for regression",
        examples=[["Adelie", "Gentoo"]],
    )


class OutputTensor(Schema):
    """One output; its values stand in `data` or, as bytes, after the JSON."""

    name: str = Field(examples=["probabilities"])
    shape: list[int] = Field(examples=[[1, 3]])
    datatype: str = Field(examples=["FP32"])
    parameters: dict[str, int] | None = Field(default=None, examples=[{"binary_data_size": 12}])
    data: list[float | str] | None = Field(default=None, examples=[[0.97, 0.01, 0.02]])


class InferenceAnswer(Schema):
    """What the model answered."""

    model_name: str = Field(examples=["penguins"])
    model_version: str | None = Field(default=None, description="Absent when the database did not tell", examples=["1"])
    id: str = Field(description="The request's id; a UUIDv7 if it had none")
    parameters: dict[str, str | int] = Field(
        description="Id of this prediction, for sending the true value later; how many places in the rows are odd, and "
        "the first of them",
        examples=[
            {
                "prediction_id": "019ab0c4-7c1e-7d3a-9a52-3f6c1b2d4e5f",
                "warnings": 1,
                "first_warning": "#/inputs/0/data/0: training never saw this value",
            }
        ],
    )
    outputs: list[OutputTensor]


class ScoringAnswer(Schema):
    """Labels or values in the order of the rows."""

    predictions: list[str | float] = Field(examples=[["Adelie", "Gentoo"]])


PREDICTION_ID = "x-rowcast-prediction-id"
"""MLflow's answer has no place for the id by which the true value can be sent later."""

PREDICTION_ID_HEADER: dict[str, Any] = {
    PREDICTION_ID: {
        "description": "Id of this prediction, for sending the true value later",
        "schema": {"type": "string"},
    }
}

_PARAMETERS = {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean", "null"]}}
_TENSOR = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "examples": ["bill_length_mm"]},
        "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1, "maxItems": 8},
        "datatype": {"enum": [*DTYPES, TEXT]},
        "parameters": _PARAMETERS,
        "data": {"type": "array", "description": "Row-major, flat or nested; null says that a value is missing"},
    },
    "required": ["name", "shape", "datatype"],
}
_REQUEST = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "maxLength": 256},
        "parameters": _PARAMETERS,
        "inputs": {"type": "array", "minItems": 1, "items": _TENSOR},
        "outputs": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"name": {"type": "string"}, "parameters": _PARAMETERS},
                "required": ["name"],
            },
        },
    },
    "required": ["inputs"],
}
_ROWS = {"type": "array", "minItems": 1, "items": {"type": ["object", "array"]}}
_BINARY_HEADER = {
    "name": "Inference-Header-Content-Length",
    "in": "header",
    "description": "Length of the JSON in bytes, when the values of tensors follow it",
    "schema": {"type": "integer", "minimum": 0},
}

INFERENCE_BODY: dict[str, Any] = {
    "parameters": [_BINARY_HEADER],
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": _REQUEST,
                "example": {
                    "inputs": [
                        {"name": "bill_length_mm", "shape": [2], "datatype": "FP32", "data": [39.1, 50.0]},
                        {"name": "island", "shape": [2], "datatype": "BYTES", "data": ["Torgersen", "Biscoe"]},
                    ]
                },
            },
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
        },
    },
}
SCORING_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "oneOf": [
                        {"type": "object", "properties": {form: schema}, "required": [form]}
                        for form, schema in {
                            "dataframe_split": {"type": "object", "required": ["columns", "data"]},
                            "dataframe_records": _ROWS,
                            "instances": _ROWS,
                            "inputs": {"anyOf": [_ROWS, {"type": "object"}]},
                        }.items()
                    ]
                },
                "example": {"dataframe_split": {"columns": ["bill_length_mm"], "data": [[39.1], [50.0]]}},
            },
            "text/csv": {"schema": {"type": "string"}, "example": "bill_length_mm\n39.1\n50.0\n"},
        },
    }
}
BINARY_ANSWER: dict[str, Any] = {
    "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
}
