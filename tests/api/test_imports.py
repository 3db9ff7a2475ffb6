"""What a function loads before its first request: nothing that only some requests need."""

import subprocess
import sys
from pathlib import Path

import pytest

from api._lib.routers import FOLDER

REPOSITORY = Path(__file__).resolve().parents[2]
ROUTERS = sorted(path.stem for path in FOLDER.glob("*.py") if not path.stem.startswith("_"))
ONLY_SOMETIMES = {
    "httpx": "for the database, with the first call",
    "jwt": "for the first access token",
    "cryptography": "for the first access token",
    "structlog": "with the first log line, which follows the first answer",
    "upstash_redis": "where a key-value store is asked",
    "uvicorn": "the platform serves",
    "redis": "never",
}


@pytest.mark.parametrize("router", ROUTERS)
def test_function_starts_without_what_it_may_not_need(router: str):
    """A cold start pays for the framework, for pydantic, and for the engine where there is one."""
    code = f"import sys, api.{router}; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)

    assert set(done.stdout.split()) & set(ONLY_SOMETIMES) == set()
