"""Webhooks arrive, once and in order; again where a receiver failed; and no longer than they may."""

import hmac
import json
import queue
import socket
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from mcp_guard.store.registry import agents, overrides
from mcp_guard.store.registry.book import Book
from mcp_guard.webhooks.delivery import Receiver
from mcp_guard.webhooks.notices import target

KEY = b"a key of sixteen bytes or more"
PATIENCE = 20  # seconds


class Endpoint:
    """A receiver that answers with the statuses it is given, then 204."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.got: queue.SimpleQueue[tuple[str, dict[str, str], bytes]] = queue.SimpleQueue()
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                sent = self.rfile.read(int(self.headers["content-length"]))
                endpoint.got.put((self.path, {name.lower(): value for name, value in self.headers.items()}, sent))
                self.send_response(endpoint.statuses.pop(0) if endpoint.statuses else 204)
                self.send_header("location", "/elsewhere")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook?for=us"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def next(self) -> dict[str, Any]:
        return json.loads(self.got.get(timeout=PATIENCE)[2])

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    opened = Endpoint()
    yield opened
    opened.close()


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    with Book(str(tmp_path / "guard.db"), "ann") as opened:
        yield opened


Follow = Callable[..., Receiver]


@pytest.fixture
def said() -> "queue.SimpleQueue[str]":
    return queue.SimpleQueue()


@pytest.fixture
def follow(endpoint: Endpoint, book: Book, said: "queue.SimpleQueue[str]") -> Iterator[Follow]:
    receivers: list[Receiver] = []

    def start(url: str = endpoint.url, waits: tuple[float, ...] = (0.01, 0.01)) -> Receiver:
        receivers.append(Receiver(book.path, target(url), KEY, said.put, look=0.01, waits=waits))
        receivers[-1].start()
        return receivers[-1]

    yield start
    for receiver in receivers:
        receiver.stop()


def test_a_stop_is_told_signed_and_only_from_now_on(follow: Follow, endpoint: Endpoint, book: Book) -> None:
    overrides.stop(book, None, reason="before")
    follow()
    overrides.stop(book, "cursor", reason="incident")
    path, fields, sent = endpoint.got.get(timeout=PATIENCE)
    assert path == "/hook?for=us"
    assert fields["content-type"] == "application/json"
    signing = b".".join([fields["webhook-id"].encode(), fields["webhook-timestamp"].encode(), sent])
    assert fields["webhook-signature"] == f"v1,{b64encode(hmac.digest(KEY, signing, sha256)).decode()}"
    told = json.loads(sent)
    assert (told["type"], told["data"]["agent"], told["data"]["reason"], told["data"]["by"]) == (
        "calls.stopped",
        "cursor",
        "incident",
        "ann",
    )


def test_events_come_in_their_order_and_others_not_at_all(follow: Follow, endpoint: Endpoint, book: Book) -> None:
    follow()
    agents.create(book, "cursor")
    agents.quarantine(book, "cursor")
    agents.restore(book, "cursor")
    assert [endpoint.next()["type"] for _ in range(2)] == ["agent.quarantined", "agent.restored"]


@pytest.mark.parametrize("status", [500, 429, 302], ids=["an error", "too many", "a redirect, which is not followed"])
def test_a_receiver_that_fails_is_told_again(follow: Follow, endpoint: Endpoint, book: Book, status: int) -> None:
    endpoint.statuses = [status, status]
    receiver = follow()
    overrides.stop(book, None)
    tries = [endpoint.got.get(timeout=PATIENCE) for _ in range(3)]
    assert len({one[1]["webhook-id"] for one in tries}) == 1
    assert {one[0] for one in tries} == {"/hook?for=us"}
    overrides.resume(book, None)
    assert endpoint.next()["type"] == "calls.resumed"
    receiver.stop()
    assert (receiver.delivered, receiver.failed) == (2, 0)


def test_what_cannot_be_delivered_is_given_up_told_and_counted(
    follow: Follow, endpoint: Endpoint, book: Book, said: "queue.SimpleQueue[str]"
) -> None:
    endpoint.statuses = [503] * 4
    receiver = follow()
    overrides.stop(book, None)
    assert said.get(timeout=PATIENCE) == "1 webhook to 127.0.0.1 could not be delivered: it answered with status 503"
    overrides.resume(book, None)  # one try only, while it goes on failing
    assert said.get(timeout=PATIENCE) == "1 webhook to 127.0.0.1 could not be delivered: it answered with status 503"
    overrides.stop(book, None)
    assert [endpoint.next()["type"] for _ in range(5)] == [*["calls.stopped"] * 3, "calls.resumed", "calls.stopped"]
    receiver.stop()
    assert (receiver.delivered, receiver.failed) == (1, 2)


def test_a_receiver_that_is_not_there_holds_up_nothing(
    follow: Follow, endpoint: Endpoint, book: Book, said: "queue.SimpleQueue[str]"
) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        receiver = follow(f"http://127.0.0.1:{nobody.getsockname()[1]}/", waits=())
        overrides.stop(book, None)
        assert "Connection refused" in said.get(timeout=PATIENCE)
        receiver.stop()
    assert receiver.failed == 1
