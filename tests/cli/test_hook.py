"""Hooks from the command line, against the real stack."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.api.conftest import Publisher
from tests.api.tiny import build
from tests.cli.command import Run
from tests.conftest import RunningStack, User


@pytest.fixture
def environ(stack: RunningStack, site_url: str, analyst: User) -> dict[str, str]:
    """Be the analyst."""
    account = {"ROWCAST_EMAIL": analyst.email, "ROWCAST_PASSWORD": analyst.password}
    return {**stack.environ, **account, "ROWCAST_API_URL": site_url}


@pytest.fixture
def model(stack: RunningStack, analyst: User, unique: str) -> str:
    """Publish a model of the analyst's."""
    Publisher(stack).publish(unique, build(unique), owner=analyst, visibility="private")
    return unique


@pytest.fixture
def call(run: Run, environ: dict[str, str]) -> Callable[..., str]:
    """Run a command that must succeed and return what it prints."""

    def call_it(*words: str) -> str:
        done = run(*words, environ=environ)
        assert done.returncode == 0, done.stderr
        return str(done.stdout)

    return call_it


def test_hook_from_its_opening_to_its_end(
    call: Callable[..., str], run: Run, environ: dict[str, str], model: str, tmp_path: Path
):
    """Created with its secret, listed, tried, given a new secret, closed."""
    made = json.loads(call("hook", "create", "--model", model, "--name", "Shop", "--json"))
    assert made["secret"].startswith("whsec_")
    payload = tmp_path / "payload.json"
    payload.write_text('{"type": "x", "data": {"length": 1, "width": 2}}')

    assert "Shop" in call("hook", "list")
    assert '"label": "Chinstrap"' in call("hook", "test", made["id"], str(payload))
    payload.write_text('{"type": "x", "data": {"length": "long"}}')
    refused = run("hook", "test", made["id"], str(payload), environ=environ)
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    assert "#/data/length" in refused.stderr
    rotated = call("hook", "rotate", made["id"], "--overlap-hours", "1").split()[0]
    assert rotated.startswith("whsec_")
    assert rotated != made["secret"]
    call("hook", "delete", made["id"])
    assert made["id"] not in call("hook", "list")


def test_attach_writes_one_file_and_says_what_to_do(call: Callable[..., str], model: str, tmp_path: Path):
    """The secret is printed, and is not in the file."""
    said = call("hook", "attach", "public.customers", "--model", model, "--on-update")

    (file,) = tmp_path.glob("*_rowcast_customers.sql")
    sql = file.read_text()
    assert 'alter table "public"."customers" add column' in sql
    assert "referencing old table as previous" in sql
    assert "select rowcast.connect(" in said
    secret = said.split("whsec_")[1].split("'")[0]
    assert secret not in sql


@pytest.fixture
def detached(stack: RunningStack) -> Iterator[None]:
    """Take away what attaching leaves in the database."""
    yield
    with stack.connect() as connection:
        connection.execute("drop schema if exists rowcast cascade")


def test_attach_applies_all_or_nothing(
    detached: None, call: Callable[..., str], run: Run, environ: dict[str, str], model: str, stack: RunningStack
):
    """A table that does not fit is refused in one line and leaves no hook; one that does is attached and connected."""
    with stack.connect() as connection:
        connection.execute(f"create table public.{model} (id bigint primary key, width int, island text)")
    words = ("hook", "attach", f"public.{model}", "--model", model, "--apply")

    refused = run(*words, environ=environ)
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    assert 'no column "length"' in refused.stderr
    assert model not in call("hook", "list")
    with stack.connect() as connection:
        connection.execute(f"alter table public.{model} add column length float8")
    assert "Applied" in call(*words)
    with stack.connect() as connection:
        connection.execute(f"insert into public.{model} (id, length, width) values (1, 1, 2)")
        queued = connection.execute("select payload #>> '{data,table}' from rowcast.outbox").fetchall()
    assert (f"public.{model}",) in queued
