"""Calls to addresses that somebody else chose: into nobody's own network, whatever the receiver does."""

import asyncio
import datetime as dt
import socket
import ssl
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from api._lib.outgoing import BODY_BYTES, Answer, Sender
from api._lib.outgoing_addresses import AddressRefused, SendFailed
from tests.receiver import Receiver


def send(url: str, *, allows_private: bool = True, seconds: float = 5, **options: Any) -> Answer:
    """Send one message."""
    return _run(lambda sender: sender.post(url, b'{"a": 1}', {"x-a": "b"}), allows_private, seconds, options)


def _run(
    work: Callable[[Sender], Coroutine[Any, Any, Answer]], allows_private: bool, seconds: float, options: Any
) -> Answer:
    async def run() -> Answer:
        async with Sender(allows_private=allows_private, seconds=seconds, **options) as sender:
            return await work(sender)

    return asyncio.run(run())


@pytest.fixture(scope="module")
def receiver():
    with Receiver() as started:
        yield started


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1", "0177.0.0.1", "localtest.invalid-by-resolver"])
def test_numbers_that_mean_loopback_are_refused(receiver: Receiver, host: str):
    """However an address is written, it is judged as what the system makes of it."""

    async def resolve(name: str, port: int) -> Sequence[str]:
        if name == "localtest.invalid-by-resolver":
            return ["127.0.0.1"]
        return [str(row[4][0]) for row in socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)]

    with pytest.raises(AddressRefused):
        send(f"https://{host}:{receiver.port}/", allows_private=False, resolve=resolve)
    assert receiver.requests == []


def test_name_is_resolved_once_and_the_judged_address_is_called(receiver: Receiver):
    """A name that answers with a good address first and a private one later reaches nothing private."""
    asked: list[str] = []

    async def rebinding(name: str, _: int) -> Sequence[str]:
        asked.append(name)
        return ["127.0.0.1"] if len(asked) == 1 else ["169.254.169.254"]

    answer = send(receiver.url("/in", "rebinding.test"), resolve=rebinding)

    assert (answer.status, asked) == (200, ["rebinding.test"])
    assert receiver.requests.pop().headers["host"] == f"rebinding.test:{receiver.port}"


def test_each_new_connection_judges_anew(receiver: Receiver):
    """The second message over a new connection asks again, and is refused."""
    answers = iter([["127.0.0.1"], ["169.254.169.254"]])

    async def rebinding(*_: object) -> Sequence[str]:
        return next(answers)

    async def twice(sender: Sender) -> Answer:
        await sender.post(receiver.url("/close-me", "rebinding.test"), b"{}", {"connection": "close"})
        return await sender.post(receiver.url("/close-me", "rebinding.test"), b"{}", {})

    with pytest.raises(AddressRefused):
        _run(twice, True, 5, {"resolve": rebinding})


def test_one_bad_address_among_good_ones_is_enough():
    async def mixed(*_: object) -> Sequence[str]:
        return ["93.184.215.14", "10.0.0.1"]

    with pytest.raises(AddressRefused):
        send("https://mixed.test/", allows_private=False, resolve=mixed)


def test_name_server_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch):
    """The deadline holds, although the look-up cannot be interrupted; others are not held up."""
    monkeypatch.setattr("api._lib.outgoing_addresses.NAME_SECONDS", 0.2)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: time.sleep(3) or [])
    started = time.monotonic()

    with pytest.raises(SendFailed, match="not resolved"):
        send("https://hanging.test/")

    assert time.monotonic() - started < 2.5


def test_unknown_name_says_so(monkeypatch: pytest.MonkeyPatch):
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)

    with pytest.raises(SendFailed, match=r"unknown\.test cannot be resolved"):
        send("https://unknown.test/")


@pytest.mark.parametrize("path", ["/redirect", "/metadata"])
def test_redirects_are_answers(receiver: Receiver, path: str):
    """A receiver cannot send us elsewhere."""
    answer = send(receiver.url(path))

    assert answer.status in {302, 307}
    assert answer.headers["location"].startswith("http://1")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/hang", "No answer within 0.4 s"),
        ("/trickle", "No answer within 0.4 s"),
        ("/interim", "No answer within 0.4 s"),
        ("/reset", "broke the connection off"),
        ("/close", "disconnected"),
        ("/garbage", "failed"),
        ("/cut-head", "disconnected"),
        ("/huge-head", "failed"),
    ],
)
def test_bad_receivers_cost_a_moment_and_a_line(receiver: Receiver, path: str, words: str):
    """Each ends as one readable failure within the deadline."""
    with pytest.raises(SendFailed, match=words) as caught:
        send(receiver.url(path), seconds=0.4)

    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("path", ["/endless", "/huge-body", "/half-close", "/body-stalls", "/bomb", "/nul", "/204"])
def test_status_counts_however_the_body_goes_on(receiver: Receiver, path: str, monkeypatch: pytest.MonkeyPatch):
    """A message that was taken stays taken; of the body only the beginning is kept, and nothing is unpacked."""
    monkeypatch.setattr("api._lib.outgoing.BODY_SECONDS", 0.3)

    answer = send(receiver.url(path))

    assert answer.status in {200, 204}
    assert len(answer.body) <= BODY_BYTES


def test_nobody_listening_says_so():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/"

        with pytest.raises(SendFailed, match="refused the connection"):
            send(url)


def test_proxies_of_the_environment_are_not_asked(receiver: Receiver, monkeypatch: pytest.MonkeyPatch):
    """A proxy would resolve the name itself."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    assert send(receiver.url("/in")).status == 200


def test_connections_are_used_again(receiver: Receiver):
    """Many messages to one receiver cost one handshake; each goes to an address that was judged."""
    asked: list[str] = []

    async def resolve(name: str, _: int) -> Sequence[str]:
        asked.append(name)
        return ["127.0.0.1"]

    async def often(sender: Sender) -> Answer:
        for _ in range(4):
            await sender.post(receiver.url("/in", "kept.test"), b"{}", {})
        return await sender.post(receiver.url("/in", "kept.test"), b"{}", {})

    assert _run(often, True, 5, {"resolve": resolve}).status == 200
    assert asked == ["kept.test"]


def test_messages_to_one_host_never_wait_for_each_other(receiver: Receiver):
    """Many addresses are on one host: those that hang cost the others nothing, neither at once nor after they gave up."""

    async def attempt(sender: Sender, path: str) -> str:
        try:
            return str((await sender.post(receiver.url(path), b"{}", {})).status)
        except SendFailed as error:
            return str(error)

    async def run() -> tuple[Counter[str], str]:
        async with Sender(allows_private=True, seconds=2) as sender:
            paths = ["/hang"] * 32 + ["/in"] * 32
            told = await asyncio.gather(*(attempt(sender, path) for path in paths))
            return Counter(told), await attempt(sender, "/in")

    told, afterwards = asyncio.run(run())

    assert told == {"200": 32, "No answer within 2 s": 32}
    assert afterwards == "200"


def test_message_that_is_cancelled_at_any_moment_blocks_no_other(receiver: Receiver):
    """A sender that is stopped again and again, before, in and after the handshake, still reaches the receiver."""

    async def run() -> int:
        async with Sender(allows_private=True, seconds=5) as sender:
            for turns in range(30):
                posts = [asyncio.create_task(sender.post(receiver.url("/in"), b"{}", {})) for _ in range(16)]
                for _ in range(turns):
                    await asyncio.sleep(0)
                for post in posts:
                    post.cancel()
                await asyncio.gather(*posts, return_exceptions=True)
            return (await sender.post(receiver.url("/in"), b"{}", {})).status

    assert asyncio.run(run()) == 200


def test_few_connections_are_kept(monkeypatch: pytest.MonkeyPatch):
    """After many messages at once only so many connections stay open, and none after the sender."""
    monkeypatch.setattr("api._lib.outgoing._KEPT_CONNECTIONS", 3)

    async def until_open(receiver: Receiver, count: int) -> None:
        async with asyncio.timeout(20):
            while receiver.open_now != count:
                await asyncio.sleep(0.01)

    async def run(receiver: Receiver) -> None:
        async with Sender(allows_private=True, seconds=10) as sender:
            await asyncio.gather(*(sender.post(receiver.url("/slow"), b"{}", {}) for _ in range(12)))
            assert receiver.most_open["/slow"] == 12
            await until_open(receiver, 3)
        await until_open(receiver, 0)

    with Receiver() as receiver:
        asyncio.run(run(receiver))


def _certificate(folder: Path, name: str, *, days: int = 1) -> tuple[Path, Path]:
    """Make a certificate that signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=10))
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    public, private = folder / "certificate.pem", folder / "key.pem"
    public.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return public, private


@pytest.mark.parametrize(
    ("name", "days", "is_trusted", "words"),
    [
        ("good.test", 1, True, ""),
        ("good.test", 1, False, "certificate is not good: self-signed certificate"),
        ("other.test", 1, True, "certificate is not good: Hostname mismatch"),
        ("good.test", -1, True, "certificate is not good: certificate has expired"),
    ],
)
def test_certificates_are_checked_against_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, days: int, is_trusted: bool, words: str
):
    """Pinning the address takes nothing from TLS: the name is asked for and proved."""
    public, private = _certificate(tmp_path, name, days=days)
    if is_trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(public))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(public, private)
    asked_for: list[str | None] = []
    context.sni_callback = lambda _, server_name, __: asked_for.append(server_name)

    async def resolve(*_: object) -> Sequence[str]:
        return ["127.0.0.1"]

    with Receiver(tls=context) as receiver:
        url = receiver.url("/in", "good.test")
        if words:
            with pytest.raises(SendFailed, match=words):
                send(url, resolve=resolve)
            assert receiver.requests == []
        else:
            assert send(url, resolve=resolve).status == 200
    assert asked_for == ["good.test"]
