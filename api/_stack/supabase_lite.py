"""Supabase's rest, auth and storage doors, served by @supabase/lite in front of our PostgreSQL.

Its configuration is derived from `supabase/config.toml` at each start: the same file that the hosted project is
configured by, with this machine's port, database and keys put in.
"""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from api._stack import tools
from api._stack.processes import Service
from api._stack.secrets import Secrets
from api._stack.settings import REPOSITORY, Settings

PROJECT_CONFIG = REPOSITORY / "supabase" / "config.toml"
_KEPT = {
    "api": ("schemas", "extra_search_path", "max_rows"),
    "auth": ("site_url", "additional_redirect_urls", "jwt_expiry", "enable_signup", "minimum_password_length"),
    "storage": ("file_size_limit",),
}
"""Sections and keys taken over: lite refuses keys that it does not know."""


def service(settings: Settings, known: Secrets) -> Service:
    """Describe the server process, its configuration freshly written."""
    config = folder(settings) / "config.toml"
    config.parent.mkdir(mode=0o700, exist_ok=True)
    config.write_text(to_toml(compose_config(settings)), encoding="utf-8")
    script = tools.npm_package("@supabase/lite") / "dist" / "cli" / "index.js"
    login = f"supabase_lite:{known.supabase_lite_password}"
    return Service(
        name="supabase",
        command=[str(tools.node()), str(script), "start", "--no-admin", "--config", str(config)],
        environ={
            **tools.base_environ(),
            "HOME": str(config.parent),
            "DATABASE_URL": f"postgresql://{login}@127.0.0.1:{settings.ports.database}/postgres",
            "SUPABASE_PUBLISHABLE_KEY": known.publishable_key,
            "SUPABASE_SECRET_KEY": known.secret_key,
            "SUPABASE_JWT_SECRET": known.jwt_secret,
            "EXPERIMENTAL_STORAGE": "1",
            "LITE_TELEMETRY": "0",
            "DO_NOT_TRACK": "1",
            "NODE_ENV": "production",
        },
        cwd=config.parent,
        log=settings.logs / "supabase.log",
        is_ready=lambda: is_answering(settings) and has_read(settings, known),
    )


def folder(settings: Settings) -> Path:
    """Name the folder of the doors' configuration and of the stored objects."""
    return settings.home / "supabase"


def is_answering(settings: Settings) -> bool:
    """Tell whether the doors are open."""
    try:
        return not httpx.get(f"{settings.supabase_url}/auth/v1/health", timeout=2, trust_env=False).is_server_error
    except httpx.TransportError:
        return False


def has_read(settings: Settings, known: Secrets) -> bool:
    """Tell whether the door to the tables was gone through.

    Its first caller makes it grant what its roles need; of several first callers at once, one would be refused with a conflict.
    """
    address = f"{settings.supabase_url}/rest/v1/models?select=id&limit=0"
    try:
        answer = httpx.get(address, headers={"apikey": known.secret_key}, timeout=10, trust_env=False)
    except httpx.TransportError:
        return False
    return not answer.is_server_error and answer.status_code != httpx.codes.CONFLICT


def compose_config(settings: Settings) -> dict[str, Any]:
    """Take the project's configuration over and put this machine's addresses in."""
    project = tomllib.loads(PROJECT_CONFIG.read_text(encoding="utf-8")) if PROJECT_CONFIG.exists() else {}
    config: dict[str, Any] = {
        section: {key: project[section][key] for key in keys if key in project.get(section, {})}
        for section, keys in _KEPT.items()
    }
    config["api"] |= {"port": settings.ports.supabase}
    config["db"] = {"driver": "postgres", "url": "env(DATABASE_URL)"}
    config["auth"] |= {
        "enabled": True,
        "site_url": settings.site_url,
        "jwt_secret": "env(SUPABASE_JWT_SECRET)",
        "publishable_key": "env(SUPABASE_PUBLISHABLE_KEY)",
        "secret_key": "env(SUPABASE_SECRET_KEY)",
        "email": {"enable_confirmations": False},
    }
    config["storage"] |= {"enabled": True}
    return config


def to_toml(config: dict[str, Any]) -> str:
    """Write nested tables as TOML; strings, numbers, booleans and lists of them look as they do in JSON."""
    return "\n".join(_lines(config)) + "\n"


def _lines(table: dict[str, Any], path: str = "") -> Iterator[str]:
    if path:
        yield f"[{path}]"
    yield from (f"{key} = {json.dumps(value)}" for key, value in table.items() if not isinstance(value, dict))
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _lines(value, f"{path}.{key}" if path else key)
