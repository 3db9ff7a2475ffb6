"""The documentation's blocks of code, run as a reader would: page by page, block by block, in one folder and one shell.

A shell block runs with `set -eu` and keeps what the blocks above it exported. Python and JavaScript run as files, SQL as
the owner of the tables. A JSON block says what the block before it printed: each of its members must be there, of the same
type. An HTTP block names headers that were printed. A block that needs an account elsewhere says `needs=account`: its
syntax is checked, and each of our commands in it must exist.
"""

import json
import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.promises.sources import REPOSITORY

PAGES = REPOSITORY / "web" / "docs"
SECONDS = 240
_BLOCK = re.compile(r"^```(?P<language>\w*)(?P<facts>[^\n]*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """One block of code and where it stands."""

    page: str
    line: int
    language: str
    facts: str
    code: str

    @property
    def place(self) -> str:
        """Name the block for whoever has to mend it."""
        return f"web/docs/{self.page}.md:{self.line}"

    @property
    def needs_account(self) -> bool:
        """Whether it can only run with somebody's account."""
        return "needs=account" in self.facts


def blocks(page: str) -> list[Block]:
    """Read a page's blocks in their order."""
    text = (PAGES / f"{page}.md").read_text(encoding="utf-8")
    return [
        Block(page, text.count("\n", 0, found.start()) + 1, found["language"], found["facts"].strip(), found["code"])
        for found in _BLOCK.finditer(text)
    ]


def pages() -> list[str]:
    """Name all pages."""
    return sorted(path.stem for path in PAGES.glob("*.md"))


class Reader:
    """Somebody who types what a page says."""

    def __init__(
        self, folder: Path, environ: Mapping[str, str], *, site_url: str, programs: Mapping[str, str],
        execute: Callable[[str], Any],
    ) -> None:  # fmt: skip
        """Work in `folder`; `programs` are those that run a language's files, `execute` runs SQL."""
        self._folder, self._environ, self._site_url = folder, dict(environ), site_url
        self._programs, self._execute = programs, execute
        self.printed = ""

    def follow(self, block: Block) -> None:
        """Do what a block says, or hold what it shows against what came before."""
        code = block.code.replace("http://127.0.0.1:3000", self._site_url)
        match block.language:
            case "sh":
                self._type(block, code)
            case "python" | "javascript":
                self._run(block, code)
            case "sql":
                self.printed = str(self._execute(code))
            case "json":
                misses = differences(json.loads(code), json.loads(self.printed[self.printed.index("{") :]))
                assert not misses, f"{block.place}: {misses}"
            case "http":
                named = {line.partition(":")[0] for line in code.splitlines()}
                lacking = [
                    name for name in named if not re.search(rf"^{name}:", self.printed, re.MULTILINE | re.IGNORECASE)
                ]
                assert not lacking, f"{block.place}: no header {lacking}"
            case other:
                raise AssertionError(f"{block.place}: nothing knows how to try {other!r}")

    def _type(self, block: Block, code: str) -> None:
        kept = self._folder / "exported"
        script = f"set -euo pipefail\n{code}\nexport -p > {kept}\n"
        before = f". {kept}\n" if kept.exists() else ""
        self.printed = self._call(block, ["bash", "-c", before + script])

    def _run(self, block: Block, code: str) -> None:
        suffix = {"python": "py", "javascript": "mjs"}[block.language]
        file = self._folder / f"{block.page}-{block.line}.{suffix}"
        file.write_text(code, encoding="utf-8")
        kept = self._folder / "exported"
        before = f". {kept}; " if kept.exists() else ""
        self.printed = self._call(block, ["bash", "-c", f"{before}exec {self._programs[block.language]} {file}"])

    def _call(self, block: Block, command: list[str]) -> str:
        done = subprocess.run(
            command, cwd=self._folder, env=self._environ, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=SECONDS, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{block.place}\n{done.stdout}\n{done.stderr}"
        return done.stdout


def differences(shown: Any, real: Any, place: str = "#") -> list[str]:
    """Say where a shown document is not what really came: a member that lacks, or one of another type.

    Of a list, the first element stands for all; numbers may differ, and texts.
    """
    if isinstance(shown, dict):
        if not isinstance(real, dict):
            return [f"{place} is no object"]
        lacking = [f"{place}/{name} is not there" for name in shown.keys() - real.keys()]
        return lacking + [
            each
            for name in shown.keys() & real.keys()
            for each in differences(shown[name], real[name], f"{place}/{name}")
        ]
    if isinstance(shown, list):
        if not isinstance(real, list) or bool(shown) > bool(real):
            return [f"{place} is no list like that"]
        return differences(shown[0], real[0], f"{place}/0") if shown and real else []
    kinds = [
        float if isinstance(each, int | float) and not isinstance(each, bool) else type(each) for each in (shown, real)
    ]
    return [] if kinds[0] is kinds[1] else [f"{place} is {real!r}"]
