"""This machine: Python, Node, room on the disk, the stack's ports."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict

from api._commands.doctor.finding import Finding, fail, ok, skip, warn
from api._commands.doctor.subject import Subject
from api._stack import state, tools
from api._stack.errors import StackError
from api._stack.processes import port_holder
from api._stack.settings import Ports, Settings

LITTLE_GB, TOO_LITTLE_GB = 2.0, 0.5


def check_machine(subject: Subject) -> Iterator[Finding]:
    """Look at what everything here stands on."""
    python = ".".join(map(str, sys.version_info[:3]))
    wanted = (subject.root / "api" / ".python-version").read_text(encoding="utf-8").strip()
    if python.startswith(f"{wanted}."):
        yield ok("python", f"{python}, as the functions")
    else:
        yield ok("python", f"{python} here; the functions run {wanted}")
    yield _check_node()
    free = shutil.disk_usage(subject.root).free / 1e9
    fix = "make room: docker system prune, npm cache clean, old folders in ~/.cache"
    if free < TOO_LITTLE_GB:
        yield fail("disk", f"{free:.1f} GB are free", fix=fix)
    elif free < LITTLE_GB:
        yield warn("disk", f"{free:.1f} GB are free", fix=fix)
    else:
        yield ok("disk", f"{free:.0f} GB are free")


def check_stack(subject: Subject) -> Iterator[Finding]:
    """Tell whether the embedded stack runs, and if not, whether it could take its ports."""
    settings = Settings.load()
    current = state.read_running(settings)
    if current is not None:
        gone = [name for name, each in current.processes.items() if not each.is_alive()]
        if gone or not current.is_ready:
            said = f"not running: {', '.join(gone)}" if gone else "it is still starting"
            yield fail("stack", said, fix="./rowcast logs tells why; ./rowcast down and ./rowcast up start afresh")
        else:
            again = ", ".join(f"{name} {count}×" for name, count in current.restarts.items())
            yield ok("stack", f"{len(current.processes)} services run" + (f"; restarted: {again}" if again else ""))
        return
    if subject.kind == "hosted":
        yield skip("stack", "none runs here; the deployment that the variables name is looked at")
        return
    if subject.kind == "embedded" and subject.environ.get("ROWCAST_SITE_URL") != settings.site_url:
        yield skip("stack", "the variables name another stack than the one that is kept here")
        return
    taken = {name: holder for name, port in asdict(settings.ports).items() if (holder := port_holder(port))}
    if taken:
        name, holder = next(iter(taken.items()))
        yield fail(
            "ports",
            ", ".join(f"{getattr(settings.ports, each)} ({each}) is held by {who}" for each, who in taken.items()),
            fix=f"stop {holder}, or choose another port with {Ports.variable(name)}",
        )
    yield warn("stack", "no stack runs here", fix="./rowcast up starts it")


def _check_node() -> Finding:
    try:
        said = subprocess.run(
            [tools.node(), "--version"], capture_output=True, text=True, timeout=10, check=False, env=dict(os.environ)
        ).stdout
    except (StackError, OSError, subprocess.TimeoutExpired) as error:
        return fail(
            "node", f"does not run: {error}", fix="rm -r .venv and run any ./rowcast command: it installs it again"
        )
    found = re.search(r"\d+\.\d+\.\d+", said)
    return ok("node", f"{found[0] if found else said.strip()} (from the locked packages)")
