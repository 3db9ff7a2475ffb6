"""One rehearsal of the deployment for all tests of this folder."""

import pytest

from tests.deploy import rehearsal


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> rehearsal.Build:
    """The platform's build of a copy of this checkout, with things lying about that must never leave the machine."""
    folder = tmp_path_factory.mktemp("deploy") / "checkout"
    rehearsal.copy_checkout(folder)
    for name in (
        ".rowcast/env",
        ".env",
        ".env.local",
        "api/_stack/secret.json",
        "web/dashboard/.streamlit/secrets.toml",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("must stay here")
    return rehearsal.build(folder)
