"""One way to run commands, and a table to train on."""

import functools
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from api._commands.doctor.subject import Subject
from tests.cli.command import Run, run_in
from tests.conftest import RunningStack, User


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Return a function that runs one command in an empty folder of the test."""
    return functools.partial(run_in, tmp_path)


@pytest.fixture(scope="session")
def cli_environ(stack: RunningStack, site_url: str, analyst: User) -> dict[str, str]:
    """Return what an analyst's shell holds to reach the stack."""
    return {
        "ROWCAST_API_URL": site_url,
        "SUPABASE_URL": stack.supabase_url,
        "SUPABASE_PUBLISHABLE_KEY": stack.environ["SUPABASE_PUBLISHABLE_KEY"],
        "ROWCAST_EMAIL": analyst.email,
        "ROWCAST_PASSWORD": analyst.password,
    }


@pytest.fixture(scope="session")
def flowers() -> str:
    """Compose a mixed table whose label can be learned: numbers with gaps, a category, a boolean."""
    chance = random.Random(7)
    lines = ["length,width,island,wild,kind"]
    for _ in range(300):
        kind = chance.choice(["rose", "tulip", "lily"])
        centre = {"rose": 2.0, "tulip": 5.0, "lily": 8.0}[kind]
        length = "" if chance.random() < 0.05 else f"{chance.gauss(centre, 0.8):.2f}"
        island = chance.choice(["North", "South", "" if kind == "rose" else "East"])
        lines.append(f"{length},{chance.gauss(3, 1):.2f},{island},{chance.choice(['true', 'false'])},{kind}")
    return "\n".join(lines) + "\n"


@pytest.fixture
def embedded(stack: RunningStack) -> Callable[..., Subject]:
    """Describe the real stack, with other variables or another way to it where a fault wants them."""
    return lambda transport=None, **environ: Subject({**stack.environ, **environ}, "embedded", transport=transport)
