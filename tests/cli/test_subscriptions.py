"""Webhooks out from the command line: subscribe, test, look, send again, end."""

import json
import re

import pytest

from tests.cli.command import Run
from tests.receiver import Receiver

pytestmark = [pytest.mark.stack]


def test_life_of_a_subscription(cli_environ, run: Run):
    """Each command says what it did; a receiver that is broken is told and ends the test command with 1."""

    def call(*words: str, code: int = 0) -> str:
        done = run("subscription", *words, environ=cli_environ)
        assert done.returncode == code, done.stderr
        return done.stdout or done.stderr

    with Receiver() as receiver:
        created = call("create", receiver.url("/in"), "--event", "quota.near", "--event", "drift.detected")
        subscription, secret = created.split()[0], re.search(r"whsec_\S+", created)[0]
        assert "delivered: answered 200" in call("test", subscription)
        assert receiver.requests[0].verify(secret)["type"] == "subscription.test"
        assert "good" in next(line for line in call("list").splitlines() if subscription in line)
        receiver.behaviours["/in"] = _broken
        assert "failed: The receiver answered 500" in call("test", subscription, code=1)
        (failed, _) = json.loads(call("deliveries", subscription, "--json"))
        assert failed["state"] == "failed"
        assert "1 is sent again" in call("replay", subscription, failed["id"])
        assert "0 are sent again" in call("replay", subscription, "--dead-since", "2026-01-01")
        assert "name the deliveries" in call("replay", subscription, code=1)
        assert re.search(r"whsec_\S+", call("rotate", subscription))[0] != secret
        assert "Switched off" in call("disable", subscription)
        assert "off: Switched off" in call("list")
        assert "Switched on" in call("enable", subscription)
        assert "is deleted" in call("delete", subscription)
        assert "no subscription" in call("test", subscription, code=1)


async def _broken(_, writer, __) -> None:
    writer.write(b"HTTP/1.1 500 X\r\ncontent-length: 0\r\n\r\n")
    await writer.drain()
