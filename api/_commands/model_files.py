"""`rowcast model card|download`: what a version is, for reading and for use elsewhere."""

import hashlib
from pathlib import Path
from typing import Annotated

import typer

from api._commands.client import Client
from api._commands.errors import CliError
from api._commands.listing import AsJson
from api._commands.model import Reference, Slug

DOWNLOAD_SECONDS = 120.0

Out = Annotated[Path, typer.Option("--out", metavar="DIR", help="The folder for model.onnx and card.json.")]


def model_card(slug: Slug, *, version: Reference = "champion", as_json: AsJson = False) -> None:
    """Print the card of a version: a README with the front matter that Hugging Face reads, or the whole as JSON."""
    with Client() as client:
        print(client.fetch(f"/api/models/{slug}/{'card' if as_json else 'readme'}", params={"version": version}).text)


def model_download(slug: Slug, *, version: Reference = "champion", out: Out = Path()) -> None:
    """Fetch model.onnx and card.json of a version, checked against its digest. `predict --offline DIR` answers from them."""
    with Client() as client:
        card = client.fetch(f"/api/models/{slug}/card", params={"version": version})
        digest = card.json()["digest"]
        # By its digest: what an alias means may change between the two calls.
        model = client.fetch(f"/api/models/{slug}/artifact", params={"version": digest}, timeout=DOWNLOAD_SECONDS)
    if hashlib.sha256(model.content).hexdigest() != digest:
        raise CliError("what was fetched is not the file that the card describes; nothing was written")
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / "model.onnx").write_bytes(model.content)
        (out / "card.json").write_bytes(card.content)
    except OSError as error:
        raise CliError(f"{out} cannot be written: {error.strerror}") from error
    print(f"{out / 'model.onnx'} ({len(model.content):,} bytes, sha256 {digest[:12]}…) and {out / 'card.json'}")
