"""Webhooks arrive, once and in order, whoever follows; again where a receiver failed; and no longer than they may."""

import contextlib
import hmac
import json
import queue
import re
import socket
from base64 import b64encode
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from mcp_guard.store.registry import agents, overrides
from mcp_guard.store.registry.book import Book
from mcp_guard.webhooks.delivery import Receiver
from mcp_guard.webhooks.notices import target
from tests.webhooks.endpoint import PATIENCE, Endpoint

KEY = b"a key of sixteen bytes or more"


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

    def start(url: str = endpoint.url, waits: tuple[float, ...] = (0.01, 0.01), **limits: float) -> Receiver:
        receivers.append(Receiver(book.path, target(url), KEY, said.put, look=0.01, waits=waits, **limits))
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


def test_a_receiver_that_never_comes_to_an_end_is_given_up(
    follow: Follow, book: Book, said: "queue.SimpleQueue[str]"
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as endless:
        receiver = follow(f"http://127.0.0.1:{endless.getsockname()[1]}/", waits=(), timeout=0.05)
        overrides.stop(book, None)
        peer, _ = endless.accept()
        with peer, contextlib.suppress(OSError):
            while said.empty():
                peer.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert said.get(timeout=PATIENCE).startswith("1 webhook to 127.0.0.1 could not be delivered: ")
        receiver.stop()
    assert receiver.failed == 1


def test_of_those_who_have_the_same_webhook_one_tells(follow: Follow, endpoint: Endpoint, book: Book) -> None:
    receivers = [follow(), follow(), follow()]
    for _ in range(3):
        overrides.stop(book, None)
        overrides.resume(book, None)
    told = [endpoint.next() for _ in range(6)]
    assert [one["type"] for one in told] == ["calls.stopped", "calls.resumed"] * 3
    for receiver in receivers:
        receiver.stop()
    assert endpoint.got.empty()
    assert sorted(receiver.delivered for receiver in receivers) == [0, 0, 6]


def test_who_follows_next_goes_on_where_the_last_one_ended(follow: Follow, endpoint: Endpoint, book: Book) -> None:
    first, second = follow(), follow(f"{endpoint.url}&other")
    overrides.stop(book, None)
    assert {endpoint.got.get(timeout=PATIENCE)[0] for _ in range(2)} == {"/hook?for=us", "/hook?for=us&other"}
    first.stop()
    second.stop()
    overrides.resume(book, None)
    follow()
    assert endpoint.next()["type"] == "calls.resumed"
    overrides.stop(book, "cursor")
    assert endpoint.next()["data"]["agent"] == "cursor"


def test_what_happened_just_before_the_end_is_told(endpoint: Endpoint, book: Book) -> None:
    receiver = Receiver(book.path, target(endpoint.url), KEY, print, look=3600)
    receiver.start()
    overrides.stop(book, None)
    receiver.stop()
    assert endpoint.next()["type"] == "calls.stopped"


def test_what_was_not_delivered_by_the_end_is_left_to_who_follows_next(
    follow: Follow, endpoint: Endpoint, book: Book
) -> None:
    endpoint.statuses = [503, 503]
    receiver = follow(waits=(3600,))
    overrides.stop(book, None)
    tried = endpoint.next()
    receiver.stop()  # which tries once more
    assert (receiver.delivered, receiver.failed) == (0, 0)
    follow()
    assert [endpoint.next(), endpoint.next()] == [tried, tried]


def test_a_log_that_was_put_in_the_place_of_another_is_told_from_then_on(
    follow: Follow, endpoint: Endpoint, book: Book, tmp_path: Path
) -> None:
    for _ in range(5):
        overrides.stop(book, None)
        overrides.resume(book, None)
    follow().stop()
    for file in tmp_path.glob("guard.db*"):
        if "webhook" not in file.name:
            file.unlink()
    with Book(book.path, "ann") as other:
        overrides.stop(other, None)
        follow()
        overrides.resume(other, None)
        assert endpoint.next()["type"] == "calls.resumed"


def test_the_file_that_says_how_far_a_receiver_is_told_tells_nothing_else(
    follow: Follow, endpoint: Endpoint, book: Book, tmp_path: Path
) -> None:
    follow()
    overrides.stop(book, None)
    endpoint.next()
    [place] = tmp_path.glob("*webhook*")
    assert place.stat().st_mode & 0o077 == 0
    assert place.read_bytes().isdigit()
    assert re.fullmatch("guard[.]db-webhook-[0-9a-f]{16}", place.name)
