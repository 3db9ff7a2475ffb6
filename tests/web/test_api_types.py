"""The site is checked against the API as it is: its types are made from the API's own description."""

import json
import os
import subprocess
from pathlib import Path

from api._lib import openapi
from api._lib.app import create_app
from api._lib.routers import load_routers
from api._stack import tools

REPOSITORY = Path(__file__).parents[2]


def test_types_of_the_site_are_fresh() -> None:
    """`npm run types` would change nothing; when this fails, run it and read what changed."""
    description = openapi.describe(create_app(*load_routers()))

    made = subprocess.run(
        [tools.node(), "web/api-types.js"],
        cwd=REPOSITORY,
        env={"PATH": os.environ["PATH"]},
        input=json.dumps(description),
        capture_output=True,
        text=True,
        check=True,
    )

    kept = (REPOSITORY / "web" / "src" / "api-types.ts").read_text(encoding="utf-8")
    assert made.stdout == kept, "the API has changed: npm run types"
