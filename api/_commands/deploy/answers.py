"""What is known about one deployment: the answers of its set-up in one file that only their owner can read, and the environment.

The file is `.rowcast/deploy.env`. It is git-ignored, and nothing else of the set-up is written anywhere.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from api._stack.secrets import read_env
from api._stack.settings import Settings

HEADING = "# Written by ./rowcast deploy. Secrets of your deployment: keep them here, and out of the repository.\n"
DONE = "ROWCAST_DEPLOY_DONE"
"""Which steps were carried out, by name."""

FAMILY = {"UPSTASH_REDIS_REST_URL": "KV_REST_API_URL", "UPSTASH_REDIS_REST_TOKEN": "KV_REST_API_TOKEN"}
"""Upstash's own names, and those under which Vercel's integration sets the same."""


def find_file(environ: Mapping[str, str]) -> Path:
    """Name the file of answers."""
    return Settings.load(environ).home / "deploy.env"


def load(environ: Mapping[str, str]) -> dict[str, str]:
    """Read the answers; what the environment says wins, as in CI, where there is no file."""
    return {**read_env(find_file(environ)), **{name: value for name, value in environ.items() if value}}


def read(environ: Mapping[str, str], names: Mapping[str, object]) -> dict[str, str]:
    """Read the answers to these questions only; either family of Upstash's names is taken."""
    everything = load(environ)
    for own, ours in FAMILY.items():
        if own in everything:
            everything.setdefault(ours, everything[own])
    return {name: everything[name] for name in (*names, DONE) if everything.get(name)}


def write(path: Path, values: Mapping[str, str]) -> None:
    """Replace the file as a whole; only the owner may read it, from its first byte on."""
    path.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(HEADING)
        file.writelines(f"{name}={value}\n" for name, value in sorted(values.items()))
    draft.replace(path)
