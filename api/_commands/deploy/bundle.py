"""`rowcast deploy bundle`: the published champions into `models/gallery`, so that they answer without database and Storage.

Only what everybody may see is bundled: the list is asked with the publishable key, so row security decides. Each file is
checked against its digest and opened once before it takes its place; what is not published any more is taken out.
"""

import hashlib
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from api._commands.deploy import answers
from api._commands.errors import CliError
from api._stack.settings import REPOSITORY

if TYPE_CHECKING:
    import httpx

GALLERY = REPOSITORY / "models" / "gallery"
MAX_MB = 60
"""For all together: a function is to stay below 200 MB, of which its packages take some 125."""

PAGE = 200
_SLUG = re.compile(r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])$")
_SELECT = "slug,aliases!inner(name,versions!inner(digest,size_bytes))"
_WANTED = {"visibility": "eq.public", "archived_at": "is.null", "aliases.name": "eq.champion", "order": "slug"}

Out = Annotated[Path, typer.Option("--out", metavar="DIR", help="Gallery to write to.")]
MaxMb = Annotated[int, typer.Option("--max-mb", min=1, help="At most so many megabytes together.")]


class Champion(NamedTuple):
    """A version that answers when none is named."""

    slug: str
    digest: str
    size_bytes: int


def bundle(*, out: Out = GALLERY, max_mb: MaxMb = MAX_MB) -> None:
    """Bundle the published champions with the functions: they then answer while database and Storage are away."""
    known = answers.load(os.environ)
    if not all(known.get(name) for name in ("SUPABASE_URL", "SUPABASE_PUBLISHABLE_KEY", "SUPABASE_SECRET_KEY")):
        raise CliError(
            "set SUPABASE_URL, SUPABASE_PUBLISHABLE_KEY and SUPABASE_SECRET_KEY, or run ./rowcast deploy first"
        )
    import httpx

    base = known["SUPABASE_URL"].rstrip("/")
    is_here = base.startswith("http://127.0.0.1:")
    with httpx.Client(base_url=base, timeout=httpx.Timeout(60.0, connect=5.0), trust_env=not is_here) as client:
        try:
            chosen, left_out = _fit(list(_list(client, known)), max_mb)
            for champion in chosen:
                _take(client, known, champion, out)
                print(f"{champion.slug}: {champion.digest[:12]}, {champion.size_bytes / 1e6:.1f} MB")
        except httpx.HTTPError as error:
            raise CliError(f"{base} does not answer: {type(error).__name__}") from error
    for slug in _clear(out, {champion.slug for champion in chosen}):
        print(f"{slug}: taken out, it is not published any more")
    for champion in left_out:
        print(
            f"{champion.slug}: left out, {champion.size_bytes / 1e6:.1f} MB more than the {max_mb} MB; it is fetched when asked"
        )
    print(f"{len(chosen)} bundled." if chosen else "No model is published yet: nothing to bundle.")


def _list(client: "httpx.Client", known: Mapping[str, str]) -> Iterator[Champion]:
    """List the champions that everybody may see, page by page."""
    headers = {"apikey": known["SUPABASE_PUBLISHABLE_KEY"]}
    for offset in range(0, 100 * PAGE, PAGE):
        params: dict[str, str | int] = {"select": _SELECT, **_WANTED, "limit": PAGE, "offset": offset}
        answer = client.get("/rest/v1/models", params=params, headers=headers)
        if not answer.is_success:
            raise CliError(f"the list of models is refused (status {answer.status_code}); ./rowcast doctor tells why")
        rows: list[dict[str, Any]] = answer.json()
        for row in rows:
            version = row["aliases"][0]["versions"]
            if not _SLUG.match(row["slug"]) or not re.fullmatch(r"[0-9a-f]{64}", version["digest"]):
                raise CliError(f"the list names a model {row['slug'][:80]!r}, which cannot be one")
            yield Champion(row["slug"], version["digest"], int(version["size_bytes"]))
        if len(rows) < PAGE:
            return


def _fit(champions: list[Champion], max_mb: int) -> tuple[list[Champion], list[Champion]]:
    """Choose the smallest first, as many as fit."""
    room = max_mb * 1_000_000
    chosen: list[Champion] = []
    left_out: list[Champion] = []
    for champion in sorted(champions, key=lambda each: each.size_bytes):
        (chosen if champion.size_bytes <= room else left_out).append(champion)
        room -= champion.size_bytes if champion in chosen else 0
    return sorted(chosen), left_out


def _take(client: "httpx.Client", known: Mapping[str, str], champion: Champion, gallery: Path) -> None:
    """Fetch one champion, check it, and swap it in: both files or neither."""
    from models.contract import Card
    from models.runtime import OnnxModel
    from models.training.write import CARD_FILE, MODEL_FILE

    headers = {"apikey": known["SUPABASE_SECRET_KEY"]}
    contents = {}
    for name in (MODEL_FILE, CARD_FILE):
        answer = client.get(f"/storage/v1/object/models/{champion.digest}/{name}", headers=headers)
        if not answer.is_success:
            raise CliError(f"{champion.slug}: Storage does not hand out {name} (status {answer.status_code})")
        contents[name] = answer.content
    if hashlib.sha256(contents[MODEL_FILE]).hexdigest() != champion.digest:
        raise CliError(
            f"{champion.slug}: the stored model file is not the one that was certified; nothing was bundled of it"
        )
    card = Card.model_validate_json(contents[CARD_FILE])
    if card.digest != champion.digest:
        raise CliError(f"{champion.slug}: the stored card belongs to another file; nothing was bundled of it")
    draft = gallery / f".{champion.slug}.{os.getpid()}"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        for name, content in contents.items():
            (draft / name).write_bytes(content)
        OnnxModel.open(draft / MODEL_FILE, card)
        place = gallery / champion.slug
        shutil.rmtree(place, ignore_errors=True)
        draft.rename(place)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _clear(gallery: Path, kept: set[str]) -> list[str]:
    """Take out the bundled models that are not among those kept; the data sets beside them stay."""
    gone = sorted({path.parent for path in gallery.glob("*/card.json") if path.parent.name not in kept})
    for folder in gone:
        shutil.rmtree(folder)
    return [folder.name for folder in gone]
