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
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING, Any, NamedTuple

from api._lib import kv, log
from api._lib.errors import TooManyRequests, Unavailable
from api._lib.memory import remember
from api._lib.settings import settings

if TYPE_CHECKING:
    from upstash_ratelimit.asyncio import FixedWindow

MINUTE, DAY = 60, 86_400
SETTLED_PARTS = 8
"""A caller is settled after each such part of its quota, and the more often the nearer it comes."""

MAX_CALLERS = 50_000
"""Counted per window in one process; beyond that the one counted longest is forgotten, until it asks again."""

WRONG_CREDENTIALS = 100
"""Wrong tokens and keys per address and minute, after which unknown ones are no longer looked up."""

_IPV6_SITE_BITS = 64
_FLAGS = re.compile(r"^#!lua[^\n]*\n")
"""What only the hosted store understands; any other Redis refuses the script for it. It spares a lock of microseconds."""

_TURNS = 4
"""Of the event loop, until nested tasks that were just started wait for something."""


class Policy(NamedTuple):
    """So many requests in so many seconds."""

    name: str
    quota: int
    seconds: int

    @property
    def field(self) -> bytes:
        """The policy as an item of `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-11)."""
        return b'"%b";q=%d;w=%d' % (self.name.encode(), self.quota, self.seconds)


class Standing(NamedTuple):
    """Where a caller stands after a request: for the headers of its answer."""

    policies: bytes
    name: bytes
    left: int
    ends_at: float

    def headers(self) -> tuple[tuple[bytes, bytes], tuple[bytes, bytes]]:
        """Write `RateLimit-Policy` and `RateLimit`."""
        seconds = max(0, math.ceil(self.ends_at - time.time()))
        return (
            (b"ratelimit-policy", self.policies),
            (b"ratelimit", b'"%b";r=%d;t=%d' % (self.name, self.left, seconds)),
        )


class _Count:
    """One caller in one window: what all instances had counted when last asked, and what is new here since."""

    __slots__ = ("due", "new", "shared", "window")

    def __init__(self, window: int, due: int) -> None:
        self.window, self.due = window, due
        self.shared = self.new = 0


class Ledger:
    """The counts of one policy in its current window."""

    def __init__(self, policy: Policy, *, first_due: int = 0, clock: Callable[[], float] = time.time) -> None:
        self.policy = policy
        self._step = max(1, policy.quota // SETTLED_PARTS)
        self._first_due = first_due or self._step
        self._clock = clock
        self._window = -1
        self._counts: dict[str, _Count] = {}
        self._due: dict[str, _Count] = {}

    @property
    def ends_at(self) -> float:
        """When the window ends and everybody starts afresh."""
        return (self._window + 1.0) * self.policy.seconds

    @property
    def is_due(self) -> bool:
        """Whether somebody's count is worth telling the shared store."""
        return bool(self._due)

    def take(self, identity: str) -> int:
        """Count one request and return how many more there may be; below zero: this one is too many and not counted."""
        window = int(self._clock() // self.policy.seconds)
        if window != self._window:
            self._window, self._counts, self._due = window, {}, {}
        count = self._counts.get(identity)
        if count is None:
            count = _Count(window, self._first_due)
            remember(self._counts, identity, count, limit=MAX_CALLERS)
        left = self.policy.quota - count.shared - count.new - 1
        if left >= 0:
            count.new += 1
            if count.new >= count.due:
                self._due[identity] = count
        return left

    def is_spent(self, identity: str) -> bool:
        """Whether a further request would be too many."""
        count = self._counts.get(identity)
        is_current = count is not None and count.window == int(self._clock() // self.policy.seconds)
        return is_current and count is not None and count.shared + count.new >= self.policy.quota

    async def settle(self, store: Any, limiter: "FixedWindow") -> None:
        """Tell the shared store of everybody who is due, and learn what all instances have counted."""
        due, self._due = self._due, {}
        window = int(self._clock() // self.policy.seconds)
        each = [(identity, count) for identity, count in due.items() if count.window == window]
        await asyncio.gather(*(self._settle(store, limiter, *one) for one in each))

    def postpone(self) -> None:
        """Go on with the own counts alone for a while."""
        due, self._due = self._due, {}
        for count in due.values():
            count.due = count.new + self._step

    async def _settle(self, store: Any, limiter: "FixedWindow", identity: str, count: _Count) -> None:
        told = count.new
        count.new -= told
        count.shared += told
        try:
            answer = await limiter.limit_async(store, f"rowcast:limit:{self.policy.name}:{identity}", told)
        except Unavailable:
            count.new += told
            count.shared -= told
            count.due = count.new + self._step
            return
        count.shared = max(count.shared, self.policy.quota - answer.remaining)
        count.due = max(1, min(self._step, answer.remaining // SETTLED_PARTS))


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
        Ledger(
            anonymous, first_due=max(1, known.limit_anonymous // 1000)
        ),  # a new instance soon learns what the day has left
        Ledger(Policy("credentials", WRONG_CREDENTIALS, MINUTE)),
        b"%b, %b" % (address.field, anonymous.field),
    )


def admit_key(key_id: str) -> None:
    """Let one request of an API key in.

    Raises:
        TooManyRequests: it has used up its quota.
    """
    _admit(_ledgers().key, key_id)


def admit_user(user_id: str) -> None:
    """Let one request of a signed-in person in.

    Raises:
        TooManyRequests: they have used up their quota.
    """
    _admit(_ledgers().user, user_id)


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
    note.standing = Standing(known.both, tight.policy.name.encode(), least, tight.ends_at)
    if known.address.is_due or known.anonymous.is_due:
        note.behind.append(settle)


def check_unknown_credential() -> None:
    """Refuse to look up one more token or key for an address that has sent too many wrong ones.

    Raises:
        TooManyRequests: it has.
    """
    note = log.request_note.get()
    ledger = _ledgers().credentials
    if note and ledger.is_spent(address_of(note)):
        raise _refusal(ledger, ledger.policy.field, "Too many wrong tokens or keys came from your address")


def note_wrong_credential() -> None:
    """Count a wrong token or key against its address."""
    if note := log.request_note.get():
        _ledgers().credentials.take(address_of(note))


def _admit(ledger: Ledger, identity: str) -> None:
    left = ledger.take(identity)
    policy = ledger.policy
    if left < 0:
        raise _refusal(ledger, policy.field, "Slow down")
    note = log.current()
    note.standing = Standing(policy.field, policy.name.encode(), left, ledger.ends_at)
    if ledger.is_due:
        note.behind.append(settle)


def _refusal(ledger: Ledger, policies: bytes, advice: str) -> TooManyRequests:
    name, quota, seconds = ledger.policy
    log.current().standing = Standing(policies, name.encode(), 0, ledger.ends_at)
    every = "minute" if seconds == MINUTE else "day"
    wait = max(1, math.ceil(ledger.ends_at - time.time()))
    return TooManyRequests(f"More than {quota} requests in a {every}. {advice}", policy=name, retry_after=wait)


# Who nobody is ---------------------------------------------------------------------------------------------


def address_of(note: log.RequestNote) -> str:
    """Name the address a request comes from, as the platform tells it; what a client writes in a header counts nowhere else."""
    told = note.peer
    if settings().is_on_vercel:
        headers = note.headers
        told = (headers.get(b"x-real-ip") or headers.get(b"x-vercel-forwarded-for", b"")).decode("latin-1")
    return told if ":" not in told else _site_of(told)


@cache
def _sites() -> dict[str, str]:
    return {}


def _site_of(told: str) -> str:
    """Take all of an IPv6 site as one: whoever has one address there has 2^64."""
    known = _sites().get(told)
    if known is None:
        known = told
        with suppress(ValueError):
            address = ip_address(told)
            if isinstance(address, IPv6Address):
                mapped = address.ipv4_mapped
                known = str(mapped) if mapped else f"{int(address) >> (128 - _IPV6_SITE_BITS):x}/64"
        remember(_sites(), told, known)
    return known


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
