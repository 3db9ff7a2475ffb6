"""Opened models by digest, as many as the memory bound allows; the least recently used one goes first."""

import asyncio
from collections import OrderedDict

from api._lib import artifacts, collector, log
from api._lib.errors import Unavailable
from api._lib.flight import Flight
from api._lib.settings import settings
from models.errors import ModelError
from models.runtime import OnnxModel

_BYTES_PER_FILE_BYTE = 2
_BYTES_PER_ENGINE = 2 * 1024 * 1024

_opened: OrderedDict[str, OnnxModel] = OrderedDict()
_opening: Flight[str, OnnxModel] = Flight()


def peek(digest: str) -> OnnxModel | None:
    """Return an opened model, or None without waiting."""
    engine = _opened.get(digest)
    if engine is not None:
        _opened.move_to_end(digest)
    return engine


async def find(digest: str) -> OnnxModel:
    """Return an opened model; concurrent first callers open it once.

    Raises:
        Unavailable: its file is neither here nor to be had at the moment.
    """
    if engine := peek(digest):
        return engine
    return await _opening.join(digest, lambda: _open(digest))


async def _open(digest: str) -> OnnxModel:
    artifact = await artifacts.find(digest)
    # Off the event loop: a large forest takes seconds, and others are being answered meanwhile.
    engine = await asyncio.to_thread(_open_file, artifact)
    _opened[digest] = engine
    _evict()
    collector.note_loaded()
    return engine


def _open_file(artifact: artifacts.Artifact) -> OnnxModel:
    try:
        engine = OnnxModel.open(artifact.model, artifact.read_card())
        # One whole way through, so that the first caller does not pay for what is made on first use.
        engine.predict(engine.card.examples[:1])
    except ModelError as error:
        log.exception("model rejected", error)
        raise Unavailable("The model's file was refused and is not opened; the log says why") from error
    return engine


def _evict() -> None:
    bound = settings().model_memory_mb * 1024 * 1024
    while len(_opened) > 1 and sum(map(_memory_of, _opened.values())) > bound:
        digest, _ = _opened.popitem(last=False)
        log.info("model closed", digest=digest)


def _memory_of(engine: OnnxModel) -> int:
    """Estimate what an opened model holds; measured between one and two times its file."""
    return engine.card.size_bytes * _BYTES_PER_FILE_BYTE + _BYTES_PER_ENGINE
