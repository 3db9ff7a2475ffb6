"""Which address an anonymous request comes from."""

from contextlib import suppress
from functools import cache
from ipaddress import IPv6Address, ip_address

from api._lib import log
from api._lib.memory import remember
from api._lib.settings import settings

_IPV6_SITE_BITS = 64


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
