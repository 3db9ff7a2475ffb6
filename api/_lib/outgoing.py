"""Calls to addresses that somebody else chose: never into our own network, never longer or larger than allowed.

The name is resolved once, every address it has is judged, and the connection goes to an address that was judged: a name
that means something else a moment later changes nothing. Redirects are not followed, and proxies of the environment are
not asked. The name itself stays in the request and in the TLS handshake.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from api._lib.outgoing_addresses import AddressRefused, Resolve, SendFailed, check_url, find_addresses, resolve
from api._lib.upstream import spare_imports

if TYPE_CHECKING:
    import httpcore
    import httpx

ANSWER_SECONDS = 15.0
"""From the first look at the name to the head of the answer."""

CONNECT_SECONDS = 5.0
BODY_SECONDS = 2.0
"""For the body of the answer, of which only the beginning is wanted: its status has decided already."""

BODY_BYTES = 4096
_DRAINED_BYTES = 65_536
"""A body up to this size is read to its end, so that the connection can be used again."""

_KEPT_CONNECTIONS = 128
"""Unused ones, to all receivers together."""

_KEPT_SECONDS = 20.0
_MAX_ADDRESSES = 3


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver answered: status, headers in lower case, the beginning of the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Sender:
    """Sends messages over connections of its own. Belongs to one event loop; use as an async context manager."""

    def __init__(self, *, allows_private: bool, seconds: float = ANSWER_SECONDS, resolve: Resolve = resolve) -> None:
        import httpx

        spare_imports()
        self._allows_private = allows_private
        self._seconds = seconds
        self._tls = httpx.create_ssl_context()
        self._backend = _make_backend(resolve, allows_private=allows_private)
        self._kept: list[httpcore.AsyncHTTPConnection] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        while self._kept:
            await self._kept.pop().aclose()

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send one message and return the answer, whatever its status.

        Raises:
            SendFailed: there was none.
        """
        import httpcore

        address = check_url(url, allows_private=self._allows_private)
        try:
            async with self._connection(address) as connection, asyncio.timeout(self._seconds) as patience:
                return await _exchange(connection, address, body, headers, patience)
        except TimeoutError as error:
            raise SendFailed(f"No answer within {self._seconds:g} s") from error
        except httpcore.TimeoutException as error:
            raise SendFailed(f"No connection within {CONNECT_SECONDS:g} s") from error
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol) as error:
            raise SendFailed(_explain(error)) from error
        except (OSError, ssl.SSLError) as error:
            raise SendFailed(_explain(error)) from error

    @asynccontextmanager
    async def _connection(self, address: "httpx.URL") -> "AsyncIterator[httpcore.AsyncHTTPConnection]":
        """Give a message a connection that is its own as long as it is under way.

        No pool hands it out: a pool lets messages wait for each other, and never gets back what it had set aside for one
        that was cancelled while it waited.
        """
        import httpcore

        origin = httpcore.URL(str(address)).origin
        connection = await self._take(origin) or httpcore.AsyncHTTPConnection(
            origin, ssl_context=self._tls, keepalive_expiry=_KEPT_SECONDS, network_backend=self._backend
        )
        try:
            yield connection
        finally:
            await self._keep(connection)

    async def _take(self, origin: "httpcore.Origin") -> "httpcore.AsyncHTTPConnection | None":
        """Take the connection to a receiver that was used last, if one of those that are kept still holds."""
        for connection in [each for each in reversed(self._kept) if each.can_handle_request(origin)]:
            if connection not in self._kept:
                continue  # taken while an old one was being closed
            self._kept.remove(connection)
            if not connection.has_expired():
                return connection
            await connection.aclose()
        return None

    async def _keep(self, connection: "httpcore.AsyncHTTPConnection") -> None:
        """Keep a connection over which an exchange came to its end; close any other, and the oldest of too many."""
        if connection.is_idle() and not connection.is_closed():
            self._kept.append(connection)
            if len(self._kept) <= _KEPT_CONNECTIONS:
                return
            connection = self._kept.pop(0)
        await connection.aclose()


async def _exchange(
    connection: "httpcore.AsyncHTTPConnection",
    address: "httpx.URL",
    body: bytes,
    headers: Mapping[str, str],
    patience: asyncio.Timeout,
) -> Answer:
    sent = [(name.encode(), value.encode()) for name, value in headers.items()]
    target = str(address.copy_with(fragment=None))
    timeouts = {"connect": CONNECT_SECONDS}
    async with connection.stream(
        "POST", target, headers=sent, content=body, extensions={"timeout": timeouts}
    ) as response:
        patience.reschedule(None)
        read = await _read_beginning(response)
    told = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
    return Answer(response.status, told, read)


async def _read_beginning(response: "httpcore.Response") -> bytes:
    """Read the beginning of a body. It may be slow, endless or broken: that changes nothing any more."""
    import httpcore

    read = bytearray()
    with suppress(TimeoutError, httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError, OSError):
        async with asyncio.timeout(BODY_SECONDS):
            async for part in response.aiter_stream():
                read += part
                if len(read) > _DRAINED_BYTES:
                    break
    return bytes(read[:BODY_BYTES])


def _make_backend(resolve: Resolve, *, allows_private: bool) -> "httpcore.AsyncNetworkBackend":
    """Make the way to the network on which each address is judged before it is connected to."""
    import httpcore

    class Backend(httpcore.AnyIOBackend):
        async def connect_tcp(self, host: str, port: int, *_: Any, **options: Any) -> "httpcore.AsyncNetworkStream":
            addresses = await find_addresses(resolve, host, port, allows_private=allows_private)
            failure: Exception | None = None
            for address in addresses[:_MAX_ADDRESSES]:
                try:
                    return await super().connect_tcp(address, port, **options)
                except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                    failure = error
            raise failure or AddressRefused(f"{host} has no address")

    return Backend()


def _explain(error: Exception) -> str:
    """Say in one line what broke; libraries wrap it several times and often say nothing themselves."""
    texts = []
    step: BaseException | None = error
    while step is not None:
        if isinstance(step, ssl.SSLCertVerificationError):
            return f"The receiver's certificate is not good: {step.verify_message}"
        if isinstance(step, ConnectionRefusedError):
            return "The receiver refused the connection"
        if isinstance(step, ConnectionResetError):
            return "The receiver broke the connection off"
        texts.append(str(step).strip())
        step = step.__cause__ or step.__context__
    said = next((" ".join(text.split()) for text in texts if text), "")
    return f"The connection failed: {said[:200]}" if said else "The connection broke"
