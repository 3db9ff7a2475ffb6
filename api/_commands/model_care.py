"""`rowcast model archive|unarchive|delete`: what is no longer wanted."""

import sys
from typing import Annotated

import typer

from api._commands.client import Client
from api._commands.errors import CliError
from api._commands.model import Slug
from api._commands.model_moves import Number

Sure = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def model_archive(slug: Slug) -> None:
    """Retire a model: not listed, no new versions, no promotions. It still answers."""
    _put_away(slug, is_archived=True)
    print(f"{slug} is archived; it still answers. Back again: ./rowcast model unarchive {slug}")


def model_unarchive(slug: Slug) -> None:
    """Take a model back into use."""
    _put_away(slug, is_archived=False)
    print(f"{slug} is in use again.")


def model_delete(slug: Slug, version: Number, *, is_sure: Sure = False) -> None:
    """Delete the file of a version that no alias points at and no rollback leads to. Its line in the history stays."""
    if not is_sure and not (sys.stdin.isatty() and typer.confirm(f"Delete the file of {slug} version {version}?")):
        raise CliError("nothing was done; --yes deletes without asking")
    with Client() as client:
        client.call("DELETE", f"/api/models/{slug}/versions/{version}")
    print(f"The file of {slug} version {version} is deleted.")


def _put_away(slug: str, *, is_archived: bool) -> None:
    with Client() as client:
        client.call("PATCH", f"/api/models/{slug}", json={"archived": is_archived})
