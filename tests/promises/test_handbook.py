"""The documentation is true: what it tells to type works, what it shows is what comes, its links lead somewhere."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from api._cli import COMMANDS, Entry, Group
from api._stack import tools
from api.sitemap import DOCS
from tests.conftest import RunningStack, User
from tests.promises.handbook import Block, Reader, blocks, differences, pages
from tests.promises.sources import REPOSITORY

_ELSEWHERE = ("./rowcast up --detach", "./rowcast down")
"""What starts and ends a whole Rowcast is tried with the README, on ports of its own."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Provide a folder that looks like the checkout to the commands, so that what they write stays out of it."""
    made = tmp_path_factory.mktemp("reader")
    for name in ("rowcast", "models"):
        (made / name).symlink_to(REPOSITORY / name)
    return made


@pytest.fixture(scope="module")
def reader(stack: RunningStack, site_url: str, worker: None, admin: User, folder: Path) -> Iterator[Reader]:
    """Be somebody at a machine where Rowcast is up with the model `penguins`."""
    environ = {
        **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        "ROWCAST_API_URL": site_url,
        "ROWCAST_HOME": str(stack.settings.home),
        "SUPABASE_URL": stack.supabase_url,
        "SUPABASE_PUBLISHABLE_KEY": stack.environ["SUPABASE_PUBLISHABLE_KEY"],
        "ROWCAST_EMAIL": admin.email,
        "ROWCAST_PASSWORD": admin.password,
        "COLUMNS": "200",
    }
    with stack.connect(autocommit=True) as connection:
        reader = Reader(
            folder,
            environ,
            site_url=site_url,
            programs={"python": sys.executable, "javascript": str(tools.node())},
            execute=lambda code: connection.execute(code).fetchall(),
        )
        train = "train models/gallery/datasets/penguins.csv --target species --name penguins --public --drop year --time-budget 2"
        reader.follow(Block("before", 0, "sh", "", f"./rowcast {train}"))
        yield reader


@pytest.mark.stack
@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("slug", pages())
def test_every_block_of_code_works(slug: str, reader: Reader, folder: Path) -> None:
    """Who types a page from top to bottom meets no error and sees what the page shows."""
    (folder / "exported").unlink(missing_ok=True)
    for block in blocks(slug):
        if block.needs_account:
            _check_syntax(block)
            continue
        kept = [line for line in block.code.splitlines() if line not in (*_ELSEWHERE, "./rowcast status")]
        reader.follow(Block(block.page, block.line, block.language, block.facts, "\n".join(kept)))


def _check_syntax(block: Block) -> None:
    checked = subprocess.run(["bash", "-n"], input=block.code, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, f"{block.place}: {checked.stderr}"
    for line in block.code.replace("\\\n", " ").splitlines():
        if line.startswith("./rowcast "):
            _check_command(block, shlex.split(line, comments=True)[1:])


def _check_command(block: Block, words: list[str]) -> None:
    entries: object = COMMANDS
    for word in words:
        found = entries.get(word) if isinstance(entries, dict) else None
        assert isinstance(found, Entry | Group), f"{block.place}: there is no command {' '.join(words)}"
        if isinstance(found, Entry):
            return
        entries = dict(found.entries)


def test_links_lead_to_pages_and_topics_that_exist() -> None:
    """No link within the documentation leads to a page or a topic that is not there."""
    from_site = {"/llms.txt", "/llms-full.txt", "/api/openapi.json", "/api/models", "/models/penguins"}
    lost = []
    for page in pages():
        text = (REPOSITORY / "web" / "docs" / f"{page}.md").read_text(encoding="utf-8")
        for target in re.findall(r"\]\((/[^)]+)\)", text):
            path, _, topic = target.partition("#")
            slug = path.removeprefix("/docs").strip("/") or "index"
            file = REPOSITORY / "web" / "docs" / f"{slug}.md"
            if path in from_site or (
                path.startswith("/docs/images/") and (REPOSITORY / "web" / "public" / path[1:]).exists()
            ):
                continue
            if not path.startswith("/docs") or not file.exists() or (topic and topic not in _topics(file)):
                lost.append(f"{page}: {target}")
    assert lost == []


def _topics(file: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w]+", "-", title.replace("`", "").lower()).strip("-") for title in titles}


def test_crawlers_are_told_of_every_page() -> None:
    """The map of the site lists the pages that there are."""
    assert ["index", *DOCS] == sorted(pages(), key=lambda slug: (slug != "index", slug))


def test_differences_are_seen() -> None:
    """A shown answer that lacks a member, or shows one of another type, is told apart from the real one."""
    real = {"id": "a", "list": [{"value": 1.5}], "none": None}

    assert differences({"id": "b", "list": [{"value": 2}]}, real) == []
    assert differences({"list": [{"value": "2"}], "more": 1, "none": 0}, real) != []
    assert len(differences({"list": {}, "more": 1, "id": 2}, real)) == 3
