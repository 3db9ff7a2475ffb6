"""Which addresses are called: the public internet, private ones where they are welcome, a cloud's own machinery never."""

import ipaddress

import pytest

from api._lib.outgoing_addresses import AddressRefused, check_url, judge

PUBLIC = ["93.184.215.14", "8.8.8.8", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"]
PRIVATE = ["127.0.0.1", "127.8.9.1", "10.0.0.1", "172.16.5.4", "192.168.1.1", "::1", "fd12:3456::1", "100.64.0.1"]
PRIVATE += [
    "3fff::1",
    "5f00::1",
    "2001:10::1",
    "100::1",
    "198.18.0.1",
    "192.0.2.1",
    "240.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:127.0.0.1",
    "2001:db8::1",
    "192.0.0.8",
]
NEVER = ["0.1.2.3", "169.254.169.254", "169.254.1.1", "224.0.0.1", "255.255.255.255", "fe80::1", "fe80::1%eth0", "::"]
NEVER += ["ff02::1", "ff0e::1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1"]
NEVER += ["2002:7f00:1::", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "::127.0.0.1", "100.100.100.200", "fd00:ec2::254"]
NEVER += ["168.63.129.16", "192.0.0.192", str(ipaddress.IPv4Address(0))]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_pass(address: str):
    for allows_private in (False, True):
        judge(ipaddress.ip_address(address), allows_private=allows_private)


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_pass_only_where_they_are_welcome(address: str):
    with pytest.raises(AddressRefused):
        judge(ipaddress.ip_address(address), allows_private=False)


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "::1", "fd12:3456::1", "::ffff:10.0.0.1"])
def test_loopback_and_private_networks_can_be_welcome(address: str):
    judge(ipaddress.ip_address(address), allows_private=True)


@pytest.mark.parametrize("address", NEVER)
def test_some_addresses_never_pass(address: str):
    """What a cloud keeps for its own machinery, what is no single host, and IPv6 that a router unpacks into IPv4."""
    for allows_private in (False, True):
        with pytest.raises(AddressRefused):
            judge(ipaddress.ip_address(address), allows_private=allows_private)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "ftp://example.com/",
        "https://user:password@example.com/",
        "https://example.com:22/",
        "https://example.com:25/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:7f00:1]/",
        "https://localhost/",
        "https://a.localhost./",
        "https:///path",
        "https://",
        "not an address",
        "https://exa mple.com/",
        "https://example.com/\n",
        "https://example.com:99999/",
        "https://example.com/" + "a" * 2000,
    ],
)
def test_bad_urls_are_refused_before_anything_is_looked_up(url: str):
    with pytest.raises(AddressRefused):
        check_url(url, allows_private=False)


@pytest.mark.parametrize(
    "url", ["https://example.com/in?a=1", "https://example.com:8443/", "https://bücher.example/", "https://8.8.8.8/"]
)
def test_good_urls_pass(url: str):
    check_url(url, allows_private=False)
