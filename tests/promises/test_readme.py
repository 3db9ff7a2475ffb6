"""The README is true: its commands work in its order, its settings are all of them, its links lead somewhere."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, fields
from pathlib import Path

import pytest

from api._lib.settings import Settings as ProductSettings
from api._stack import control
from api._stack.settings import HOME_VARIABLE, Ports, Settings
from tests.promises.sources import REPOSITORY

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
COMMAND_SECONDS = 300
_ITSELF = "./rowcast test"
"""What is running this test; its arguments are checked, it is not started once more."""


def commands() -> list[str]:
    """Read the commands of the README's `sh` blocks in order, continued lines joined, comments dropped."""
    blocks = re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [stripped for line in lines if (stripped := re.sub(r"\s+# .*$", "", line).strip())]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Provide a folder that looks like the checkout to the commands, so that what they write stays out of it."""
    for name in ("rowcast", "models"):
        (tmp_path / name).symlink_to(REPOSITORY / name)
    return tmp_path


@pytest.fixture
def settings() -> Iterator[Settings]:
    """Provide a home and ports of its own; nothing of it is left."""
    settings = Settings(home=Path(tempfile.mkdtemp(prefix="rowcast-readme-")), ports=Ports.free())
    yield settings
    control.stop(settings)
    control.delete_data(settings)
    shutil.rmtree(settings.home)


@pytest.mark.stack
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_commands_work_in_their_order(settings: Settings, folder: Path):
    """Who types the README from top to bottom meets no error, and the first curl answers with probabilities."""
    ports = {Ports.variable(name): str(port) for name, port in asdict(settings.ports).items()}
    environ = {**os.environ, **ports, HOME_VARIABLE: str(settings.home)}
    answers = {}
    for command in commands():
        if command.startswith(_ITSELF):
            continue
        # The one that stays in the foreground, and the default port, which somebody may be using.
        typed = f"{command} --detach" if command == "./rowcast up" else command
        typed = typed.replace("127.0.0.1:3000", f"127.0.0.1:{settings.ports.site}")
        done = subprocess.run(
            ["bash", "-euc", typed],
            cwd=folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        answers[command.split()[0]] = done.stdout

    assert '"probabilities"' in answers["curl"]
    assert (folder / "predicted.csv").read_text(encoding="utf-8").count("\n") > 1


def test_test_commands_name_tests_that_exist():
    """The parts of the suite that the README names are there."""
    for command in re.findall(rf"{re.escape(_ITSELF)} -- (\S+)", README):
        assert (REPOSITORY / command).exists(), command


def test_settings_table_is_complete():
    """Every variable that a deployment may set is in the README's table, and no other."""
    table = README.partition("## Settings")[2].partition("\n## ")[0]
    rows = "\n".join(line.split("|")[1] for line in table.splitlines() if line.startswith("| `"))
    named = set(re.findall(r"`([A-Z_]+)`", rows))
    read = {each.metadata["names"][0] for each in fields(ProductSettings) if not each.metadata["from_platform"]}
    assert named == read


def test_links_lead_to_files_of_the_checkout():
    """No link of the README or of its neighbours points at a file that is gone."""
    for page in (REPOSITORY / "README.md", REPOSITORY / ".github/CONTRIBUTING.md"):
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
