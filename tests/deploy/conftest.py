"""One rehearsal of the deployment for all tests of this folder."""

import json

import pytest

from models.training import TrainOptions, read_table, train, write
from tests.deploy import rehearsal


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> rehearsal.Build:
    """The platform's build of a copy of this checkout, with a freshly trained bundled
    model, and with things lying about that must never leave the machine.
    """
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
    gallery = rehearsal.REPOSITORY / "models/gallery"
    penguins = next(each for each in json.loads((gallery / "datasets.json").read_text()) if each["slug"] == "penguins")
    options = TrainOptions(
        target=penguins["target"], name="penguins", time_budget_seconds=1, drop=tuple(penguins["drop"])
    )
    trained = train(read_table(gallery / "datasets" / penguins["file"]), options)
    write(trained, folder / "models/gallery/penguins")
    return rehearsal.build(folder)
