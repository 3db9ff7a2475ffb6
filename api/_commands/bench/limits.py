"""The limits that Rowcast is measured against, served by the same server: nothing but the echo, nothing but the model.

Started as `uvicorn api._commands.bench.limits:echo`, `…:floor`, `…:kept` and `…:bare`; `ROWCAST_BENCH_MODEL` names the folder of the
model.
"""

import os
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import orjson
from fastapi import FastAPI, Request, Response
from starlette.types import Receive, Scope, Send
from uuid_utils import uuid7

from models.contract import Card
from models.runtime import OnnxModel

FOLDER_VARIABLE = "ROWCAST_BENCH_MODEL"


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Read JSON and write it back: the least that a server of this kind can do."""
    if scope["type"] != "http":
        return
    await _answer(send, orjson.dumps(orjson.loads(await _read(receive))))


async def floor(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer rows by the model, with no framework around it: the least that a prediction by itself can take."""
    if scope["type"] != "http":
        return
    await _answer(send, _predict(await _read(receive)))


async def kept(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer the same bytes from memory, with an id and the headers that our answers promise: the least that it can take."""
    if scope["type"] != "http":
        return
    body = await _read(receive)
    known = _kept.get(body)
    if known is None:
        known = _kept[body] = _predict(body)
    prediction_id = str(uuid7()).encode()
    await _answer(send, b'{"id":"%b",%b' % (prediction_id, known[1:]), (*_PROMISED, (b"x-request-id", prediction_id)))


_kept: dict[bytes, bytes] = {}
_PROMISED = (
    (b"x-rowcast-cache", b"hit-local"),
    (b"server-timing", b"parse;dur=0.0, validate;dur=0.0, infer;dur=0.0, total;dur=0.012"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"ratelimit-policy", b'"key";q=1000;w=60'),
    (b"ratelimit", b'"key";r=999;t=60'),
)


def _predict(body: bytes) -> bytes:
    known, sent = model(), orjson.loads(body)
    return b'{"predictions":%b}' % known.write(known.run(known.encode(sent.get("rows", [sent]))))


async def _read(receive: Receive) -> bytes:
    body, is_more = b"", True
    while is_more:
        message = await receive()
        body += message.get("body", b"")
        is_more = message.get("more_body", False)
    return body


async def _answer(send: Send, content: bytes, more: Iterable[tuple[bytes, bytes]] = ()) -> None:
    length = str(len(content)).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", length), *more]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": content})


bare = FastAPI(openapi_url=None)
"""A plain FastAPI route around the model: no registry, no caller, no log, no cache."""


@bare.post("/predict")
async def predict(request: Request) -> Response:
    """Answer rows by the model alone."""
    sent = orjson.loads(await request.body())
    predictions = model().predict(sent.get("rows", [sent]))
    return Response(orjson.dumps({"predictions": predictions}), media_type="application/json")


@cache
def model() -> OnnxModel:
    """Open the model that the environment names."""
    folder = Path(os.environ[FOLDER_VARIABLE])
    return OnnxModel.open(folder / "model.onnx", Card.model_validate_json((folder / "card.json").read_bytes()))
