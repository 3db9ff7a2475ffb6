"""`rowcast status` and `rowcast logs`: what runs here, how it is, and what it says."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

from api._commands.errors import CliError
from api._commands.listing import AsJson
from api._stack import secrets, state
from api._stack.settings import REPOSITORY, Ports, Settings
from api._stack.state import State

FOLLOW_SECONDS = 0.25

Service = Annotated[str, typer.Argument(metavar="[SERVICE]", help="database, redis, kv, supabase, site, worker, …")]
Follow = Annotated[bool, typer.Option("--follow", "-f", help="Go on showing what is said.")]
Lines = Annotated[int, typer.Option("--lines", "-n", min=0, help="How many lines of each service to begin with.")]


def status(*, as_json: AsJson = False) -> int:
    """Show what runs here. Exit code 0 means that everything runs and answers."""
    settings = Settings.load()
    current = state.read_running(settings)
    report = compose_report(settings, current)
    if as_json:
        print(json.dumps(report, indent=2))
    elif current is None:
        print("Rowcast is not running here; ./rowcast up starts it.")
    else:
        settings = Settings(home=settings.home, ports=Ports(**current.ports))
        print(f"{describe(settings)}\n")
        for name, each in report["services"].items():
            again = f", restarted {each['restarts']} times" if each["restarts"] else ""
            print(f"  {name:<10} {'ok' if each['is_healthy'] else 'not answering':<14} pid {each['pid']}{again}")
    return 0 if report["is_healthy"] else 1


def logs(service: Service = "", *, follow: Follow = False, lines: Lines = 40) -> None:
    """Show what the services say; secrets are blotted out."""
    settings = Settings.load()
    files = {path.stem: path for path in sorted(settings.logs.glob("*.log")) if path.stem not in {"install", "cli"}}
    if service and service not in files:
        raise CliError(f"there is no log of {service!r}; there are {', '.join(files) or 'none yet'}")
    chosen = {service: files[service]} if service else files
    blot = _make_blotter(settings)
    opened = {name: path.open(encoding="utf-8", errors="replace") for name, path in chosen.items()}
    for name, file in opened.items():
        for line in file.readlines()[-lines:] if lines else _skip(file):
            print(_label(name, service), blot(line), end="", sep="")
    while follow:
        for name, file in opened.items():
            for line in file:
                print(_label(name, service), blot(line), end="", sep="", flush=True)
        time.sleep(FOLLOW_SECONDS)


def describe(settings: Settings) -> str:
    """List the addresses for people."""
    known = secrets.load(settings)
    env_file = settings.env_file
    shown = env_file.relative_to(Path.cwd()) if env_file.is_relative_to(Path.cwd()) else env_file
    return "\n".join(
        [
            f"  Site       {settings.site_url}",
            f"  API        {settings.site_url}/api/models",
            f"  Dashboard  {settings.dashboard_url}",
            f"  Supabase   {settings.supabase_url}",
            f"  Sign in    {known.admin_email}, password in {shown} (ROWCAST_ADMIN_PASSWORD)",
        ]
    )


def compose_report(settings: Settings, current: State | None) -> dict[str, Any]:
    """Gather what a program may want to know. Secrets stay in their file; the publishable key is none."""
    if current is None:
        return {"is_running": False, "is_ready": False, "is_healthy": False, "home": str(settings.home)}
    settings = Settings(home=settings.home, ports=Ports(**current.ports))
    known = secrets.load(settings)
    healthy = _probe(settings, current)
    return {
        "is_running": True,
        "is_ready": current.is_ready,
        "is_healthy": current.is_ready and all(healthy.values()),
        "home": str(settings.home),
        "started_at": current.started_at,
        "urls": {
            "site": settings.site_url,
            "api": f"{settings.site_url}/api",
            "dashboard": settings.dashboard_url,
            "supabase": settings.supabase_url,
            "kv": settings.kv_url,
        },
        "keys": {"publishable": known.publishable_key, "secrets_file": str(settings.env_file)},
        "admin_email": known.admin_email,
        "supervisor_pid": current.supervisor.pid,
        "services": {
            name: {"pid": each.pid, "is_healthy": healthy[name], "restarts": current.restarts.get(name, 0)}
            for name, each in current.processes.items()
        },
        "versions": _versions(),
    }


def require_running() -> Settings:
    """Return the settings of the stack that runs here, with the ports it really uses."""
    settings = Settings.load()
    current = state.read_running(settings)
    if current is None:
        raise CliError("Rowcast is not running here; start it with ./rowcast up")
    return Settings(home=settings.home, ports=Ports(**current.ports))


def _probe(settings: Settings, current: State) -> dict[str, bool]:
    from api._stack import applications, database, kv, supabase_lite

    known = secrets.load(settings)
    url = secrets.environ(settings, known)["DATABASE_URL"]
    probes: dict[str, Callable[[], bool]] = {
        "database": lambda: database.is_answering(url),
        "redis": lambda: kv.is_listening(settings.ports.redis),
        "kv": lambda: kv.is_answering(settings, known),
        "supabase": lambda: supabase_lite.is_answering(settings),
        "site": lambda: applications.is_site_answering(settings),
        "worker": lambda: applications.has_worker(url),
        "dashboard": lambda: applications.is_dashboard_answering(settings),
    }
    with ThreadPoolExecutor() as pool:
        answers = {name: pool.submit(probes[name]) for name in current.processes}
        return {name: current.processes[name].is_alive() and each.result() for name, each in answers.items()}


def _versions() -> dict[str, str]:
    from api._lib import VERSION
    from api._stack import tools

    servers = {
        "postgres": tools.postgres_install() / "bin" / "postgres",
        "redis": tools.redis_server(),
        "node": tools.node(),
    }
    packages = ("fastapi", "onnxruntime", "procrastinate", "streamlit")
    lite = json.loads((REPOSITORY / "node_modules" / "@supabase" / "lite" / "package.json").read_text())
    return {
        "rowcast": VERSION,
        "python": sys.version.split()[0],
        **{name: _ask_version(server) for name, server in servers.items()},
        "supabase_lite": lite["version"],
        **{name: version(name) for name in packages},
    }


def _ask_version(server: Path) -> str:
    said = subprocess.run([server, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"\d+\.\d+(\.\d+)?", said)
    return found.group() if found else "unknown"


def _make_blotter(settings: Settings) -> Callable[[str], str]:
    public = {
        "SUPABASE_URL",
        "SUPABASE_PUBLIC_URL",
        "KV_REST_API_URL",
        "ROWCAST_SITE_URL",
        "ROWCAST_API_URL",
        "SUPABASE_PUBLISHABLE_KEY",
    }
    kept = secrets.read_env(settings.env_file)
    hidden = [value for name, value in kept.items() if name not in public and not name.endswith("_EMAIL")]

    def blot(line: str) -> str:
        for value in hidden:
            line = line.replace(value, "********")
        return line

    return blot


def _label(name: str, only: str) -> str:
    return "" if only else f"{name:<10} "


def _skip(file: TextIO) -> Iterator[str]:
    file.seek(0, 2)
    return iter(())
