"""How a connection comes to stand: TLS, proxies, and what of that nobody may see."""

import asyncio
import ssl
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mcp_guard.transports.http_client import connecting
from mcp_guard.transports.http_client.errors import BrokenOffError, ProxyError
from mcp_guard.transports.http_client.proxies import Proxy, named_for, read
from mcp_guard.transports.http_client.url import parse
from tests.transports.http_client.raw import Peer, answer, client_of, get, nobody_there, post, serving, whole
from tests.transports.http_upstream.remote import scenario

HOST = "mcp.example"  # what the certificate is for, beside 127.0.0.1; no test looks it up


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate that nobody has signed but itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    names = x509.SubjectAlternativeName([x509.DNSName(HOST), x509.IPAddress(ip_address("127.0.0.1"))])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    signed = made.add_extension(names, critical=False).sign(key, hashes.SHA256())
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(signed.public_bytes(serialization.Encoding.PEM) + private)
    return path


@pytest.fixture
def server_tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context


@pytest.fixture
def trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The certificate is that of an authority which the system trusts, as with SSL_CERT_FILE."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    monkeypatch.setattr(connecting, "verified", connecting.verified.__wrapped__)  # not what was read before


async def echo(peer: Peer) -> None:
    """Answers each request with its body."""
    while True:
        await peer.say(answer((await peer.request()).rpartition(b"\r\n\r\n")[2]))


# TLS


@scenario
async def test_requests_go_over_tls_on_one_kept_connection(server_tls: ssl.SSLContext, trusted: None) -> None:
    async with serving(echo, tls=server_tls) as raw, client_of(raw.url) as client:
        for body in (b"{}", b"x" * (4 << 20), b"[]"):
            assert await whole(await post(client, body)) == body
        (peer,) = raw.peers
        assert peer.writer.get_extra_info("ssl_object").selected_alpn_protocol() == "http/1.1"


@scenario
async def test_a_connection_over_tls_that_the_server_has_closed_is_not_used(
    server_tls: ssl.SSLContext, trusted: None
) -> None:
    async def once(peer: Peer) -> None:
        await peer.request()
        await peer.say(answer(b"{}"))

    async with serving(once, tls=server_tls) as raw, client_of(raw.url) as client:
        for _ in range(5):
            assert await whole(await post(client)) == b"{}"
            await asyncio.sleep(0)
            await raw.peers[-1].writer.wait_closed()
        assert len(raw.peers) == 5


@scenario
async def test_a_certificate_of_nobody_is_not_believed(server_tls: ssl.SSLContext) -> None:
    async with serving(echo, tls=server_tls) as raw, client_of(raw.url) as client:
        with pytest.raises(ssl.SSLCertVerificationError):
            await post(client)


@scenario
async def test_a_certificate_for_another_name_is_not_believed(server_tls: ssl.SSLContext, trusted: None) -> None:
    async with serving(echo, tls=server_tls) as raw, client_of(raw.url._replace(host="localhost")) as client:
        with pytest.raises(ssl.SSLCertVerificationError):
            await post(client)


@scenario
async def test_no_tls_where_tls_was_asked_for_is_an_error() -> None:
    async def bad_request(peer: Peer) -> None:
        await peer.reader.read(1)
        await peer.say(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    async with serving(bad_request) as raw, client_of(raw.url._replace(scheme="https")) as client:
        with pytest.raises(ssl.SSLError):
            await post(client)


@scenario
async def test_a_connection_that_does_not_stand_in_time_is_given_up(
    trusted: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connecting, "CONNECT", 0.05)
    async with serving() as raw, client_of(raw.url._replace(scheme="https")) as client:
        with pytest.raises(TimeoutError):
            await post(client)
        (peer,) = raw.peers
        assert await peer.gone()


# Which proxy


ENVIRONMENTS = [
    ({"http_proxy": "http://p:1"}, "http://h/", "http://p:1"),
    ({"http_proxy": "http://p:1"}, "https://h/", None),
    ({"https_proxy": "http://p:1"}, "https://h/", "http://p:1"),
    ({"https_proxy": "http://p:1"}, "https://127.0.0.1/", None),
    ({"https_proxy": "http://p:1"}, "https://localhost:8443/", None),
    ({"https_proxy": "http://p:1", "no_proxy": "h"}, "https://h/", None),
    ({"https_proxy": "http://p:1", "no_proxy": ".h"}, "https://a.h/", None),
    ({"https_proxy": "http://p:1", "no_proxy": "h:8443"}, "https://h:8443/", None),
    ({"https_proxy": "http://p:1", "no_proxy": "h:8443"}, "https://h/", "http://p:1"),
    ({"https_proxy": "http://p:1", "no_proxy": "*"}, "https://h/", None),
    ({}, "https://h/", None),
]


@pytest.mark.parametrize(("environment", "url", "proxy"), ENVIRONMENTS)
def test_the_environment_names_a_proxy(
    environment: dict[str, str], url: str, proxy: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "no_proxy"):
        monkeypatch.delenv(name.upper(), raising=False)
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert named_for(parse(url)) == proxy


PROXIES = [
    ("http://p:3128", Proxy(parse("http://p:3128"), "")),
    ("p:3128", Proxy(parse("http://p:3128"), "")),
    ("https://p", Proxy(parse("https://p"), "")),
    ("http://u:p%40ss@p:3128/", Proxy(parse("http://p:3128/"), f"Basic {b64encode(b'u:p@ss').decode()}")),
    ("u@p:3128", Proxy(parse("http://p:3128"), f"Basic {b64encode(b'u').decode()}")),
]


@pytest.mark.parametrize(("text", "proxy"), PROXIES)
def test_a_proxy_is_read(text: str, proxy: Proxy) -> None:
    assert read(text) == proxy


# Through it


Naming = Callable[[str], None]


@pytest.fixture
def use_proxy(monkeypatch: pytest.MonkeyPatch) -> Naming:
    """What names a proxy in the environment, for both schemes."""

    def use(text: str) -> None:
        for name in ("http_proxy", "https_proxy"):
            monkeypatch.setenv(name, text)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)

    return use


@scenario
async def test_without_tls_the_proxy_is_asked_for_the_whole_url(use_proxy: Naming) -> None:
    async with serving() as proxy:
        use_proxy(f"http://u:p@127.0.0.1:{proxy.url.port}")
        async with client_of(parse(f"http://{HOST}:8080/mcp")) as client:
            for number in (b"1", b"2"):
                asked = asyncio.ensure_future(client.open("POST", "/mcp?a=b", {}, b"{}"))
                peer = proxy.peers[0] if proxy.peers else await proxy.met.get()
                request = await peer.request()
                assert request.startswith(f"POST http://{HOST}:8080/mcp?a=b HTTP/1.1\r\nHost: {HOST}:8080\r\n".encode())
                assert b"\r\nProxy-Authorization: Basic dTpw\r\n" in request
                await peer.say(answer(number))
                assert await whole(await asked) == number


async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 16):
        writer.write(data)
    writer.close()


async def forward(peer: Peer, port: int, *opened: bytes) -> bytes:
    """Be a proxy that carries bytes to this port; gives what it was asked, once all is carried."""
    asked = await peer.head()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        await peer.say(*opened)
        await asyncio.gather(pipe(peer.reader, writer), pipe(reader, peer.writer), return_exceptions=True)
    finally:
        writer.close()
    return asked


@scenario
async def test_with_tls_the_proxy_gives_a_way_and_sees_nothing(
    use_proxy: Naming, server_tls: ssl.SSLContext, trusted: None
) -> None:
    seen: asyncio.Queue[bytes] = asyncio.Queue()

    async def script(peer: Peer) -> None:
        said = b"HTTP/1.0 200 Connection established\r\n", b"Via: x\r\n\r\n"
        seen.put_nowait(await forward(peer, raw.url.port, *said))

    async with serving(echo, tls=server_tls) as raw, serving(script) as proxy:
        use_proxy(f"http://u:p@127.0.0.1:{proxy.url.port}")
        async with client_of(parse(f"https://{HOST}/mcp"), Authorization="Bearer s3cret") as client:
            for body in (b"1", b"x" * (2 << 20), b"3"):
                assert await whole(await post(client, body)) == body
        head = f"CONNECT {HOST}:443 HTTP/1.1\r\nHost: {HOST}:443\r\nProxy-Authorization: Basic dTpw\r\n\r\n"
        assert await seen.get() == head.encode()


REFUSING = [
    (b"HTTP/1.1 407 -\r\nContent-Length: 0\r\n\r\n", 407),
    (b"HTTP/1.1 502 -\r\n\r\n", 502),
    (b"HTTP/1.1 302 -\r\nLocation: http://evil.example/\r\n\r\n", 302),
    (b"HTTP/1.1 200 OK\r\n\r\nforged before TLS", 200),
    (b"SSH-2.0\r\n\r\n", 0),
    (b"", 0),
]


@pytest.mark.parametrize(("said", "status"), REFUSING)
@scenario
async def test_a_proxy_that_gives_no_way_is_an_error(use_proxy: Naming, said: bytes, status: int) -> None:
    async def refuse(peer: Peer) -> None:
        await peer.head()
        await peer.say(said)

    async with serving(refuse) as proxy:
        use_proxy(f"http://127.0.0.1:{proxy.url.port}")
        async with client_of(parse(f"https://{HOST}/mcp")) as client:
            with pytest.raises(ProxyError) as raised:
                await get(client)
    assert raised.value.status == status


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("proxy", ["http://127.0.0.1:{port}", "socks5://127.0.0.1:{port}", "http://[", "http://a b"])
@scenario
async def test_a_proxy_that_is_not_there_or_is_none_is_an_error(use_proxy: Naming, scheme: str, proxy: str) -> None:
    use_proxy(proxy.format(port=nobody_there()))
    async with client_of(parse(f"{scheme}://{HOST}/mcp")) as client:
        with pytest.raises(ProxyError):
            await post(client)


@scenario
async def test_behind_a_proxy_the_certificate_is_still_the_servers(
    use_proxy: Naming, server_tls: ssl.SSLContext, trusted: None
) -> None:
    async def script(peer: Peer) -> None:
        await forward(peer, raw.url.port, b"HTTP/1.1 200 OK\r\n\r\n")

    async with serving(echo, tls=server_tls) as raw, serving(script) as proxy:
        use_proxy(f"http://127.0.0.1:{proxy.url.port}")
        async with client_of(parse("https://other.example/mcp")) as client:
            with pytest.raises(ssl.SSLCertVerificationError):
                await post(client)


@scenario
async def test_a_way_that_the_proxy_takes_back_is_an_error(
    use_proxy: Naming, trusted: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def take_back(peer: Peer) -> None:
        await peer.head()
        await peer.say(b"HTTP/1.1 200 OK\r\n\r\n")

    async with serving(take_back) as proxy:
        use_proxy(f"http://127.0.0.1:{proxy.url.port}")
        async with client_of(parse(f"https://{HOST}/mcp")) as client:
            with pytest.raises((OSError, BrokenOffError)):
                await post(client)
