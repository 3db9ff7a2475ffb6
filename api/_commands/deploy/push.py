"""`rowcast deploy push`: build here, byte-code compiled, and deploy what was built."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from api._commands.deploy import answers, programs
from api._commands.deploy.slim import slim
from api._commands.deploy.smoke import smoke
from api._commands.errors import CliError
from api._commands.steps import Steps
from api._stack.settings import REPOSITORY

OUTPUT = REPOSITORY / ".vercel" / "output"
NEEDED = ("VERCEL_TOKEN", "VERCEL_ORG_ID", "VERCEL_PROJECT_ID")
_ADDRESS = re.compile(r"https://[a-z0-9.-]+\.[a-z]+")

Production = Annotated[
    bool, typer.Option("--production", help="For everybody; without it a preview of its own address.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the commands and run none.")]
NoSmoke = Annotated[bool, typer.Option("--smoke/--no-smoke", help="Try the deployment afterwards.")]


def push(*, production: Production = False, dry_run: DryRun = False, with_smoke: NoSmoke = True) -> int:
    """Build what is in this folder, deploy it to Vercel and try it. Prints the address."""
    known = answers.load(os.environ)
    steps = compose_steps(production=production)
    if dry_run:
        for words in steps:
            print(f"npx vercel {' '.join(words)}")
        return 0
    missing = [name for name in NEEDED if not known.get(name)]
    if missing:
        raise CliError(f"set {', '.join(missing)}, or run ./rowcast deploy first")
    # The platform compiles what it builds itself; built here, it would be compiled at each cold start instead.
    environ = {name: known[name] for name in NEEDED} | {"VERCEL_PYTHON_COMPILEALL": "1"}
    program, said = programs.vercel(), ""
    with Steps() as screen:
        for words in steps:
            screen.say(f"vercel {words[0]}")
            said = programs.run([*program, *words], environ=environ, seconds=programs.VERCEL_SECONDS)
            if words[0] == "build":
                slim(OUTPUT)
    addresses = _ADDRESS.findall(said)
    if not addresses:
        raise CliError("vercel deploy names no address")
    print(addresses[-1], flush=True)
    _tell_workflow(os.environ, addresses[-1])
    return smoke(addresses[-1]) if with_smoke else 0


def compose_steps(*, production: bool) -> list[list[str]]:
    """Compose the three commands, without their secrets: those are in the environment."""
    environment = "production" if production else "preview"
    prod = ["--prod"] if production else []
    return [
        ["pull", "--yes", f"--environment={environment}"],
        ["build", "--yes", *prod],
        ["deploy", "--prebuilt", "--yes", *prod],
    ]


def _tell_workflow(environ: Mapping[str, str], address: str) -> None:
    """Tell the next step of a GitHub workflow where it is."""
    if output := environ.get("GITHUB_OUTPUT"):
        with Path(output).open("a", encoding="utf-8") as file:
            file.write(f"url={address}\n")
