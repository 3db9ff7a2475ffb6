"""Every environment variable that functions and jobs read: its name, type, default and what it is for.

One table, read once, on first use. `.env.example` lists the same variables; a test compares the two.
"""

import os
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from functools import cache
from typing import Any


class SettingsInvalid(Exception):
    """A variable holds something that cannot be meant; the message names it."""


def _env(*names: str, default: Any, help: str, from_platform: bool = False) -> Any:  # noqa: A002  the word of the table
    return field(default=default, metadata={"names": names, "help": help, "from_platform": from_platform})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What one deployment knows about itself. An empty text means: not there."""

    supabase_url: str = _env("SUPABASE_URL", default="", help="Address of the Supabase project")
    supabase_public_url: str = _env(
        "SUPABASE_PUBLIC_URL",
        default="",
        help="Address at which browsers sign in, where that is another one than SUPABASE_URL",
    )
    supabase_publishable_key: str = _env(
        "SUPABASE_PUBLISHABLE_KEY", default="", help="Public key of the project (sb_publishable_…)"
    )
    supabase_secret_key: str = _env(
        "SUPABASE_SECRET_KEY", default="", help="Secret key of the project (sb_secret_…); never in a browser"
    )
    supabase_jwt_secret: str = _env(
        "SUPABASE_JWT_SECRET",
        default="",
        help="Only for the embedded stack: access tokens are checked with this secret (HS256) instead of the project's "
        "published keys (ES256)",
    )
    database_url: str = _env("DATABASE_URL", default="", help="Postgres address for jobs; functions do not use it")
    kv_url: str = _env(
        "KV_REST_API_URL",
        "UPSTASH_REDIS_REST_URL",
        default="",
        help="Upstash Redis REST address; without it there is no shared cache",
    )
    kv_token: str = _env("KV_REST_API_TOKEN", "UPSTASH_REDIS_REST_TOKEN", default="", help="Upstash Redis REST token")
    kv_monthly_commands: int = _env(
        "ROWCAST_KV_MONTHLY_COMMANDS",
        default=400_000,
        help="Commands per month, all instances together, after which the key-value store is left alone",
    )
    site_url: str = _env("ROWCAST_SITE_URL", default="http://127.0.0.1:3000", help="Public address of site and API")
    cors_origins: tuple[str, ...] = _env(
        "ROWCAST_CORS_ORIGINS",
        default=("*",),
        help="Web origins that may call the API from a browser, separated by commas; * lets every page call it "
        "(it still needs a key or token of its own)",
    )
    limit_key: int = _env("ROWCAST_LIMIT_KEY", default=6_000, help="Requests per minute with one API key")
    limit_user: int = _env("ROWCAST_LIMIT_USER", default=1_200, help="Requests per minute of one signed-in person")
    limit_address: int = _env(
        "ROWCAST_LIMIT_ADDRESS", default=300, help="Requests per minute without a credential from one address"
    )
    limit_anonymous: int = _env(
        "ROWCAST_LIMIT_ANONYMOUS",
        default=20_000,
        help="Requests per day without a credential, from all addresses together",
    )
    limit_credentials: int = _env(
        "ROWCAST_LIMIT_CREDENTIALS",
        default=100,
        help="Wrong keys and tokens per minute from one address, after which unknown ones are no longer looked up",
    )
    private_receivers: bool = _env(
        "ROWCAST_PRIVATE_RECEIVERS",
        default=False,
        help="Whether webhooks may go to private addresses and over plain http: 1 on a machine of one's own, never where "
        "strangers subscribe",
    )
    cron_secret: str = _env(
        "CRON_SECRET", default="", help="What the platform's cron shows at /api/cron; without it nobody may call that"
    )
    log_level: str = _env("ROWCAST_LOG_LEVEL", default="info", help="debug, info, warning or error")
    model_cache_dir: str = _env(
        "ROWCAST_MODEL_CACHE_DIR",
        default="",
        help="Folder where downloaded models are kept; without it, one among the system's temporary files",
    )
    model_memory_mb: int = _env(
        "ROWCAST_MODEL_MEMORY_MB", default=512, help="Memory for opened models; the least recently used one goes first"
    )
    training_memory_mb: int = _env(
        "ROWCAST_TRAINING_MEMORY_MB",
        default=4096,
        help="Memory that one training may take; of a table that needs more, a random sample of the rows is used",
    )
    spill_dir: str = _env(
        "ROWCAST_SPILL_DIR",
        default="",
        help="Folder where logged predictions wait while the database does not take them; without it, one among the "
        "system's temporary files",
    )
    prediction_days: int = _env(
        "ROWCAST_PREDICTION_DAYS",
        default=90,
        help="Days after which logged predictions are deleted; counts, actuals and opinions stay",
    )
    log_max_mb: int = _env(
        "ROWCAST_LOG_MAX_MB",
        default=250,
        help="Space that logged predictions may take in the database; above it the oldest are deleted earlier",
    )
    is_on_vercel: bool = _env("VERCEL", default=False, help="Set by the platform", from_platform=True)
    commit: str = _env("VERCEL_GIT_COMMIT_SHA", default="", help="Set by the platform", from_platform=True)
    region: str = _env("VERCEL_REGION", default="", help="Set by the platform", from_platform=True)


def load_settings(environ: Mapping[str, str]) -> Settings:
    """Read the table from an environment; a variable that is absent or empty keeps its default.

    Raises:
        SettingsInvalid: a value does not fit its type, or a needed partner is missing.
    """
    values = {each.name: _parse(each, text) for each in fields(Settings) if (text := _find(each, environ))}
    loaded = Settings(**values)
    if loaded.log_level not in {"debug", "info", "warning", "error"}:
        raise SettingsInvalid(f"ROWCAST_LOG_LEVEL is {loaded.log_level!r}; use debug, info, warning or error")
    if loaded.supabase_url and not loaded.supabase_publishable_key:
        raise SettingsInvalid("SUPABASE_URL is set but SUPABASE_PUBLISHABLE_KEY is not; both are needed")
    if loaded.kv_url and not loaded.kv_token:
        raise SettingsInvalid("KV_REST_API_URL is set but KV_REST_API_TOKEN is not; both are needed")
    return loaded


@cache
def settings() -> Settings:
    """Return this process's settings, read on first use."""
    return load_settings(os.environ)


def _find(row: Field[Any], environ: Mapping[str, str]) -> str:
    return next((text for name in row.metadata["names"] if (text := environ.get(name, "").strip())), "")


def _parse(row: Field[Any], text: str) -> Any:
    match row.default:
        case bool():
            return text.lower() not in {"0", "false", "no"}
        case int():
            if not text.isdigit() or int(text) == 0:
                raise SettingsInvalid(f"{row.metadata['names'][0]} is {text!r}; use a whole number above 0")
            return int(text)
        case tuple():
            return tuple(part.strip().rstrip("/") for part in text.split(",") if part.strip())
        case _:
            return text.rstrip("/") if text.startswith("http") else text
