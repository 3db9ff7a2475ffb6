"""A CSV that is too large for requests: uploaded, scored by a worker while a bar moves, and the result fetched."""

import hashlib
import time
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from api._commands.client import Client
from api._commands.errors import CliError
from api._commands.upload import upload

if TYPE_CHECKING:
    from rich.progress import Progress

POLL_SECONDS = 0.5
PATIENCE_SECONDS = 10.0
"""So long a batch may wait without the question whether there is a worker at all."""

_ENDED = {"succeeded", "failed", "cancelled"}
_DOWNLOAD_SECONDS = 120.0
_GZIP = zlib.MAX_WBITS | 16


def score(client: Client, model: str, file: Path, out: Path) -> dict[str, Any]:
    """Score a file into another one and return the batch.

    Raises:
        RequestRefused: the caller may not start batches, or the server refused this one.
        CliError: the batch failed, or its result cannot be kept.
    """
    dataset = upload(client, file, name=file.name)
    batch = client.call("POST", "/api/batches", json={"dataset_id": dataset["id"], "model": model})
    try:
        batch = _wait(client, batch)
    except KeyboardInterrupt:
        client.call("POST", f"/api/batches/{batch['id']}/cancel")
        raise
    if batch["status"] != "succeeded":
        raise CliError(batch["reason"] or f"the batch was {batch['status']}")
    _fetch(client, client.call("GET", f"/api/batches/{batch['id']}/result"), out)
    return batch


def bar() -> "Progress":
    """Make a bar that counts rows; it shows on a terminal only."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def _wait(client: Client, batch: dict[str, Any]) -> dict[str, Any]:
    began = time.monotonic()
    with bar() as progress:
        task = progress.add_task("waiting", total=None)
        while batch["status"] not in _ENDED:
            time.sleep(POLL_SECONDS)
            batch = client.call("GET", f"/api/batches/{batch['id']}")
            said = batch["reason"] or {"queued": "waiting", "running": "scoring"}.get(batch["status"], batch["status"])
            if batch["status"] == "queued" and time.monotonic() - began > PATIENCE_SECONDS:
                said = "waiting for a worker"
            progress.update(task, description=said, total=batch["rows_total"], completed=batch["rows_done"])
    return batch


def _fetch(client: Client, result: dict[str, Any], out: Path) -> None:
    """Download a result, unpack it where it is packed, and check that it is the one that was announced."""
    unpacker = zlib.decompressobj(_GZIP) if result["filename"].endswith(".gz") else None
    digest = hashlib.sha256()
    try:
        with out.open("wb") as file:
            for chunk in client.download(result["url"], timeout=_DOWNLOAD_SECONDS):
                digest.update(chunk)
                file.write(unpacker.decompress(chunk) if unpacker else chunk)
    except OSError as error:
        raise CliError(f"{out} cannot be written: {error.strerror}") from error
    if digest.hexdigest() != result["sha256"]:
        raise CliError(f"what was fetched is not the result that was announced; {out} is not to be trusted")
