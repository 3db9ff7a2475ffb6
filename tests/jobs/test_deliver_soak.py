"""Many deliveries, with faults on both sides: none is lost, none has its effect twice."""

import asyncio
import os
import random
import signal
import threading
import time
from collections import Counter
from datetime import UTC, datetime
from uuid import UUID

import pytest
from standardwebhooks.webhooks import Webhook

from tests.jobs.post_office import PostOffice
from tests.receiver import Request, answer

END_LEASES = """
update public.deliveries set leased_until = now()
where id in (select id from public.deliveries where leased_until > now() for update skip locked)
"""
END_WAITS = """
update public.deliveries set next_attempt_at = now()
where id in (select id from public.deliveries where state = 'failed' and next_attempt_at > now() for update skip locked)
"""
IS_FULL = os.environ.get("ROWCAST_SOAK") == "full"


class Effects:
    """What receivers do with messages: each id once, as the standard tells them; sometimes they fail."""

    def __init__(self, chance: random.Random) -> None:
        self.done: dict[str, Counter[str]] = {}
        self.bodies: dict[str, set[bytes]] = {}
        self.faults: Counter[str] = Counter()
        self._chance = chance
        self._lock = threading.Lock()

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Request) -> None:
        """Take a message, or misbehave in one of the ways that happen."""
        name, roll = request.headers["webhook-id"], self._chance.random()
        with self._lock:
            self.bodies.setdefault(name, set()).add(request.body)
        if roll < 0.04:
            self.faults["500"] += 1
            await answer(reader, writer, Request("/500", {}, b""))
            return
        if roll < 0.06:
            self.faults["reset"] += 1
            writer.transport.abort()
            raise OSError
        self.done.setdefault(request.path, Counter())[name] += 1
        if roll < 0.08:
            self.faults["lost answer"] += 1
            writer.transport.abort()
            raise OSError
        if roll < 0.12:
            self.faults["slow"] += 1
            await asyncio.sleep(0.1)
        await answer(reader, writer, Request("/200", {}, b""))


def _send_all(office: PostOffice, count: int, kills: int) -> int:
    """Let two workers at it, and kill one of them again and again, evenly spread over the work; return how often."""
    workers = [office.bench.start_worker() for _ in range(2)]
    killed = recent = 0
    while left := _left(office):
        time.sleep(0.1)
        office.bench.connection.execute(END_WAITS)
        if killed < kills and count - left >= count * (killed + 1) / (kills + 1):
            workers.pop(0).end(signal.SIGKILL)
            workers.append(office.bench.start_worker())
            killed, recent = killed + 1, 10
        if recent:
            # As if the minute of a dead worker's leases had passed; the other one loses some of its own by that. Several
            # times, as the last thing that the dead one has asked for may be granted late.
            recent -= 1
            office.bench.connection.execute(END_LEASES)
    return killed


def _left(office: PostOffice) -> int:
    return int(office.bench.value("select count(*) from public.deliveries where state in ('pending', 'failed')"))


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_soak_loses_none_and_doubles_none_in_effect(office: PostOffice) -> None:
    """Faults, killed workers, 20 receivers: every message arrives everywhere, and only ever as itself."""
    receivers, events, kills = (20, 2500, 8) if IS_FULL else (20, 75, 2)
    effects = Effects(random.Random(8))
    paths = [f"/{name:02d}x" for name in range(receivers)]
    subscriptions: list[UUID] = []
    for path in paths:
        office.receiver.behaviours[path] = effects.take
        subscriptions.append(office.subscribe(path))
    office.emit(events)
    started = time.perf_counter()

    killed = _send_all(office, receivers * events, kills)

    seconds = time.perf_counter() - started
    ids = {str(each) for each in office.bench.column("select id from public.events")}
    states = dict(
        office.bench.connection.execute("select state, count(*) from public.deliveries group by 1").fetchall()
    )
    assert killed == kills
    assert states == {"delivered": receivers * events}
    assert {path: set(done) for path, done in effects.done.items()} == dict.fromkeys(paths, ids)
    assert all(len(bodies) == 1 for bodies in effects.bodies.values())
    for request in office.receiver.requests[:: max(1, len(office.receiver.requests) // 500)]:
        secret = office.secrets[subscriptions[paths.index(request.path)]]
        assert _is_signed(request, secret)
    sent = len(office.receiver.requests)
    again = sum(times - 1 for done in effects.done.values() for times in done.values())
    print(
        f"{receivers * events} deliveries in {seconds:.0f} s ({receivers * events / seconds:.0f}/s), {sent} messages, "
        f"{dict(effects.faults)}, {kills} killed workers, {again} came again under their id"
    )


def _is_signed(request: Request, secret: str) -> bool:
    """Tell whether a message was signed; its time may be long ago by now."""
    at = datetime.fromtimestamp(int(request.headers["webhook-timestamp"]), UTC)
    signature = Webhook(secret).sign(request.headers["webhook-id"], at, request.body.decode())
    return signature == request.headers["webhook-signature"]
