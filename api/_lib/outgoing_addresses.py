"""Addresses that somebody else chose: which of them we call, told before and after the name is looked up.

Only the public internet is called, unless the deployment says that private receivers are welcome (on one's own machine
they are); what a cloud keeps for its own machinery is never called.
"""

import asyncio
import ipaddress
import socket
import threading
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx

NAME_SECONDS = 5.0
_WEB_PORTS = (80, 443)
_FIRST_FREE_PORT, _LAST_PORT = 1024, 65_535
_MAX_URL = 2000

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

_ANY, _SELF = ipaddress.IPv6Address("::"), ipaddress.IPv6Address("::1")

_NEVER = [
    # Where a cloud's own machinery answers, and what is no single host.
    ipaddress.ip_network("0.0.0.0/8"),
    ipaddress.ip_network("169.254.0.0/16"),
    ipaddress.ip_network("192.0.0.192/32"),
    ipaddress.ip_network("100.100.100.200/32"),
    ipaddress.ip_network("168.63.129.16/32"),
    ipaddress.ip_network("fd00:ec2::254/128"),
    ipaddress.ip_network("fe80::/10"),
    ipaddress.ip_network("240.0.0.0/4"),
]
_NOT_PUBLIC = [
    # What this Python's own tables may not know yet to be special.
    ipaddress.ip_network("192.0.0.0/24"),
    ipaddress.ip_network("2001::/23"),
    ipaddress.ip_network("2001:db8::/32"),
    ipaddress.ip_network("3fff::/20"),
]
_IPV4 = 4
_PUBLIC_IPV6 = ipaddress.IPv6Network("2000::/3")
_WRAPPERS = [
    # IPv6 around IPv4, in ways that a router may unpack: NAT64, its local form, 6to4, Teredo, the two old embeddings.
    ipaddress.ip_network("64:ff9b::/96"),
    ipaddress.ip_network("64:ff9b:1::/48"),
    ipaddress.ip_network("2002::/16"),
    ipaddress.ip_network("2001::/32"),
    ipaddress.ip_network("::/96"),
    ipaddress.ip_network("::ffff:0:0:0/96"),
]


class SendFailed(Exception):
    """No answer came; the message says why in one line, for the owner of the address."""


class AddressRefused(SendFailed):
    """The address is none that we call."""


def check_url(url: str, *, allows_private: bool) -> "httpx.URL":
    """Read an address and refuse what no receiver has, as far as that can be told without asking for its name.

    Raises:
        AddressRefused: it is none that we call.
    """
    import httpx

    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, UnicodeError) as error:
        raise AddressRefused("This is not an address") from error
    if len(url) > _MAX_URL or not url.isprintable() or " " in url:
        raise AddressRefused(f"An address has at most {_MAX_URL} characters, without spaces")
    if parsed.scheme not in ("https", "http") or not parsed.host:
        raise AddressRefused("The address must begin with https://, with a host behind it")
    if parsed.scheme == "http" and not allows_private:
        raise AddressRefused("The address must begin with https://: messages are not sent in the clear")
    if parsed.userinfo:
        raise AddressRefused("The address must not hold a user name or password; messages are signed instead")
    port = parsed.port or (443 if parsed.scheme == "https" else 80)
    if port > _LAST_PORT or (not allows_private and port not in _WEB_PORTS and port < _FIRST_FREE_PORT):
        raise AddressRefused(f"Port {port} is not one that receivers have: use 443, or one from {_FIRST_FREE_PORT} on")
    if (literal := _literal(parsed.host)) is not None:
        judge(literal, allows_private=allows_private)
    elif parsed.host.rstrip(".").lower().rpartition(".")[2] == "localhost" and not allows_private:
        raise AddressRefused("localhost is this server itself")
    return parsed


def judge(address: Address, *, allows_private: bool) -> None:
    """Refuse an address that is not on the public internet; `allows_private` lets loopback and private ones pass.

    Raises:
        AddressRefused: a message must not go there.
    """
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        elif address.scope_id or (address not in (_ANY, _SELF) and _is_in(address, _WRAPPERS)):
            raise AddressRefused(f"{address} is not an address that receivers have")
    if _is_in(address, _NEVER) or address.is_multicast or address.is_unspecified:
        raise AddressRefused(f"{address} is not an address that receivers have")
    is_public = address.is_global and not _is_in(address, _NOT_PUBLIC)
    if not allows_private and not (is_public and (address.version == _IPV4 or address in _PUBLIC_IPV6)):
        raise AddressRefused(f"{address} is a private address; receivers must be on the public internet")


async def resolve(host: str, port: int) -> Sequence[str]:
    """Look a name up, in a thread that nobody waits for: a name server that hangs must not hold anything else up."""
    loop = asyncio.get_running_loop()
    found: asyncio.Future[Sequence[str]] = loop.create_future()

    def settle(addresses: Sequence[str], error: Exception | None) -> None:
        if found.done():
            return
        if error is None:
            found.set_result(addresses)
        else:
            found.set_exception(error)

    def look_up() -> None:
        addresses: Sequence[str] = ()
        error: Exception | None = None
        try:
            addresses = [str(row[4][0]) for row in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
        except (OSError, UnicodeError) as failure:
            error = failure
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(settle, addresses, error)

    threading.Thread(target=look_up, name="resolve", daemon=True).start()
    return await found


async def find_addresses(resolve: Resolve, host: str, port: int, *, allows_private: bool) -> list[str]:
    """Look a name up and return its addresses, if every one of them may be called.

    Raises:
        SendFailed: the name means nothing, or something that is not called.
    """
    literal = _literal(host)
    try:
        async with asyncio.timeout(NAME_SECONDS):
            found = [str(literal)] if literal is not None else await resolve(host, port)
    except TimeoutError as error:
        raise SendFailed(f"The name {host} was not resolved within {NAME_SECONDS:g} s") from error
    except (OSError, UnicodeError) as error:
        raise SendFailed(f"The name {host} cannot be resolved") from error
    for each in found:
        # One bad address is enough: who mixes them in means no good.
        judge(ipaddress.ip_address(each), allows_private=allows_private)
    return list(dict.fromkeys(found))


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None


def _is_in(address: Address, networks: Iterable[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)
