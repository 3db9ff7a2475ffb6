"""The secrets of one embedded stack: made at its first start, kept in one file, never in the code.

The file also carries the addresses, so that it is the complete environment of a function, a job or a client:
`set -a; . .rowcast/env` is all a shell needs.
"""

import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from api._stack.settings import Settings

ADMIN_EMAIL = "admin@rowcast.local"

_GENERATORS: dict[str, Callable[[], str]] = {
    "SUPABASE_PUBLISHABLE_KEY": lambda: f"sb_publishable_{secrets.token_urlsafe(24)}",
    "SUPABASE_SECRET_KEY": lambda: f"sb_secret_{secrets.token_urlsafe(32)}",
    "SUPABASE_JWT_SECRET": lambda: secrets.token_urlsafe(48),
    "KV_REST_API_TOKEN": lambda: secrets.token_urlsafe(32),
    "ROWCAST_DATABASE_PASSWORD": lambda: secrets.token_urlsafe(24),
    "ROWCAST_SUPABASE_LITE_PASSWORD": lambda: secrets.token_urlsafe(24),
    "ROWCAST_REDIS_PASSWORD": lambda: secrets.token_urlsafe(24),
    "ROWCAST_ADMIN_EMAIL": lambda: ADMIN_EMAIL,
    "ROWCAST_ADMIN_PASSWORD": lambda: secrets.token_urlsafe(18),
}


_LIMITS = tuple(f"ROWCAST_LIMIT_{name}" for name in ("KEY", "USER", "ADDRESS", "ANONYMOUS", "CREDENTIALS"))
_UNLIMITED = "1000000000"
"""One person's own machine is not shared with strangers."""


@dataclass(frozen=True)
class Secrets:
    """What the services of one stack use to recognise each other and their administrator."""

    publishable_key: str
    secret_key: str
    jwt_secret: str
    kv_token: str
    database_password: str
    supabase_lite_password: str
    redis_password: str
    admin_email: str
    admin_password: str


def load(settings: Settings) -> Secrets:
    """Read the stack's secrets, making those that are not there yet."""
    kept = read_env(settings.env_file)
    values = {name: kept.get(name) or generate() for name, generate in _GENERATORS.items()}
    known = Secrets(*values.values())
    complete = {**kept, **values, **environ(settings, known)}
    if complete != kept:
        write_env(settings.env_file, complete)
    return known


def environ(settings: Settings, known: Secrets) -> dict[str, str]:
    """Compose the variables that functions, jobs and clients read."""
    database = f"postgresql://postgres:{known.database_password}@127.0.0.1:{settings.ports.database}/postgres"
    return {
        "SUPABASE_URL": settings.supabase_url,
        "SUPABASE_PUBLIC_URL": settings.site_url,
        "SUPABASE_PUBLISHABLE_KEY": known.publishable_key,
        "SUPABASE_SECRET_KEY": known.secret_key,
        "SUPABASE_JWT_SECRET": known.jwt_secret,
        "DATABASE_URL": database,
        "KV_REST_API_URL": settings.kv_url,
        "KV_REST_API_TOKEN": known.kv_token,
        "ROWCAST_SITE_URL": settings.site_url,
        "ROWCAST_API_URL": settings.site_url,
        **{name: os.environ.get(name, _UNLIMITED) for name in _LIMITS},
        # Who tries webhooks out here has the receiver on this machine too.
        "ROWCAST_PRIVATE_RECEIVERS": os.environ.get("ROWCAST_PRIVATE_RECEIVERS", "1"),
    }


def read_env(path: Path) -> dict[str, str]:
    """Read dotenv lines; a missing file is an empty one."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    pairs = (line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    return {name.strip(): value.strip() for name, value in pairs}


def write_env(path: Path, values: Mapping[str, str]) -> None:
    """Replace the file as a whole, so that a reader never sees half of it; only the owner may read it."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write("# Written by ./rowcast up. Secrets of this machine's stack: keep them here.\n")
        file.writelines(f"{name}={value}\n" for name, value in values.items())
    draft.replace(path)
