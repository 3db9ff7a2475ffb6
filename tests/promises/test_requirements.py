"""What is deployed is what is locked."""

import shutil
import subprocess

import pytest

from tests.promises.sources import REPOSITORY

EXPORTS = {"main": ("api/requirements.txt", "api"), "dashboard": ("web/dashboard/requirements.txt", "dashboard")}


@pytest.mark.parametrize("group", EXPORTS)
def test_requirements_equal_the_lock(group: str):
    """The pins beside the functions and beside the dashboard are exported from poetry.lock, and nobody edited them."""
    name, project = EXPORTS[group]
    path = REPOSITORY / name
    poetry = shutil.which("poetry", path=str(REPOSITORY / ".rowcast/tools/bin")) or shutil.which("poetry")
    assert poetry, "Poetry is missing: ./rowcast test installs it"

    exported = subprocess.run(
        [poetry, "export", "--only", group, "--without-hashes", "--format", "requirements.txt"],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
        text=True,
    ).stdout

    assert path.read_text(encoding="utf-8") == exported, (
        f"run: node node_modules/nx/dist/bin/nx.js run {project}:requirements"
    )
