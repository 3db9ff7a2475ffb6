"""The product's first promise: one command, and real tables have become models that answer."""

import re
import shlex
import signal
import subprocess
import time

import httpx
import pytest

from api._commands.seed import load_datasets
from tests.stack.conftest import wait_for

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(600)]


def test_the_first_start_trains_what_is_bundled_even_when_it_is_interrupted(machine):
    """Interrupted in the middle of training, `up` takes the same runs up again and ends with a line that predicts."""
    slugs = {each["slug"] for each in load_datasets()}
    process = machine.start("up")
    began = wait_for(lambda: machine.status().get("is_ready", False), 120) and wait_for(
        lambda: '"event":"run started"' in machine.run("logs", "worker").stdout, 120
    )
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)

    started = time.monotonic()
    done = machine.run("up", "--detach", seconds=240)
    seconds = time.monotonic() - started
    models = httpx.get(f"{machine.settings.site_url}/api/models").json()["models"]
    command = re.search(r"^  (curl .*)$", done.stdout, re.MULTILINE)
    assert command is not None, done.stdout + done.stderr
    answer = subprocess.run(shlex.split(command[1]), capture_output=True, text=True, check=True).stdout
    again = machine.run("up")

    print(f"second start with training: {seconds:.0f} s")
    assert began
    assert done.returncode == 0
    assert {each["slug"] for each in models} == slugs
    assert {each["champion"]["number"] for each in models} == {1}
    assert '"probabilities"' in answer
    assert again.returncode == 0
