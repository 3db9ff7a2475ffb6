"""Models for the benchmark in a stack of its own: nothing of it reaches the registry that people use."""

import hashlib
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg

from api._commands.bench.servers import CLIENT_CORE, pin, threads_of
from api._commands.errors import CliError
from api._stack.settings import REPOSITORY, Ports, Settings
from api._stack.stack import Stack
from models.contract import Card

_GIVING_WAY = 10
"""Niceness of the servers that are not measured."""

_DOC_STRING_FIELD = b"\x32\x08"
"""Tag of `ModelProto.doc_string` and a length of eight bytes: appended, it makes another file of the same model."""


@dataclass(frozen=True)
class Sample:
    """One model file and its card."""

    model: bytes
    card: Card


@contextmanager
def running_stack() -> Iterator[Stack]:
    """Run the servers on ports and in a folder of their own, without a worker, and remove them."""
    with tempfile.TemporaryDirectory(prefix="rowcast-bench-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)  # the database runs as another user
        stack = Stack(
            Settings(home=Path(folder), ports=Ports.free(), is_durable=False), applications=(), on_event=lambda _: None
        )
        stack.start()
        _step_aside(os.getpid())
        try:
            yield stack
        finally:
            stack.stop()


def _step_aside(parent: int) -> None:
    """Keep the database and its doors, which elsewhere have a machine of their own, off the core of what is measured.

    They give way to the client, too, which has the other core and mostly waits. What they start later does as they do.
    """
    for process in psutil.Process(parent).children(recursive=True):
        pin(process.pid, CLIENT_CORE)
        for thread in threads_of(process.pid):
            with suppress(ProcessLookupError, PermissionError):
                os.setpriority(os.PRIO_PROCESS, thread, _GIVING_WAY)


def make_key(environ: dict[str, str]) -> str:
    """Make an API key of somebody's for predicting, and return it."""
    name, secret = secrets.token_hex(4), secrets.token_hex(16)
    key = f"rc_{name}_{secret}"
    headers = {"apikey": environ["SUPABASE_PUBLISHABLE_KEY"]}
    with httpx.Client(base_url=environ["SUPABASE_URL"], headers=headers, trust_env=False, timeout=30) as auth:
        order = {"email": "bench@example.com", "password": secrets.token_urlsafe(16)}
        person = auth.post("/auth/v1/signup", json=order).raise_for_status().json()["user"]["id"]
    with psycopg.connect(environ["DATABASE_URL"]) as connection:
        connection.execute(
            "insert into public.api_keys (owner_id, name, prefix, hash, scopes) values (%s, 'bench', %s, %s, '{predict}')",
            (person, name, hashlib.sha256(key.encode()).hexdigest()),
        )
    return key


def make_samples(folder: Path) -> dict[str, Sample]:
    """Fit the two pipelines that the peers serve, too, with scikit-learn: in a process of its own, which ends with it.

    Returns:
        By name: m1, a forest of 100 trees on 30 numbers; m2, boosted trees on 6 numbers and 5 words.
    """
    command = [sys.executable, "-m", "tests.bench.peers.pipelines", str(folder)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CliError(f"the models of the benchmark could not be made: {done.stderr.strip().splitlines()[-1]}")
    return {
        each.name: Sample(
            (each / "model.onnx").read_bytes(), Card.model_validate_json((each / "card.json").read_bytes())
        )
        for each in sorted(folder.iterdir())
    }


def vary(sample: Sample, number: int) -> Sample:
    """Make another file of the same model: another digest, the same answers."""
    content = sample.model + _DOC_STRING_FIELD + b"%08d" % number
    card = sample.card.model_copy(update={"digest": _digest(content), "size_bytes": len(content)})
    return Sample(content, card)


def publish(environ: dict[str, str], samples: dict[str, Sample]) -> None:
    """Put models into the registry as champions, by slug."""
    headers = {"apikey": environ["SUPABASE_SECRET_KEY"]}
    with (
        psycopg.connect(environ["DATABASE_URL"]) as connection,
        httpx.Client(base_url=environ["SUPABASE_URL"], headers=headers, trust_env=False, timeout=30) as storage,
    ):
        for slug, sample in samples.items():
            _insert(connection, slug, sample)
            for name, content in (("model.onnx", sample.model), ("card.json", sample.card.model_dump_json().encode())):
                path = f"/storage/v1/object/models/{sample.card.digest}/{name}"
                storage.post(
                    path, content=content, headers={"content-type": "application/octet-stream"}
                ).raise_for_status()


class Feed:
    """Rows that the model was never asked before: the card's examples, one number a little different in each."""

    def __init__(self, sample: Sample) -> None:
        self._examples = sample.card.examples
        self._number = next((feature.name for feature in sample.card.features if feature.kind == "number"), None)
        self._given = 0

    def take(self, count: int) -> list[dict[str, Any]]:
        """Give so many new rows."""
        rows = []
        for index in range(self._given, self._given + count):
            row = dict(self._examples[index % len(self._examples)])
            if self._number:
                row[self._number] = round(float(row.get(self._number) or 1.0) * (1 + index * 1e-8), 9)
            rows.append(row)
        self._given += count
        return rows


def _insert(connection: psycopg.Connection[Any], slug: str, sample: Sample) -> None:
    card = sample.card
    made = connection.execute(
        "insert into public.models (slug, title, task, target, visibility) values (%s, %s, %s, %s, 'public') returning id",
        (slug, card.title or slug, card.task, card.target),
    ).fetchone()
    assert made is not None
    version = connection.execute(
        "insert into public.versions (model_id, number, digest, card, size_bytes) values (%s, 1, %s, %s, %s) returning id",
        (made[0], card.digest, card.model_dump_json(), card.size_bytes),
    ).fetchone()
    assert version is not None
    connection.execute(
        "insert into public.aliases (model_id, name, version_id) values (%s, 'champion', %s)", (made[0], version[0])
    )


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
