"""What Nx re-runs after a change: all that the change concerns, and nothing else. Real Nx, in a throw-away copy."""

import ast
import json
import os
import re
import subprocess
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

from api._stack import tools
from api._stack.settings import REPOSITORY
from tests.deploy.rehearsal import copy_checkout
from tests.promises.sources import Module

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

CACHED = {
    "models:check",
    "models:test",
    "api:check",
    "dashboard:check",
    "tests:check",
    "web:check",
    "web:test",
    "web:build",
}
_RUN = re.compile(r"^> nx run ([\w:-]+)(.*)$", re.MULTILINE)
_OWN_PACKAGES = {"api", "models", "tests"}


class Copy:
    """A copy of the checkout whose targets do nothing, so that only Nx's own decisions are seen."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        copy_checkout(folder)
        for file in [*folder.glob("*/project.json"), *folder.glob("*/*/project.json")]:
            project = json.loads(file.read_text())
            for target in project["targets"].values():
                if "command" in target:
                    target["command"] = "true"
                elif "commands" in target.get("options", {}):
                    target["options"]["commands"] = ["true"]
            file.write_text(json.dumps(project))
        (folder / ".venv").symlink_to(REPOSITORY / ".venv")
        for arguments in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "Start"]):
            self._git(*arguments)

    def nx(self, *arguments: str) -> str:
        """Run Nx to its end and return what it said."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("NX_")}
        own = {"NX_DAEMON": "false", "NX_NO_CLOUD": "true", "NX_TUI": "false", "NO_COLOR": "1"}
        path = os.pathsep.join([str(tools.node().parent), os.environ["PATH"]])
        command = [tools.node(), tools.npm_command("nx"), *arguments]
        done = subprocess.run(
            command, cwd=self.folder, env=kept | own | {"PATH": path}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def run(self) -> set[str]:
        """Run every check and test; return which were carried out, be it by what is remembered."""
        said = self.nx("run-many", "--target", "check,test", "--output-style", "static")
        return {name for name, remark in _RUN.findall(said) if "cache" not in remark}

    def change(self, name: str) -> set[str]:
        """Change one file; return the projects that are concerned, seen from the commit."""
        self._git("checkout", "--quiet", ".")
        with (self.folder / name).open("a") as file:
            file.write("\n")
        return set(self.nx("show", "projects", "--affected", "--base=HEAD").split())

    def _git(self, *arguments: str) -> None:
        identity = ["-c", "user.name=nobody", "-c", "user.email=nobody@example.com", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *identity, *arguments], cwd=self.folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """Make one copy for all tests here."""
    return Copy(tmp_path_factory.mktemp("nx") / "checkout")


def test_a_change_re_runs_what_it_concerns(copy: Copy):
    """The contract concerns all of Python and nothing of the site's own tests; the README concerns no cached target."""
    assert copy.run() >= CACHED - {"web:build"}
    assert copy.run() & CACHED == set()

    assert copy.change("README.md") == {"tests", "deploy"}
    assert copy.run() & CACHED == set()

    assert copy.change("models/contract.py") == {"models", "api", "tests", "deploy"}
    assert copy.run() & CACHED == {"models:check", "models:test", "api:check"}


@pytest.mark.parametrize(
    ("name", "concerned"),
    [
        ("web/dashboard/streamlit_app.py", {"dashboard", "tests", "deploy"}),
        ("tests/conftest.py", {"models", "api", "tests", "deploy"}),
        ("supabase/config.toml", {"tests", "deploy"}),
    ],
)
def test_a_change_concerns_its_projects(copy: Copy, name: str, concerned: set[str]):
    """Files of a project concern it and what depends on it; files outside of all, what reads them."""
    assert copy.change(name) == concerned


def test_no_input_is_hidden(copy: Copy):
    """Every module that a cached target's Python can import is part of what the target's cache is asked by."""
    graph = copy.folder / "graph.json"
    copy.nx("run-many", "--target", "check,test", f"--graph={graph}")
    plans = json.loads(graph.read_text())["taskPlans"]

    for task, folders in {"models:test": ["tests/models"], "models:check": ["models"], "api:check": ["api"]}.items():
        patterns = list(_patterns(plans[task]))
        roots = [file for folder in folders for file in (REPOSITORY / folder).rglob("*.py")]
        if task == "models:test":
            roots.append(REPOSITORY / "tests/conftest.py")
        read = {str(file.relative_to(REPOSITORY)) for file in _imported(roots)}
        assert [name for name in sorted(read) if not any(fnmatch(name, pattern) for pattern in patterns)] == []


def _patterns(plan: list[str]) -> Iterator[str]:
    """Read the patterns of a task's plan, `project:a,!b` or `workspace:[…]`, as those of `fnmatch`."""
    for line in plan:
        kind, _, rest = line.partition(":")
        if kind in {"runtime", "env"}:
            continue
        for one in rest.strip("[]").split(","):
            if not one.startswith("!") and "/" in one:
                yield one.replace("{workspaceRoot}/", "").replace("**/*", "*")


def _imported(roots: list[Path]) -> set[Path]:
    """Follow imports, wherever they stand, through this project's packages."""
    found: set[Path] = set()
    left = list(roots)
    while left:
        file = left.pop()
        if file not in found:
            found.add(file)
            left += _imports(file)
    return found


def _imports(file: Path) -> list[Path]:
    names = Module(file.stem, file, ast.parse(file.read_text(encoding="utf-8")), 0).imports()
    files = []
    for name in names:
        parts = name.split(".")
        if parts[0] in _OWN_PACKAGES:
            heads = [REPOSITORY.joinpath(*parts[:length]) for length in range(1, len(parts) + 1)]
            files += [file for head in heads for file in (head.with_suffix(".py"), head / "__init__.py")]
    return [each for each in files if each.is_file()]
