"""Keeps what each failed test said, for the closing summary of `./rowcast test`: its parts speak at the same time, for minutes."""

import os
import traceback
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

ENVIRONMENT = "ROWCAST_FAILURES"
KEPT_LINES = 60

_file: Path | None = None


def pytest_configure() -> None:
    """Read where failures are kept before a test clears the environment."""
    global _file  # noqa: PLW0603 — pytest's hooks are functions of a module
    named = os.environ.pop(ENVIRONMENT, None)
    _file = Path(named) if named else None


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Keep the failure of a test, or of what it needed before and after."""
    _keep(report, "" if report.when == "call" else f" ({report.when})")


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """Keep what could not even be read."""
    _keep(report, " (collecting)")


@pytest.hookimpl(wrapper=True)
def pytest_unconfigure() -> Generator[None, None, None]:
    """Keep what is found after the last test: a connection that a test left open, say."""
    try:
        yield
    except BaseException as error:
        _write("after the last test", "".join(traceback.format_exception(error)))
        raise


def _keep(report: Any, when: str) -> None:
    if report.failed:
        _write(f"{report.nodeid}{when}", report.longreprtext)


def _write(name: str, said: str) -> None:
    if _file is None:
        return
    lines = said.splitlines()
    # The end names the assertion; the beginning, where a long one is cut, the test's own lines only.
    shown = lines if len(lines) <= KEPT_LINES else ["…", *lines[-KEPT_LINES:]]
    with _file.open("a", encoding="utf-8") as file:
        file.write("\n".join([f"\nFAILED {name}", *(f"  {line}" for line in shown), ""]))
