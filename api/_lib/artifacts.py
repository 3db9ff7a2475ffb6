"""Model files by digest: bundled with the function, on the instance's disk, or fetched from Storage and verified.

A file's name is its SHA-256, so a copy that was verified once never goes stale.
"""

import hashlib
import os
import tempfile
from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import cache
from pathlib import Path
from typing import NamedTuple

import orjson

from api._lib import log
from api._lib.errors import Unavailable
from api._lib.flight import Flight
from api._lib.settings import settings
from api._lib.store import files
from models.contract import Card

GALLERY = Path(__file__).resolve().parents[2] / "models" / "gallery"
DISK_BYTES = 256 * 1024 * 1024
"""An instance's disk holds 512 MB: half of it may be models."""


class Artifact(NamedTuple):
    """A model file on disk and its card."""

    model: Path
    card: Path

    def read_card(self) -> Card:
        """Read and check the card."""
        return Card.model_validate_json(self.card.read_bytes())


_fetching: Flight[str, Artifact] = Flight()


async def find(digest: str) -> Artifact:
    """Return the files of a digest; concurrent calls for the same one fetch it once.

    Raises:
        Unavailable: they are nowhere here and Storage does not answer.
    """
    if local := find_local(digest):
        return local
    return await _fetching.join(digest, lambda: _fetch(digest))


def find_local(digest: str) -> Artifact | None:
    """Return the files of a digest if they are bundled or on disk."""
    if bundled := next((each for known, each in bundled_artifacts().values() if known == digest), None):
        return bundled
    kept = _on_disk(digest)
    return kept if kept.card.exists() and kept.model.exists() else None


@cache
def bundled_artifacts() -> dict[str, tuple[str, Artifact]]:
    """List the champions that travel with the function: slug → digest and files."""
    found = {}
    for card in sorted(GALLERY.glob("*/card.json")):
        digest = orjson.loads(card.read_bytes())["digest"]
        found[card.parent.name] = (digest, Artifact(card.parent / "model.onnx", card))
    return found


async def _fetch(digest: str) -> Artifact:
    kept = _on_disk(digest)
    kept.model.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _make_room(kept.model.parent.parent)
    await _write(kept.model, files.read_artifact(digest, "model.onnx"), digest)
    await _write(kept.card, files.read_artifact(digest, "card.json"), None)
    log.info("artifact fetched", digest=digest, bytes=kept.model.stat().st_size)
    return kept


async def _write(target: Path, chunks: AsyncGenerator[bytes], digest: str | None) -> None:
    """Write a file whole or not at all."""
    descriptor, draft = tempfile.mkstemp(dir=target.parent)
    try:
        found = hashlib.sha256()
        with os.fdopen(descriptor, "wb") as file:
            async with aclosing(chunks):
                async for chunk in chunks:
                    found.update(chunk)
                    file.write(chunk)
        _check_digest(found.hexdigest(), digest)
        os.replace(draft, target)  # noqa: PTH105  one rename, done when it returns
    except BaseException:
        os.unlink(draft)  # noqa: PTH108  same
        raise


def _check_digest(found: str, expected: str | None) -> None:
    if expected and found != expected:
        log.warning("artifact rejected", digest=expected, found=found)
        raise Unavailable("The stored model file is not the one that was certified; it is not opened")


def _make_room(folder: Path) -> None:
    """Delete the files that were fetched longest ago, until what is kept is within bounds."""
    kept = sorted(folder.glob("*/*"), key=lambda file: file.stat().st_mtime)
    total = sum(file.stat().st_size for file in kept)
    for file in kept:
        if total <= DISK_BYTES:
            return
        total -= file.stat().st_size
        file.unlink(missing_ok=True)


def _on_disk(digest: str) -> Artifact:
    root = Path(settings().model_cache_dir or Path(tempfile.gettempdir()) / "rowcast-models")
    return Artifact(root / digest / "model.onnx", root / digest / "card.json")
