"""Our own processes: the site with the API, the worker, the dashboard."""

import os
import sys

import httpx
import psycopg

from api._stack import secrets, tools
from api._stack.processes import Service
from api._stack.secrets import Secrets
from api._stack.settings import REPOSITORY, Settings

DASHBOARD = REPOSITORY / "web" / "dashboard" / "streamlit_app.py"
_STACK_ONLY = ("_PORT", "ROWCAST_HOME", "ROWCAST_PYTHON", "ROWCAST_CHROMIUM")


def site_service(settings: Settings, known: Secrets) -> Service:
    """Describe the process with every router and the built site: one origin."""
    options = ["--host", "127.0.0.1", "--port", str(settings.ports.site), "--no-access-log", "--no-server-header"]
    options += ["--timeout-graceful-shutdown", "5"]
    environ = compose_environ(settings, known)
    del environ["DATABASE_URL"]  # functions reach the database through its HTTP door, here as when deployed
    return Service(
        name="site",
        command=[sys.executable, "-m", "uvicorn", "api._stack.server:app", *options],
        environ=environ,
        cwd=REPOSITORY,
        log=settings.logs / "site.log",
        is_ready=lambda: is_site_answering(settings),
        ready_seconds=60,
        stop_seconds=15,  # its last records may wait for the database, and then go to disk
    )


def worker_service(settings: Settings, known: Secrets) -> Service:
    """Describe the process that trains and does the other offline work."""
    environ = compose_environ(settings, known)
    return Service(
        name="worker",
        command=[sys.executable, "-m", "api._jobs.worker"],
        environ=environ,
        cwd=REPOSITORY,
        log=settings.logs / "worker.log",
        is_ready=lambda: has_worker(environ["DATABASE_URL"]),
        ready_seconds=60,
        stop_seconds=15,
    )


def dashboard_service(settings: Settings, known: Secrets) -> Service:
    """Describe the analysts' pages."""
    command = [sys.executable, "-m", "streamlit", "run", str(DASHBOARD), "--server.address", "127.0.0.1"]
    command += ["--server.port", str(settings.ports.dashboard), "--server.headless", "true"]
    command += ["--server.fileWatcherType", "none", "--browser.gatherUsageStats", "false"]
    environ = compose_environ(settings, known)
    for name in ("DATABASE_URL", "SUPABASE_SECRET_KEY", "SUPABASE_JWT_SECRET", "KV_REST_API_TOKEN", "KV_REST_API_URL"):
        del environ[name]  # the dashboard is a client like any other
    return Service(
        name="dashboard",
        command=command,
        environ=environ,
        cwd=REPOSITORY,
        log=settings.logs / "dashboard.log",
        is_ready=lambda: is_dashboard_answering(settings),
        ready_seconds=60,
    )


def compose_environ(settings: Settings, known: Secrets) -> dict[str, str]:
    """Compose what our processes see: surroundings, the product's own options, addresses and keys of this stack."""
    chosen = {
        name: value
        for name, value in os.environ.items()
        if name.startswith("ROWCAST_") and not name.endswith(_STACK_ONLY[0]) and name not in _STACK_ONLY
    }
    return {
        **tools.base_environ(),
        **chosen,
        **secrets.environ(settings, known),
        "ROWCAST_MODEL_CACHE_DIR": str(settings.home / "cache"),
        "ROWCAST_SPILL_DIR": str(settings.home / "spill"),
        "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": str(REPOSITORY),
    }


def is_site_answering(settings: Settings) -> bool:
    """Tell whether the API answers."""
    return _answers(f"{settings.site_url}/api/health")


def is_dashboard_answering(settings: Settings) -> bool:
    """Tell whether the dashboard answers."""
    return _answers(f"{settings.dashboard_url}/_stcore/health")


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5, trust_env=False).is_success
    except httpx.TransportError:
        return False


def has_worker(database_url: str) -> bool:
    """Tell whether a worker has shown itself in the last seconds."""
    query = "select 1 from procrastinate.procrastinate_workers where last_heartbeat > now() - interval '15 seconds'"
    try:
        with psycopg.connect(database_url, connect_timeout=2) as connection:
            return connection.execute(query).fetchone() is not None
    except psycopg.Error:
        return False
