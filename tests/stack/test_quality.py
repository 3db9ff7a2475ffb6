"""The closing summary of `./rowcast test`, and the browser it gets for the tests."""

import subprocess
import sys

import pytest

from api._commands import browser, quality
from api._commands.errors import CliError
from api._commands.quality import Outcome
from api._stack.settings import REPOSITORY

FAULTY = """
import warnings

class Left:
    def __init__(self):
        self.itself = self

    def __del__(self):
        warnings.warn("left open", ResourceWarning)

def test_leaving():
    import gc
    gc.disable()
    Left()

def test_sum():
    assert 1 + 1 == 3, 'the sum is off'
"""


@pytest.mark.parametrize(
    ("line", "counts"),
    [
        ("============ 56 passed in 10.74s ============", {"passed": 56}),
        (
            "\x1b[32m==== \x1b[32m\x1b[1m3 passed\x1b[0m, \x1b[33m1 skipped\x1b[0m in 1052.41s (0:17:32) ====\x1b[0m",
            {"passed": 3, "skipped": 1},
        ),
        ("=== 1 failed, 2 passed, 3 errors in 0.10s ===", {"failed": 1, "passed": 2, "error": 3}),
        ("5 passed in 0.12s", {"passed": 5}),
        ("models: ===== 171 passed, 369 deselected in 7.47s =====", {"passed": 171}),
        ("tests:test-jobs: === 2 failed in 7.47s ===", {"failed": 2}),
        ("      Tests  107 passed (107)", {"passed": 107}),
        ("web:       \x1b[2mTests\x1b[22m  107 passed (107)", {"passed": 107}),
        ("      Tests  2 failed | 105 passed (107)", {"failed": 2, "passed": 105}),
        (" Test Files  8 passed (8)", {}),
        ("the run said: 3 passed checks", {}),
    ],
)
def test_closing_lines_of_the_runners_are_counted(line, counts):
    """The closing lines of pytest and vitest count, in colour or not; other lines with such words do not."""
    outcome = Outcome()

    outcome.read(line)

    assert dict(outcome.counts) == counts


def test_what_failed_on_the_site_is_kept_for_the_end():
    outcome = Outcome()
    said = [
        "✓ fine",
        "⎯⎯⎯⎯⎯⎯⎯ Failed Tests 1 ⎯⎯⎯⎯⎯⎯⎯",
        "FAIL  ../tests/web/numbers.test.ts > rounds",
        " Test Files  1 failed (8)",
    ]

    for line in said:
        outcome.read(f"web: \x1b[31m{line}\x1b[39m\n")

    assert outcome.site_failures == said[1:3]


def test_a_failed_test_is_told_once_more_at_the_end(tmp_path, monkeypatch, capsys):
    """What a test said when it failed is the last that is printed; Nx's own exit code of a part left out is not passed on."""
    told = {"check": "", "test": "=== 1 failed, 2 passed in 0.10s ==="}
    faulty = tmp_path / "test_faulty.py"
    faulty.write_text(FAULTY, encoding="utf-8")

    def run(target: str, since: str | None) -> Outcome:
        assert since is None
        outcome = Outcome()
        outcome.read(told[target])
        if target == "test":
            command = [
                sys.executable,
                "-m",
                "pytest",
                f"--rootdir={tmp_path}",
                "-p",
                "tests.failures",
                "-p",
                "no:cacheprovider",
                "--override-ini=filterwarnings=error",
            ]
            subprocess.run([*command, str(faulty)], cwd=REPOSITORY, check=False, capture_output=True)
            outcome.exit_code = 130
        return outcome

    monkeypatch.setenv(quality.FAILURES, "")  # put back afterwards
    monkeypatch.setattr(quality, "_run", run)
    monkeypatch.setattr(quality.browser, "require", lambda: faulty)

    exit_code = quality.run_tests()

    said = capsys.readouterr().out
    assert exit_code == 1
    assert "test_faulty.py::test_sum\n" in said
    assert "AssertionError: the sum is off" in said
    assert "FAILED after the last test\n" in said
    assert "ResourceWarning: left open" in said
    assert said.endswith("2 passed, 1 failed, 0 skipped\n")


def test_the_named_browser_is_taken_or_refused(monkeypatch, tmp_path):
    program = tmp_path / "chromium"
    monkeypatch.setenv("ROWCAST_CHROMIUM", str(program))
    with pytest.raises(CliError, match="which is no program"):
        browser.require()

    program.touch(mode=0o755)

    assert browser.require() == program


def test_a_downloaded_browser_is_found(monkeypatch, tmp_path):
    """Where the system has none, the newest that Playwright has downloaded is taken."""
    for number in ("1100", "1200"):
        program = tmp_path / f"chromium-{number}" / "chrome-linux64" / "chrome"
        program.parent.mkdir(parents=True)
        program.touch(mode=0o755)
    monkeypatch.delenv("ROWCAST_CHROMIUM", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path))

    assert browser.find() == tmp_path / "chromium-1200" / "chrome-linux64" / "chrome"


def test_no_browser_and_no_way_to_one_is_said_in_one_line(monkeypatch, tmp_path):
    monkeypatch.delenv("ROWCAST_CHROMIUM", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path))
    monkeypatch.setattr(browser, "_ways", lambda: [[["false"]]])

    with pytest.raises(CliError, match=r"install it .* or name it in ROWCAST_CHROMIUM"):
        browser.require()
