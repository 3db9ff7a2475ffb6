"""Every door through which rows reach a model, as one kind of function: rows in, probabilities or a refusal out."""

import csv
import io
import json
import math
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx
import orjson

from api._jobs.scoring import Scorer
from api._lib.errors import ApiError
from api._lib.mlflow_scoring import read_scoring
from models.runtime import OnnxModel

Row = Mapping[str, Any]
CSV = {"content-type": "text/csv"}
JSON = {"content-type": "application/json"}


@dataclass(frozen=True)
class Said:
    """What a door answered: one list of probabilities per row, or where the fault is and what it is."""

    probabilities: list[list[float]] | None
    pointer: str = ""
    detail: str = ""


@dataclass(frozen=True)
class House:
    """A served model, over HTTP and in this process."""

    api: httpx.Client
    slug: str
    engine: OnnxModel


Door = Callable[[House, Sequence[Row]], Said]


def rows_as_json(house: House, rows: Sequence[Row]) -> Said:
    return _predicted(_post(house, "/api/predict/{}", {"rows": rows}))


def list_as_json(house: House, rows: Sequence[Row]) -> Said:
    return _predicted(_post(house, "/api/predict/{}", rows))


def one_by_one(house: House, rows: Sequence[Row]) -> Said:
    return _joined(_predicted(_post(house, "/api/predict/{}", row)) for row in rows)


def columns_as_json(house: House, rows: Sequence[Row]) -> Said:
    return _predicted(_post(house, "/api/predict/{}", {"columns": _columns(rows)}))


def csv_text(house: House, rows: Sequence[Row]) -> Said:
    return _predicted(house.api.post(f"/api/predict/{house.slug}", content=_csv(rows), headers=CSV))


def permalink(house: House, rows: Sequence[Row]) -> Said:
    links = (urlencode({name: _text(cell) for name, cell in row.items()}) for row in rows)
    return _joined(_predicted(house.api.get(f"/api/predict/{house.slug}?{link}")) for link in links)


def open_inference(house: House, rows: Sequence[Row]) -> Said:
    inputs = [
        {"name": name, "datatype": "BYTES", "shape": [len(cells)], "data": cells}
        for name, cells in _columns(rows).items()
    ]
    return _inferred(_post(house, "/v2/models/{}/infer", {"inputs": inputs}))


def open_inference_bytes(house: House, rows: Sequence[Row]) -> Said:
    inputs, blocks = [], []
    for name, cells in _columns(rows).items():
        datatype, block = _binary(cells, is_text=name == "place")
        parameters = {"binary_data_size": len(block)}
        inputs.append({"name": name, "datatype": datatype, "shape": [len(cells)], "parameters": parameters})
        blocks.append(block)
    head = orjson.dumps({"inputs": inputs})
    headers = {"content-type": "application/octet-stream", "inference-header-content-length": str(len(head))}
    content = head + b"".join(blocks)
    return _inferred(house.api.post(f"/v2/models/{house.slug}/infer", content=content, headers=headers))


def mlflow_split(house: House, rows: Sequence[Row]) -> Said:
    columns = _columns(rows)
    data = [list(cells) for cells in zip(*columns.values(), strict=True)]
    return _invoked(house, {"dataframe_split": {"columns": list(columns), "data": data}})


def mlflow_records(house: House, rows: Sequence[Row]) -> Said:
    return _invoked(house, {"dataframe_records": rows})


def mlflow_instances(house: House, rows: Sequence[Row]) -> Said:
    return _invoked(house, {"instances": rows})


def mlflow_inputs(house: House, rows: Sequence[Row]) -> Said:
    return _invoked(house, {"inputs": _columns(rows)})


def mlflow_csv(house: House, rows: Sequence[Row]) -> Said:
    return _invoked(house, _csv(rows))


def batch_job(house: House, rows: Sequence[Row]) -> Said:
    """Score as the job does: texts in columns, faults written beside their row."""
    columns = {name: [_text(cell) for cell in cells] for name, cells in _columns(rows).items()}
    scorer = Scorer(house.engine, columns)
    table = (scorer.header() + scorer.score(0, scorer.rows).content).decode()
    lines = list(csv.DictReader(io.StringIO(table)))
    if fault := next((line["error"] for line in lines if line["error"]), ""):
        name, _, detail = fault.partition(": ")
        return Said(None, name, detail)
    return Said([[float(line[f"probability_{label}"]) for label in house.engine.card.classes] for line in lines])


DOORS: dict[str, Door] = {
    door.__name__: door
    for door in (
        rows_as_json,
        list_as_json,
        one_by_one,
        columns_as_json,
        csv_text,
        permalink,
        open_inference,
        open_inference_bytes,
        mlflow_split,
        mlflow_records,
        mlflow_instances,
        mlflow_inputs,
        mlflow_csv,
        batch_job,
    )
}
TEXT_DOORS = {"csv_text", "permalink", "mlflow_csv", "batch_job"}
"""Doors through which every cell comes as a text."""


def _post(house: House, path: str, body: Any) -> httpx.Response:
    return house.api.post(path.format(house.slug), content=json.dumps(body), headers=JSON)


def _columns(rows: Sequence[Row]) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in rows[0]}


def _csv(rows: Sequence[Row]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(rows[0])
    writer.writerows([_text(row[name]) for name in rows[0]] for row in rows)
    return text.getvalue().encode()


def _text(cell: Any) -> str:
    """Write a JSON value as a text file would hold it."""
    if cell is None:
        return ""
    return cell if isinstance(cell, str) else json.dumps(cell)


def _binary(cells: Sequence[Any], *, is_text: bool) -> tuple[str, bytes]:
    """Write a column as the bytes of the type that its first value suggests."""
    first = next((cell for cell in cells if cell is not None), "" if is_text else math.nan)
    match first:
        case str():
            texts = [_text(cell).encode() for cell in cells]
            return "BYTES", b"".join(struct.pack("<I", len(text)) + text for text in texts)
        case bool():
            return "BOOL", bytes(cells)
        case int():
            return "INT64", struct.pack(f"<{len(cells)}q", *cells)
        case _:
            return "FP64", struct.pack(f"<{len(cells)}d", *(math.nan if cell is None else cell for cell in cells))


def _predicted(answer: httpx.Response) -> Said:
    return _refused(answer) or Said([list(each["probabilities"].values()) for each in answer.json()["predictions"]])


def _inferred(answer: httpx.Response) -> Said:
    if refused := _refused(answer):
        return refused
    output = next(each for each in answer.json()["outputs"] if each["name"] == "probabilities")
    width = output["shape"][1]
    return Said([output["data"][start : start + width] for start in range(0, len(output["data"]), width)])


def _invoked(house: House, body: Any) -> Said:
    """Ask over MLflow's protocol; its answers are labels, so the probabilities are those of what was read."""
    content, headers = (body, CSV) if isinstance(body, bytes) else (json.dumps(body).encode(), JSON)
    answer = house.api.post(f"/invocations/{house.slug}", content=content, headers=headers)
    if refused := _refused(answer):
        return refused
    try:
        sent = read_scoring(content, headers["content-type"], house.engine.card)
    except ApiError as error:
        raise AssertionError("what the server reads, its reader reads") from error
    engine = house.engine
    found = engine.predict(list(sent.rows)) if sent.columns is None else engine.predict_columns(sent.columns)
    assert [each["label"] for each in found] == answer.json()["predictions"]
    return Said([list(each["probabilities"].values()) for each in found])


def _refused(answer: httpx.Response) -> Said | None:
    if answer.status_code == 200:
        return None
    assert answer.status_code == 422, answer.text
    fault = answer.json()["errors"][0]
    return Said(None, fault["pointer"], fault["detail"])


def _joined(answers: Any) -> Said:
    """Put single answers together; the first refusal wins."""
    told = list(answers)
    refused = next((each for each in told if each.probabilities is None), None)
    return refused or Said([each.probabilities[0] for each in told])
