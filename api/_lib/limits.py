"""How much one caller may ask in a while: per API key, per person, per anonymous address, and all of nobody together.

Two levels. This process counts in memory and decides by that alone, at once: an answer never waits for the network. A
caller whose count has grown worth telling is settled with the shared store behind an answer, everybody who is due in
one trip; from then on what other instances have counted is known here too. A limit can thus be passed by an eighth of it
per instance, and a caller far below it costs the store nothing. Without the store each instance goes by its own count.
"""

import asyncio
import math
import re
import time
from contextlib import suppress
from functools import cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple

from api._lib import kv, log
from api._lib.client_address import address_of
from api._lib.errors import ApiError, TooManyRequests, Unavailable
from api._lib.memory import remember
from api._lib.quotas import Ledger, Policy, Standing
from api._lib.settings import settings
from api._lib.store import people

if TYPE_CHECKING:
    from upstash_ratelimit.asyncio import FixedWindow

MINUTE, DAY = 60, 86_400
WARNED_SECONDS = 3600.0

_warned: dict[str, float] = {}
_FLAGS = re.compile(r"^#!lua[^\n]*\n")
"""What only the hosted store understands; any other Redis refuses the script for it. It spares a lock of microseconds."""

_FIRST_PARTS = 1000
"""A new instance soon learns what the day has left for visitors."""

_TURNS = 4
"""Of the event loop, until nested tasks that were just started wait for something."""


class _Ledgers(NamedTuple):
    key: Ledger
    user: Ledger
    address: Ledger
    anonymous: Ledger
    credentials: Ledger
    both: bytes


@cache
def _ledgers() -> _Ledgers:
    known = settings()
    address = Policy("address", known.limit_address, MINUTE)
    anonymous = Policy("anonymous", known.limit_anonymous, DAY)
    return _Ledgers(
        Ledger(Policy("key", known.limit_key, MINUTE)),
        Ledger(Policy("user", known.limit_user, MINUTE)),
        Ledger(address),
        Ledger(anonymous, first_due=max(1, known.limit_anonymous // _FIRST_PARTS)),
        Ledger(Policy("credentials", known.limit_credentials, MINUTE)),
        b"%b, %b" % (address.field, anonymous.field),
    )


def admit_key(key_id: str, owner_id: str = "") -> None:
    """Let one request of an API key in; its owner is told before it is refused.

    Raises:
        TooManyRequests: it has used up its quota.
    """
    _admit(_ledgers().key, key_id, owner_id)


def admit_user(user_id: str) -> None:
    """Let one request of a signed-in person in.

    Raises:
        TooManyRequests: they have used up their quota.
    """
    _admit(_ledgers().user, user_id, user_id)


def admit_anonymous() -> None:
    """Let one request of nobody in particular in.

    Raises:
        TooManyRequests: its address, or all visitors of this day together, have used up their quota.
    """
    known = _ledgers()
    note = log.current()
    left = known.address.take(address_of(note))
    if left < 0:
        raise _refusal(known.address, known.both, "Slow down, or send an API key")
    left_today = known.anonymous.take("everybody")
    if left_today < 0:
        raise _refusal(known.anonymous, known.both, "Visitors have used up this day; sign in, or send an API key")
    tight, least = (known.address, left) if left <= left_today else (known.anonymous, left_today)
    note.standing = Standing(known.both, tight.name, least, tight.ends_at)
    if known.address.is_due or known.anonymous.is_due:
        note.behind.append(settle)


def count_of(caller_kind: str) -> Ledger:
    """Return where the requests of keys, or those of people, are counted."""
    known = _ledgers()
    return known.key if caller_kind == "key" else known.user


def check_unknown_credential() -> None:
    """Refuse to look up one more token or key for an address that has sent too many wrong ones.

    Raises:
        TooManyRequests: it has.
    """
    note = log.request_note.get()
    ledger = _ledgers().credentials
    if note and ledger.is_spent(address_of(note)):
        raise _refusal(ledger, ledger.field, "Too many wrong tokens or keys came from your address")


def note_wrong_credential() -> None:
    """Count a wrong token or key against its address."""
    if note := log.request_note.get():
        _ledgers().credentials.take(address_of(note))


def _admit(ledger: Ledger, identity: str, owner_id: str) -> None:
    left = ledger.take(identity)
    policy = ledger.policy
    if left < 0:
        raise _refusal(ledger, ledger.field, "Slow down")
    note = log.current()
    note.standing = Standing(ledger.field, ledger.name, left, ledger.ends_at)
    if ledger.is_due:
        note.behind.append(settle)
    if left <= ledger.near and owner_id and _warned.get(identity, 0.0) <= time.monotonic():
        remember(_warned, identity, time.monotonic() + WARNED_SECONDS)
        note.behind.append(partial(_warn, owner_id, policy))


async def _warn(owner_id: str, policy: Policy) -> None:
    with suppress(ApiError):
        await people.warn_of_limit(owner_id, policy.name, policy.quota)


def _refusal(ledger: Ledger, policies: bytes, advice: str) -> TooManyRequests:
    name, quota, seconds = ledger.policy
    log.current().standing = Standing(policies, ledger.name, 0, ledger.ends_at)
    every = "minute" if seconds == MINUTE else "day"
    wait = max(1, math.ceil(ledger.ends_at - time.time()))
    return TooManyRequests(f"More than {quota} requests in a {every}. {advice}", policy=name, retry_after=wait)


# The shared level ------------------------------------------------------------------------------------------


class _OneTrip:
    """Stands for the shared store's client: gathers what the limiter wants done and does all of it in one round trip."""

    def __init__(self) -> None:
        self._commands: list[list[str]] = []
        self._answers: list[asyncio.Future[Any]] = []

    async def eval(self, script: str, keys: list[str], arguments: list[int]) -> Any:
        script = _FLAGS.sub("", script)
        self._commands.append(["EVAL", script, str(len(keys)), *keys, *map(str, arguments)])
        answer = asyncio.get_running_loop().create_future()
        self._answers.append(answer)
        return await answer

    async def go(self) -> None:
        for _ in range(_TURNS):
            await asyncio.sleep(0)  # until every limiter has said what it wants
        if not self._commands:
            return
        try:
            for answer, value in zip(self._answers, await kv.run(self._commands), strict=False):
                answer.set_result(value)
        except Unavailable as error:
            for answer in self._answers:
                answer.set_exception(error)


async def settle() -> None:
    """Settle whoever is due with the shared store, all in one round trip, behind an answer."""
    known = _ledgers()
    due = [each for each in (known.key, known.user, known.address, known.anonymous) if each.is_due]
    if not kv.is_usable():
        for ledger in due:
            ledger.postpone()
        return
    # The first call imports the library, which takes tenths of a second: not on the loop.
    limiters = [await asyncio.to_thread(_limiter, ledger.policy) for ledger in due]
    trip = _OneTrip()
    settling = asyncio.gather(*(ledger.settle(trip, limiter) for ledger, limiter in zip(due, limiters, strict=True)))
    await trip.go()
    await settling


@cache
def _limiter(policy: Policy) -> "FixedWindow":
    from upstash_ratelimit.asyncio import FixedWindow

    return FixedWindow(max_requests=policy.quota, window=policy.seconds)
