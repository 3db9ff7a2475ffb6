"""`rowcast check`, `test` and `build`: the project's verbs, the same for people and for CI."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from api._commands import browser
from api._commands.errors import CliError
from api._stack import tools
from api._stack.interrupts import interruptible
from api._stack.settings import REPOSITORY

EXIT_FAILED = 1
EXIT_INTERRUPTED = 130
FAILURES = "ROWCAST_FAILURES"
CLOSING_SECONDS = 60.0

Pytest = Annotated[list[str] | None, typer.Argument(metavar="-- PYTEST", help="What pytest is to run.")]
Affected = Annotated[bool, typer.Option("--affected", help="Only the projects that a change concerns.")]
Base = Annotated[str, typer.Option(help="What --affected compares the work tree with.")]

_PYTEST = re.compile(r"^=+ .*\b(?:passed|failed|error|skipped)\b.* in [\d.:]+.*=+$|^\d+ (?:passed|failed).* in [\d.]+s")
_VITEST_FAILED = re.compile(r"⎯ Failed (?:Tests|Suites) \d+ ⎯")
_VITEST = re.compile(r"^\s*Tests\s+\S")
_PROJECT = re.compile(r"^\s*[\w-]+:(?:[\w-]+:)?\s")
_COUNT = re.compile(r"(\d+) (passed|failed|error|skipped)")
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def check(*, is_affected: Affected = False, base: Base = "main") -> int:
    """Check format, lint and types of everything, and what else can be told without running it."""
    return _run("check", base if is_affected else None).exit_code


def build() -> int:
    """Build what is deployed."""
    return _run("build").exit_code


def run_tests(arguments: Pytest = None, *, is_affected: Affected = False, base: Base = "main") -> int:
    """Run every check and every test: the real servers, a real browser, the rehearsed deployment.

    With --affected only what a change concerns is run, as for a pull request. What follows `--` is given to pytest instead: `./rowcast test -- tests/models -k coercion` runs a part.
    """
    started = time.monotonic()
    os.environ["ROWCAST_CHROMIUM"] = str(browser.require())
    if arguments:
        return _follow([sys.executable, "-m", "pytest", *arguments]).exit_code
    with tempfile.TemporaryDirectory(prefix="rowcast-test-") as folder:
        failures = Path(folder) / "failures.txt"
        os.environ[FAILURES] = str(failures)
        return _run_everything(started, base if is_affected else None, failures)


def _run_everything(started: float, since: str | None, failures: Path) -> int:
    """Run checks and tests, and say at the end what failed, for what was said by then fills thousands of lines."""
    checked = _run("check", since)
    if checked.is_interrupted:
        return EXIT_INTERRUPTED
    tested = _run("test", since)
    if tested.is_interrupted:
        return EXIT_INTERRUPTED
    if failures.exists():
        print(failures.read_text(encoding="utf-8"))
    for line in tested.site_failures:
        print(line)
    counts, words = tested.counts, {True: "pass", False: "fail"}
    print(f"\nThe checks {words[checked.exit_code == 0]}, the tests {words[tested.exit_code == 0]}", end="")
    print(f" ({time.monotonic() - started:.0f} s).")
    failed = counts["failed"] + counts["error"]
    print(f"{counts['passed']} passed, {failed} failed, {counts['skipped']} skipped", flush=True)
    if tested.exit_code == 0 and not counts["passed"] and since is None:
        raise CliError("no test was run")
    # Not Nx's own code: it ends with that of an interruption when a target was left out because another failed.
    return EXIT_FAILED if checked.exit_code or tested.exit_code else 0


class Outcome:
    """How a run of the verbs ended, and what its test runners counted."""

    def __init__(self) -> None:
        self.exit_code = 0
        self.is_interrupted = False
        self.counts: Counter[str] = Counter()
        self.site_failures: list[str] = []
        self._is_site_failing = False

    def read(self, line: str) -> None:
        """Take the closing line of a test runner into account, with or without the project's name before it."""
        plain = _PROJECT.sub("", _COLOURS.sub("", line)).strip()
        if _PYTEST.match(plain) or _VITEST.match(plain):
            for number, word in _COUNT.findall(plain.replace("errors", "error")):
                self.counts[word] += int(number)
        # Vitest tells its failures together, between these two lines; pytest's are kept by tests/failures.py.
        self._is_site_failing = bool(_VITEST_FAILED.search(plain)) or (
            self._is_site_failing and not plain.startswith("Test Files")
        )
        if self._is_site_failing:
            self.site_failures.append(plain)


def _run(target: str, since: str | None = None) -> Outcome:
    """Run one target of every project, two at a time; what they say is passed through line by line as it comes.

    With `since`, only of the projects that are concerned by what has changed from that commit to the work tree.
    """
    which = ["run-many"] if since is None else ["affected", f"--base={since}"]
    command = [str(tools.node()), str(tools.npm_command("nx")), *which, "--target", target, "--nxBail=false"]
    return _follow([*command, "--parallel=2", "--output-style", "stream"])


def _follow(command: list[str]) -> Outcome:
    outcome = Outcome()
    folders = [tools.node().parent, Path(sys.executable).parent, Path(sys.base_prefix) / "bin"]
    environ = {
        **os.environ,
        "PATH": os.pathsep.join([*map(str, folders), os.environ.get("PATH", os.defpath)]),
        "NX_DAEMON": "false",
        "NX_NO_CLOUD": "true",
        "NX_TUI": "false",
        "PYTHONUNBUFFERED": "1",
    }
    # What is started while we wait for signals does not ignore them, even if we were told to when started in the background.
    with interruptible():
        process = subprocess.Popen(
            command,
            cwd=REPOSITORY,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        assert process.stdout is not None
        try:
            for line in process.stdout:
                sys.stdout.write(line)
                sys.stdout.flush()
                outcome.read(line)
            outcome.exit_code = process.wait()
        except KeyboardInterrupt:
            # Told apart from a failure: Nx ends with this very code when a target was left out, too.
            outcome.exit_code, outcome.is_interrupted = EXIT_INTERRUPTED, True
            _end(process)
    return outcome


def _end(process: "subprocess.Popen[str]") -> None:
    """Pass a Ctrl-C on, once, so that tests can end their servers; those that take too long are made to."""
    for number in (signal.SIGINT, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=CLOSING_SECONDS)
            return
