"""What Lighthouse says of the built site, served with the headers and the packing it is deployed with."""

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserType

from api._stack import tools
from tests.e2e.conftest import Published

pytestmark = [pytest.mark.stack, pytest.mark.browser, pytest.mark.timeout(300)]

GOOD = 0.95
SCRIPT = Path(__file__).with_name("lighthouse.mjs")


@pytest.fixture
def debugging_port(browser_type: BrowserType, browser_type_launch_args: dict[str, Any]) -> Iterator[int]:
    """Open a Chromium that another program can drive, through a port."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = int(found.getsockname()[1])
    flags = [*browser_type_launch_args["args"], f"--remote-debugging-port={port}"]
    browser = browser_type.launch(**{**browser_type_launch_args, "args": flags})
    yield port
    browser.close()


def test_lighthouse_finds_nothing_to_better(debugging_port: int, base_url: str, published: Published) -> None:
    """Performance on a phone, accessibility, best practices and SEO score 95 or more, the last three without a remark."""
    pages = [
        {"url": f"{base_url}/", "skipped": []},
        {"url": f"{base_url}/models/{published.penguins}", "skipped": []},
        # Search engines are kept away from it, which is no fault.
        {"url": f"{base_url}/sign-in", "skipped": ["is-crawlable"]},
    ]
    done = subprocess.run(
        [tools.node(), SCRIPT, str(debugging_port), json.dumps(pages)],
        cwd=SCRIPT.parent,
        env={**os.environ, "NODE_NO_WARNINGS": "1"},
        stdout=subprocess.PIPE,
        timeout=240,
        check=True,
    )
    reports = json.loads(done.stdout)

    assert len(reports) == len(pages)
    for report in reports:
        assert report["wanting"] == [], report["url"]
        assert {name for name, score in report["scores"].items() if score < GOOD} == set(), report
