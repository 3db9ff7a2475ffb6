"""Brings a file into Storage: asks the API for a signed URL, sends the bytes there, and says when they have arrived."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from api._commands.client import Client
from api._commands.errors import CliError

CHUNK_BYTES = 1 << 18
UPLOAD_SECONDS = 600.0
MAX_UPLOAD_BYTES = 50 * 1024 * 1024  # what Storage and the database take


def check_size(file: Path) -> None:
    """Refuse a file that the server would refuse, before it is read."""
    size = file.stat().st_size if file.exists() else 0
    if size > MAX_UPLOAD_BYTES:
        raise CliError(
            f"{file.name} is {size / 1e6:.0f} MB; a server takes at most {MAX_UPLOAD_BYTES / 1e6:.0f} MB: "
            "pack it with gzip, keep a random sample of its rows, or train --offline"
        )


def upload(
    client: Client,
    file: Path,
    *,
    name: str,
    kind: str = "table",
    source: str | None = None,
    licence: str | None = None,
) -> dict[str, Any]:
    """Upload a file as a dataset and return the dataset, ready to be used. Draws a bar on a terminal."""
    size = file.stat().st_size
    asked = {
        "filename": file.name,
        "size_bytes": size,
        "name": name,
        "kind": kind,
        "source": source,
        "licence": licence,
    }
    created = client.call("POST", "/api/datasets", json=asked)
    place = created["upload"]
    digest = hashlib.sha256()
    with _bar() as progress:
        task = progress.add_task("uploading", total=size)

        def sent(chunk: bytes) -> None:
            digest.update(chunk)
            progress.advance(task, len(chunk))

        client.upload(
            place["url"],
            _chunks(file, sent),
            method=place["method"],
            headers={**place["headers"], "content-length": str(size)},
            timeout=UPLOAD_SECONDS,
        )
    path = f"/api/datasets/{created['dataset']['id']}/complete"
    dataset: dict[str, Any] = client.call("POST", path, json={"sha256": digest.hexdigest()})
    return dataset


def _chunks(file: Path, sent: Callable[[bytes], None]) -> Iterator[bytes]:
    with file.open("rb") as source:
        while chunk := source.read(CHUNK_BYTES):
            yield chunk
            sent(chunk)


def _bar() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), DownloadColumn(), TransferSpeedColumn())
    console = Console(stderr=True)
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
