"""One request and its answer, whichever route it is for.

It gets an id, its body is bounded, browsers' preflights are answered, what nobody caught becomes the one problem body, and
it leaves one log line. What is to be done behind the answer is done here, too.
"""

import time
from collections.abc import Awaitable

from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uuid_utils import uuid7

from api._lib import compression, cors, log, problems
from api._lib.errors import ApiError, BodyTooLarge, Unexpected
from api._lib.hot import Hot, HotAnswer
from api._lib.request_ids import given_id, given_trace

MAX_BODY_BYTES = 4_500_000
"""What the platform lets into a function; the same everywhere, so that nothing works locally and fails when deployed."""

DRAINED_BYTES = 32_000_000
_OK, _REFUSED, _CLIENT_LEFT = 200, 400, 499
NOSNIFF = (b"x-content-type-options", b"nosniff")
NO_STORE = (b"cache-control", b"no-store")


class Exchange(log.RequestNote):
    """One request and its answer; to whatever is called for it, it is the note of the request in hand."""

    __slots__ = (
        "hot",
        "is_head",
        "is_told",
        "packer",
        "receive",
        "received",
        "rest",
        "scope",
        "seconds",
        "send",
        "started",
        "status",
    )

    def __init__(self, scope: Scope, headers: dict[bytes, bytes], receive: Receive, send: Send) -> None:
        made, client = str(uuid7()), scope.get("client")
        super().__init__(
            headers,
            given_id(headers) or made,
            given_trace(headers) or made.replace("-", ""),
            made,
            client[0] if client else "",
        )
        self.scope, self.receive, self.send = scope, receive, send
        self.started = time.perf_counter()
        self.status = self.received = 0
        self.seconds = 0.0
        self.is_head = scope["method"] == "HEAD"
        self.is_told = False
        self.hot: Hot | None = None
        self.rest: Awaitable[object] | None = None
        self.packer: compression.Packer | None = None

    async def run(self, hot: Hot | None, app: ASGIApp) -> Awaitable[object] | None:
        """Answer by a hot route, else by the app; returns what must still be waited for before the request may end.

        Whoever waits for it then no longer holds the request: thousands may be waiting at a time.
        """
        self.hot = hot
        token = log.request_note.set(self)
        try:
            await self._answer(app)
        except ClientDisconnect:
            self.status = self.status or _CLIENT_LEFT
        except ApiError as error:
            await self._answer_problem(error)
        except Exception as error:  # noqa: BLE001  the last door: nothing may leave as a traceback
            log.exception("unexpected", error)
            await self._answer_problem(Unexpected())
        finally:
            self._write_line()
            if self.hot and self.status >= _REFUSED and self.hot.route.is_prediction:
                await self._count_refusal(self.hot.parameter)
            for work in self.behind:
                await work()
            log.request_note.reset(token)
        return self.rest

    async def _answer(self, app: ASGIApp) -> None:
        scope, headers, receive = self.scope, self.headers, self.receive
        if self.is_head:
            # A copy: the server goes by its own scope when it judges whether an answer without a body is complete.
            scope = self.scope = {**scope, "method": "GET"}
        elif scope["method"] == "OPTIONS" and b"access-control-request-method" in headers:
            await cors.preflight(headers)(scope, receive, self._send)
            return
        length = headers.get(b"content-length")
        if length is not None:
            await self._bound(int(length) if length.isdigit() else 0, is_more=True)
        elif b"transfer-encoding" in headers:
            receive = self._receive
        if self.hot is None:
            await app(scope, receive, self._send)
            return
        answer = await self.hot.answer(Request(scope, receive, self._send))
        if isinstance(answer, HotAnswer) and len(answer.body) < compression.COMPRESS_BYTES and not self.is_head:
            await self._send_hot(answer)
        else:
            await answer(scope, receive, self._send)

    async def _send_hot(self, answer: HotAnswer) -> None:
        """Send a small answer by the shortest way; what `_send` does for others is done at once."""
        headers = [
            (b"content-type", answer.media_type),
            (b"content-length", b"%d" % len(answer.body)),
            *answer.headers,
            NO_STORE,
        ]
        self._complete(headers)
        self.status = _OK
        await self.send({"type": "http.response.start", "status": _OK, "headers": headers})
        await self.send({"type": "http.response.body", "body": answer.body})
        self.seconds = time.perf_counter() - self.started
        self._write_line()
        if answer.after:
            self.rest = answer.after()

    async def _answer_problem(self, error: ApiError) -> None:
        self.facts["code"] = error.code
        if not self.status:
            await problems.problem_response(error)(self.scope, self.receive, self._send)

    async def _count_refusal(self, reference: str) -> None:
        from api._lib import prediction_log

        await prediction_log.add_refusal(reference.partition("@")[0], self.status, str(self.facts.get("code", "")))

    async def _bound(self, size: int, *, is_more: bool) -> None:
        """Refuse a body above the bound, once it has passed by.

        A client that is still sending when the connection ends never sees the answer.
        """
        if size <= MAX_BODY_BYTES:
            return
        passed = 0
        while is_more and passed < DRAINED_BYTES:
            message = await self.receive()
            passed += len(message.get("body", b""))
            is_more = message.get("more_body", False)
        raise BodyTooLarge(
            f"The body is above {MAX_BODY_BYTES / 1e6:.1f} MB. Send fewer rows at a time, or upload the file with "
            "POST /api/datasets, which has no such limit, and score it in the background: POST /api/batches"
        )

    async def _receive(self) -> Message:
        message = await self.receive()
        self.received += len(message.get("body", b""))
        await self._bound(self.received, is_more=message.get("more_body", False))
        return message

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = message.setdefault("headers", [])
            if not any(name == b"cache-control" for name, _ in headers):
                headers.append(NO_STORE)
            self._complete(headers)
            self.packer = compression.choose(message, self.headers.get(b"accept-encoding"))
            if self.packer:
                return
        else:
            if not message.get("more_body"):
                self.seconds = time.perf_counter() - self.started
            if self.packer:
                await self.packer.send(message, self.send, is_head=self.is_head)
                return
            if self.is_head:
                message = {**message, "body": b""}
        await self.send(message)

    def _complete(self, headers: list[tuple[bytes, bytes]]) -> None:
        """Add what every answer carries."""
        headers += (NOSNIFF, (b"x-request-id", self.request_id.encode()))
        if self.standing:
            headers += self.standing.headers()
        if self.degraded:
            headers.append((b"x-rowcast-degraded", ", ".join(self.degraded).encode()))
        if origin := self.headers.get(b"origin"):
            headers += cors.allow(origin)

    def _write_line(self) -> None:
        if self.is_told:
            return
        self.is_told = True
        route: APIRoute | None = self.hot.route if self.hot else self.scope.get("route")
        method = "HEAD" if self.is_head else self.scope["method"]
        if self.degraded:
            self.facts["degraded"] = [*self.degraded]
        log.request(
            method, route.path if route else None, self.status, self.seconds, self.facts, self.request_id, self.trace_id
        )
