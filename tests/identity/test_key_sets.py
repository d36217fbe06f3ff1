"""The keys of issuers: which of a set are taken, when a set is fetched again, and from where it never is."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from mcp_guard.identity.errors import CredentialError, KeysPendingError
from mcp_guard.identity.key_sets import FRESH, PAUSE, STALE, KeySets, read_set
from mcp_guard.identity.keys import BadKeyError, of_set
from tests.identity import forging

ED, EC = forging.ed25519(), forging.p256()


class Source:
    """A set somewhere, that can change and be out of order; and a clock."""

    def __init__(self) -> None:
        self.now, self.fetched = 1_000.0, 0
        self.keys: dict[str, Any] = {"a": ED}
        self.broken = False

    def fetch(self, place: str) -> bytes:
        self.fetched += 1
        if self.broken:
            raise CredentialError("out of order")
        return forging.jwks(*(forging.jwk(key, kid=key_id) for key_id, key in self.keys.items()))

    def sets(self, run: Callable[[Callable[[], None]], None] = lambda job: job()) -> KeySets:
        return KeySets(run, lambda: self.now, self.fetch)


def test_a_set_is_fetched_once_and_again_when_it_is_old() -> None:
    source = Source()
    sets = source.sets()
    for _ in range(5):
        assert [key.id for key in sets.keys("x", "a")] == ["a"]
    assert source.fetched == 1
    source.now += FRESH + 1
    sets.keys("x", "a")
    assert source.fetched == 2


def test_an_unknown_key_has_a_set_fetched_again_but_at_most_once_a_minute() -> None:
    source = Source()
    sets = source.sets()
    sets.keys("x", "a")
    source.keys["b"] = EC
    for _ in range(5):
        assert [key.id for key in sets.keys("x", "b")] == ["a"]
    source.now += PAUSE + 1
    for name in ("b", "c", "d", "e"):
        assert [key.id for key in sets.keys("x", name)] == ["a", "b"]
    assert source.fetched == 2


def test_an_issuer_that_is_out_of_order_locks_nobody_out_for_an_hour() -> None:
    source = Source()
    sets = source.sets()
    sets.keys("x", "a")
    source.broken = True
    source.now += FRESH + 1
    assert sets.keys("x", "a")
    source.now += STALE
    with pytest.raises(CredentialError, match="out of order"):
        sets.keys("x", "a")


def test_a_key_that_its_issuer_withdrew_is_gone_with_the_next_set() -> None:
    source = Source()
    sets = source.sets()
    sets.keys("x", "a")
    source.keys = {"b": EC}
    source.now += FRESH + 1
    assert [key.id for key in sets.keys("x", "a")] == ["b"]


def test_while_a_set_is_fetched_beside_everything_else_one_asks_again() -> None:
    source, jobs = Source(), list[Callable[[], None]]()
    sets = source.sets(jobs.append)
    for _ in range(3):
        with pytest.raises(KeysPendingError):
            sets.keys("x", "a")
    assert len(jobs) == 1
    jobs.pop()()
    assert [key.id for key in sets.keys("x", "a")] == ["a"]
    source.now += FRESH + 1
    assert sets.keys("x", "a")  # the old set serves while a new one is fetched
    assert len(jobs) == 1


def test_where_no_thread_can_be_started_a_set_is_fetched_a_minute_later() -> None:
    source, threads = Source(), list[str]()

    def run(job: Callable[[], None]) -> None:
        if not threads:
            raise RuntimeError("can't start new thread")
        job()

    sets = source.sets(run)
    with pytest.raises(CredentialError, match="nothing could be started"):
        sets.keys("x", "a")
    threads.append("one")
    source.now += PAUSE + 1
    assert [key.id for key in sets.keys("x", "a")] == ["a"]


TAKEN: list[tuple[str, dict[str, Any], bool]] = [
    ("Ed25519", forging.jwk(ED), True),
    ("P-256", forging.jwk(EC), True),
    ("RSA", forging.jwk(forging.rsa()), True),
    ("RSA that is too short", forging.jwk(forging.rsa(1024)), False),
    ("RSA for another algorithm", forging.jwk(forging.rsa(), alg="PS256"), False),
    ("for encryption", forging.jwk(ED, use="enc"), False),
    ("for signing only", forging.jwk(ED, key_ops=["sign"]), False),
    ("a shared secret", {"kty": "oct", "k": "c2VjcmV0", "alg": "HS256"}, False),
    ("a secret that says it is for EdDSA", {"kty": "oct", "k": "c2VjcmV0", "alg": "EdDSA"}, False),
    ("another curve", {**forging.jwk(EC), "crv": "secp256k1"}, False),
    ("a point that is not on its curve", {**forging.jwk(EC), "x": forging.base64url(bytes(32))}, False),
    ("half a key", {"kty": "OKP", "crv": "Ed25519"}, False),
    ("no object", "key", False),  # type: ignore[list-item]
    ("a name that is no text", forging.jwk(ED, kid=7), False),
]


@pytest.mark.parametrize(("jwk", "taken"), [case[1:] for case in TAKEN], ids=[case[0] for case in TAKEN])
def test_of_a_set_only_keys_for_our_algorithms_are_taken(jwk: dict[str, Any], taken: bool) -> None:
    known = forging.jwk(forging.ed25519(), kid="known")
    assert len(of_set(forging.jwks(known, jwk))) == (2 if taken else 1)


def test_a_private_key_in_a_set_is_taken_for_its_public_half() -> None:
    found = of_set(forging.jwks({**forging.jwk(ED), "d": forging.base64url(ED.private_bytes_raw())}))
    assert "Public" in type(found[0].material).__name__


@pytest.mark.parametrize("text", [b"", b"[]", b'{"keys": {}}', b'{"keys": []}', b"[" * 100_000, b"\xff"])
def test_what_is_no_set_is_refused(text: bytes) -> None:
    with pytest.raises(BadKeyError):
        of_set(text)


# Over HTTP


@contextmanager
def answering(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[str]:
    """A server on loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _with_body(body: bytes) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        with suppress(OSError):  # the client may have had enough
            handler.wfile.write(body)

    return answer


def test_a_set_is_fetched_over_http_of_this_machine() -> None:
    with answering(_with_body(forging.jwks(forging.jwk(ED, kid="a")))) as url:
        assert [key.id for key in KeySets().keys(f"{url}/keys", "a")] == ["a"]


def test_what_this_machine_says_is_asked_of_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(_with_body(b'"of the proxy"')) as proxy, answering(_with_body(b'"of this machine"')) as url:
        monkeypatch.setenv("http_proxy", proxy)
        monkeypatch.delenv("no_proxy", raising=False)
        assert read_set(f"{url}/keys") == b'"of this machine"'


def _redirecting(to: str) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        if handler.path == "/there":
            _with_body(b"{}")(handler)
            return
        handler.send_response(302)
        handler.send_header("Location", to)
        handler.end_headers()

    return answer


def test_a_redirect_is_followed_within_an_origin() -> None:
    with answering(_redirecting("/there")) as url:
        assert read_set(f"{url}/here") == b"{}"


def test_a_redirect_to_another_origin_is_not_followed() -> None:
    with (
        answering(_with_body(b"{}")) as other,
        answering(_redirecting(f"{other}/there")) as url,
        pytest.raises(CredentialError, match="another origin"),
    ):
        read_set(f"{url}/here")


def test_a_set_that_is_too_large_is_not_read_to_its_end() -> None:
    with answering(_with_body(b" " * (3 << 20))) as url, pytest.raises(CredentialError, match="larger than"):
        read_set(url)


@pytest.mark.parametrize("place", ["http://login.acme.example/keys", "file:///etc/passwd", "ftp://127.0.0.1/keys"])
def test_keys_are_fetched_over_https_only(place: str) -> None:
    with pytest.raises(CredentialError, match="https only"):
        read_set(place)


def test_why_a_set_cannot_be_had_is_said_in_words() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = f"http://127.0.0.1:{taken.getsockname()[1]}/keys"
    with pytest.raises(CredentialError) as refused:
        read_set(place)
    assert refused.value.message == f"{place}: Connection refused"


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(CredentialError, match="No such file"):
        read_set(str(tmp_path / "keys.json"))
