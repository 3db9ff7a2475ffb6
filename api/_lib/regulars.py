"""Callers with a credential who ask one model again and again in one form: the short way for their next requests.

What the long way found out is believed for as long as the look-ups behind it. One request in a while goes that way again and
has them renewed, and so does whatever is out of the ordinary: a body in parts or a long one, a model that is not open or costs
too much, a row that does not fit, a quota that runs out, a log that is behind. Both ways tell answers alike.
"""

import time
from collections.abc import Awaitable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from starlette.types import Message, Receive, Scope, Send
from uuid_utils import uuid7

from api._lib import auth, cors, heads, limits, log, prediction_log, registry
from api._lib.answers import Answer
from api._lib.compression import COMPRESS_BYTES
from api._lib.exchange import NO_STORE, NOSNIFF
from api._lib.hot import JSON
from api._lib.lookup import Held
from api._lib.predicting import answer_at_once
from api._lib.questions import Question
from api._lib.quotas import Standing
from api._lib.request_ids import given_id, given_trace
from api._lib.serving import Granted
from api._lib.told import Told, Way, follow_up, tell

SHORT_BYTES = 4 * 1024
"""What is longer may take a while, and what is decided about it first costs it little."""

RENEW_SECONDS = 0.05
"""So often one request goes the long way once what was found out is to be renewed, until it has been."""

_ROUTE = "/api/predict/{model}"


def keep(scope: Scope, reference: str, granted: Granted, form: str) -> None:
    """Let the next requests like the one in hand go the short way, if what was found out can be held on to."""
    headers, caller = log.current().headers, granted.caller
    if caller.kind == "anonymous":
        return
    known: list[Held[Any, Any] | None] = [registry.hold_public(reference, granted.found)]
    if caller.kind == "key":
        known.append(auth.hold_key(caller, headers))
    held = [each for each in known if each]
    if len(held) == len(known):
        heads.keep(scope, headers, Regular(granted, form, headers, held))


class Regular:
    """What is known of the requests with one head."""

    def __init__(
        self, granted: Granted, form: str, headers: Mapping[bytes, bytes], held: Sequence[Held[Any, Any]]
    ) -> None:
        caller, found = granted.caller, granted.found
        self._held = held
        now = time.monotonic()
        # What is past its renewal has just been ordered anew by the request in hand.
        self._renew_at = max(now + RENEW_SECONDS, min(each.renew_at for each in held))
        expires = now + caller.expires_at - time.time()
        self._good_until = min(expires, *(each.good_until for each in held))
        self._granted = granted
        self._digest = found.version.digest
        self._form = form
        self._source = prediction_log.source_of(headers)
        self._ledger = limits.count_of(caller.kind)
        self._counted_as = caller.key_id or caller.user_id
        origin = headers.get(b"origin")
        self._headers = [(b"content-type", JSON), NO_STORE, NOSNIFF, *(cors.allow(origin) if origin else ())]

    def is_good(self) -> bool:
        """Tell whether the request in hand may go this way; now and then one has to go the long way, which renews what is old."""
        now = time.monotonic()
        if now >= self._renew_at:
            if now >= self._good_until:
                return False
            self._renew_at = now + RENEW_SECONDS
            return False
        return all(map(Held.is_current, self._held))

    async def answer(self, headers: Mapping[bytes, bytes], receive: Receive, send: Send) -> Awaitable[object] | None:
        """Answer a request; returns what must still be waited for before it may end.

        Raises:
            LongWay: it is to be answered by the long way.
        """
        started = time.perf_counter()
        message = await receive()
        body = message.get("body", b"")
        question = Question(body, self._form)
        known, way = await self._find(message, question)
        made = str(uuid7())
        told = tell(made, self._granted, known, way, started)
        if len(told.body) >= COMPRESS_BYTES:
            raise heads.LongWay(message)
        request_id = given_id(headers) or made
        await send({"type": "http.response.start", "status": 200, "headers": self._complete(told, request_id)})
        await send({"type": "http.response.body", "body": told.body})
        seconds = time.perf_counter() - started
        trace_id = given_trace(headers) or made.replace("-", "")
        found = self._granted.found
        facts = {
            "model": found.slug,
            "version": found.version.number,
            "rows": known.rows,
            "cache": way.cache.decode(),
        }
        log.request("POST", _ROUTE, 200, seconds, facts, request_id, trace_id)
        return follow_up(made, self._source, self._granted, question, known, way, told.timing)

    async def _find(self, message: Message, question: Question) -> tuple[Answer, Way]:
        is_short = not message.get("more_body") and 0 < len(question.content) <= SHORT_BYTES
        if is_short and self._ledger.is_calm(self._counted_as) and not prediction_log.is_pressed():
            with suppress(Exception):  # the long way meets it again, and tells it
                found = await answer_at_once(self._digest, question)
                # Asked once more: a row may have waited for others, which were counted meanwhile.
                if found and self._ledger.is_calm(self._counted_as):
                    return found
        raise heads.LongWay(message)

    def _complete(self, told: Told, request_id: str) -> list[tuple[bytes, bytes]]:
        """Write the answer's headers, and count it."""
        ledger = self._ledger
        left = ledger.take(self._counted_as)
        return [
            *self._headers,
            (b"content-length", b"%d" % len(told.body)),
            *told.headers,
            (b"x-request-id", request_id.encode()),
            *Standing(ledger.field, ledger.name, left, ledger.ends_at).headers(),
        ]
