"""Responses out of bytes: what each means, however it is cut, and what is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_guard.transports.http_client.errors import BrokenOffError, NotHttpError
from mcp_guard.transports.http_client.incoming import MOST_WITHOUT_BODY, Incoming

OK = b"HTTP/1.1 200 OK\r\n"
EMPTY = OK + b"Content-Length: 0\r\n\r\n"

CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"

# a name, what came, whether the server then closed: status, body, whether the connection can be used again
WHOLE = [
    ("a length", OK + b"Content-Length: 2\r\n\r\n{}", False, (200, b"{}", True)),
    ("a length of nothing", EMPTY, False, (200, b"", True)),
    ("no reason phrase", b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", False, (200, b"", True)),
    ("chunks", CHUNKED + b"2\r\n{}\r\n1;x=y\r\n!\r\n0\r\n\r\n", False, (200, b"{}!", True)),
    ("trailers", CHUNKED + b"1\r\n!\r\n0\r\nX: y\r\nZ: w\r\n\r\n", False, (200, b"!", True)),
    ("CHUNKS", OK + b"TRANSFER-ENCODING: CHUNKED\r\n\r\n0\r\n\r\n", False, (200, b"", True)),
    ("until it closes", OK + b"\r\n{}", True, (200, b"{}", False)),
    ("nothing until it closes", OK + b"\r\n", True, (200, b"", False)),
    ("a connection that ends", OK + b"Connection: close\r\nContent-Length: 1\r\n\r\n!", False, (200, b"!", False)),
    ("HTTP/1.0", b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n!", False, (200, b"!", False)),
    ("204", b"HTTP/1.1 204 No Content\r\n\r\n", False, (204, b"", True)),
    ("304 with a length", b"HTTP/1.1 304 -\r\nContent-Length: 5\r\n\r\n", False, (304, b"", True)),
    ("202", b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n", False, (202, b"", True)),
    ("100 before it", b"HTTP/1.1 100 Continue\r\n\r\n" + EMPTY, False, (200, b"", True)),
    ("two 103 before it", b"HTTP/1.1 103 -\r\nLink: </a>\r\n\r\n" * 2 + EMPTY, False, (200, b"", True)),
    ("blank lines after it", EMPTY + b"\r\n\r\n", False, (200, b"", True)),
    ("another response after it", EMPTY + EMPTY, False, (200, b"", False)),
    ("garbage after it", OK + b"Content-Length: 2\r\n\r\n{}GARBAGE", False, (200, b"{}", False)),
    ("a body that 204 has not", b"HTTP/1.1 204 -\r\nContent-Length: 5\r\n\r\nhello", False, (204, b"", False)),
    ("garbage after the end", OK + b"Connection: close\r\nContent-Length: 0\r\n\r\nX", False, (200, b"", False)),
]

NOT_HTTP = [
    ("another protocol", b"SSH-2.0-OpenSSH_9.6\r\n\r\n"),
    ("a length and chunks", OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n"),
    ("chunks and a length", OK + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n"),
    ("two lengths", OK + b"Content-Length: 2\r\nContent-Length: 200\r\n\r\n"),
    ("a length twice", OK + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n"),
    ("a list of lengths", OK + b"Content-Length: 2, 2\r\n\r\n"),
    ("a signed length", OK + b"Content-Length: +2\r\n\r\n"),
    ("an endless length", OK + b"Content-Length: 99999999999999999999\r\n\r\n"),
    ("an empty length", OK + b"Content-Length:\r\n\r\n"),
    ("another coding", OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n"),
    ("chunks within a coding", OK + b"Transfer-Encoding: chunked, gzip\r\n\r\n"),
    ("chunks twice", OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"),
    ("nearly chunks", OK + b"Transfer-Encoding: xchunked\r\n\r\n"),
    ("chunks of HTTP/1.0", b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
    ("a space before the colon", OK + b"Transfer-Encoding : chunked\r\n\r\n"),
    ("a folded line", OK + b"X: a\r\n b\r\n\r\n"),
    ("a NUL", OK + b"X: a\0b\r\n\r\n"),
    ("a lone CR", OK + b"X: a\rb\r\n\r\n"),
    ("a lone LF", b"HTTP/1.1 200 OK\nContent-Length: 0\n\n"),
    ("no name", OK + b": x\r\n\r\n"),
    ("HTTP/2", b"HTTP/2.0 200 OK\r\n\r\n"),
    ("HTTP/0.9", b"HTTP/0.9 200 OK\r\n\r\n"),
    ("a status of two digits", b"HTTP/1.1 20 OK\r\n\r\n"),
    ("a status below 100", b"HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n"),
    ("another protocol from now on", b"HTTP/1.1 101 -\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
    ("101 without a word", b"HTTP/1.1 101 -\r\n\r\n" + EMPTY),
    ("no chunk size", CHUNKED + b"zz\r\n"),
    ("a chunk size with a space", CHUNKED + b"2 \r\n{}\r\n0\r\n\r\n"),
    ("a chunk longer than it says", CHUNKED + b"2\r\n{}!!0\r\n\r\n"),
    ("an endless chunk", CHUNKED + b"FFFFFFFFFFFFFFFFFF\r\n"),
]

BROKEN_OFF = [
    ("nothing", b""),
    ("half a head", OK + b"Content-Le"),
    ("half a body", OK + b"Content-Length: 5\r\n\r\n{"),
    ("no last chunk", CHUNKED + b"2\r\n{}\r\n"),
    ("no end of the trailers", CHUNKED + b"0\r\nX: y\r\n"),
    ("only that it goes on", b"HTTP/1.1 100 Continue\r\n\r\n"),
]

Told = tuple[int, bytes, bool, bool, type[Exception] | None]


def told(pieces: list[bytes], closed: bool) -> Told:
    """What a response means that comes in these pieces: status, body, whole, kept, failure."""
    incoming, body = Incoming(), b""
    for piece in pieces:
        if incoming.failure is None:
            incoming.feed(piece)
        body += incoming.take()
    if closed and not incoming.over:
        incoming.end()
    return (
        incoming.status,
        body,
        incoming.complete,
        incoming.keeps,
        type(incoming.failure) if incoming.failure else None,
    )


@pytest.mark.parametrize(("said", "closed", "meant"), [case[1:] for case in WHOLE], ids=[case[0] for case in WHOLE])
def test_a_whole_response_means(said: bytes, closed: bool, meant: tuple[int, bytes, bool]) -> None:
    status, body, keeps = meant
    assert told([said], closed) == (status, body, True, keeps, None)


@pytest.mark.parametrize("said", [case[1] for case in NOT_HTTP], ids=[case[0] for case in NOT_HTTP])
def test_what_two_readers_could_read_in_two_ways_is_no_response(said: bytes) -> None:
    _, _, complete, keeps, failure = told([said], False)
    assert (complete, keeps, failure) == (False, False, NotHttpError)


@pytest.mark.parametrize("said", [case[1] for case in BROKEN_OFF], ids=[case[0] for case in BROKEN_OFF])
def test_what_ends_too_early_is_never_whole(said: bytes) -> None:
    _, _, complete, keeps, failure = told([said] if said else [], True)
    assert (complete, keeps, failure) == (False, False, BrokenOffError)


@pytest.mark.parametrize("said", [b"", b"H"])
def test_it_is_known_whether_anything_of_an_answer_came(said: bytes) -> None:
    incoming = Incoming()
    if said:
        incoming.feed(said)
    incoming.lost()
    assert isinstance(incoming.failure, BrokenOffError)
    assert incoming.failure.untouched is not bool(said)


EVERYTHING = [(said, closed) for _, said, closed, _ in WHOLE] + [(said, True) for _, said in NOT_HTTP + BROKEN_OFF]


@given(st.sampled_from(EVERYTHING), st.data())
def test_a_response_means_the_same_however_it_is_cut(case: tuple[bytes, bool], data: st.DataObject) -> None:
    said, closed = case
    cuts = sorted(data.draw(st.lists(st.integers(0, len(said)), max_size=8)))
    pieces = [said[start:end] for start, end in zip([0, *cuts], [*cuts, len(said)], strict=True) if start < end]
    status, body, complete, keeps, failure = told([said] if said else [], closed)
    found = told(pieces, closed)
    assert found[0] == status
    assert found[2:] == (complete, keeps, failure)
    assert body == found[1] or failure is not None


@given(st.binary(max_size=400), st.integers(1, 60), st.sampled_from([b"", OK, CHUNKED]))
def test_no_bytes_make_it_raise(said: bytes, step: int, start: bytes) -> None:
    said = start + said
    incoming = Incoming()
    for at in range(0, len(said), step):
        incoming.feed(said[at : at + step])
    incoming.end()
    assert incoming.over
    assert not (incoming.complete and incoming.failure)


ENDLESS = [
    ("a field", OK + b"X: ", b"x" * 1000),
    ("fields", OK, b"X: y\r\n" * 100),
    ("informational responses", b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 50),
    ("a trailer", CHUNKED + b"1\r\n!\r\n0\r\nX: ", b"x" * 1000),
    ("trailers", CHUNKED + b"0\r\n", b"X: y\r\n" * 100),
    ("an extension of a chunk", CHUNKED + b"1;", b"x" * 1000),
    ("blank lines", b"", b"\r\n" * 500),
]


@pytest.mark.parametrize(("start", "rest"), [case[1:] for case in ENDLESS], ids=[case[0] for case in ENDLESS])
def test_what_brings_nothing_of_a_body_is_bounded(start: bytes, rest: bytes) -> None:
    incoming, fed = Incoming(), 0
    if start:
        incoming.feed(start)
    while incoming.failure is None:
        incoming.feed(rest)
        fed += len(rest)
        assert fed <= MOST_WITHOUT_BODY + len(rest)


def test_a_long_head_is_taken_and_a_long_body_is_not_bounded_here() -> None:
    long = b"x" * 64 * 1024
    incoming = Incoming()
    incoming.feed(OK + b"X: " + long + b"\r\nContent-Length: 10000000\r\n\r\n")
    for _ in range(10_000):
        incoming.feed(b"y" * 1000)
        incoming.take()
    assert incoming.get("x") == long.decode()
    assert incoming.complete


def test_fields_are_found_by_any_case_and_several_of_one_name_are_one_but_for_cookies() -> None:
    incoming = Incoming()
    incoming.feed(b"HTTP/1.1 103 -\r\nEarly: 1\r\nSet-Cookie: early=1\r\n\r\n")
    incoming.feed(OK + b"WWW-Authenticate: Basic \t\r\nwww-authenticate: Bearer\r\nEmpty:\r\nLatin: \xe9\r\n")
    incoming.feed(b"Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nTrailer: 1\r\n\r\n")
    assert incoming.get("WWW-authenticate") == "Basic, Bearer"
    assert (incoming.get("empty"), incoming.get("latin")) == ("", "é")
    assert (incoming.get("early"), incoming.get("trailer"), incoming.get("absent")) == (None, None, None)
    assert incoming.cookies == [b"a=1", b"b=2"]
