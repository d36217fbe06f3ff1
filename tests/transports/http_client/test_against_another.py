"""Responses as another client understands them: what ours takes for whole, the other takes for the same or for none.

And bytes that nobody understands: they end in the client's own error, and soon.
"""

import asyncio

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_guard.transports.http_client.errors import HttpError
from mcp_guard.transports.http_client.url import Url
from tests.transports.http_client.raw import Peer, client_of, get, serving, whole
from tests.transports.http_client.test_incoming import WHOLE

Understood = tuple[int, bytes] | None


async def both(said: bytes) -> tuple[Understood, Understood]:
    """What our client and the other make of the same bytes of a server that closes after them."""

    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.say(said)

    async with serving(script) as raw:
        ours = await by_us(raw.url)
        try:
            async with httpx2.AsyncClient(trust_env=False) as client:
                response = await client.get(str(raw.url), headers={"Accept-Encoding": "identity"})
                theirs = response.status_code, response.content
        except httpx2.HTTPError:
            theirs = None
    return ours, theirs


async def by_us(url: Url) -> Understood:
    async with client_of(url) as client:
        try:
            response = await get(client)
            return response.status, await whole(response)
        except HttpError:
            return None


def compared(said: bytes) -> tuple[Understood, Understood]:
    return asyncio.run(asyncio.wait_for(both(said), 10))


HEADS = st.lists(
    st.sampled_from(
        [
            *(b"Content-Type: application/json", b"X: y", b"X:", b"Connection: close", b"Connection: keep-alive"),
            *(b"Content-Length: 5", b"Content-Length: 4", b"content-length:5 ", b"Transfer-Encoding: chunked"),
            *(b"TRANSFER-ENCODING: Chunked", b"Transfer-Encoding: identity", b"Trailer: X", b" folded", b"bad name: x"),
        ]
    ),
    max_size=4,
)
STATUS_LINES = st.sampled_from(
    [b"HTTP/1.1 200 OK", b"HTTP/1.1 404 ", b"HTTP/1.0 200 OK", b"HTTP/1.1 204 -", b"HTTP/1.1 100 -", b"HTTP/2.0 200 OK"]
)
BODIES = st.sampled_from(
    [b"", b"hello", b"hello!", b"5\r\nhello\r\n0\r\n\r\n", b"5;x\r\nhello\r\n0\r\nX: y\r\n\r\n", b"5\r\nhello\r\n"]
)


@settings(max_examples=60, deadline=None)
@given(STATUS_LINES, HEADS, BODIES, BODIES)
def test_whatever_is_taken_for_whole_is_the_same_to_both(
    status: bytes, fields: list[bytes], body: bytes, after: bytes
) -> None:
    ours, theirs = compared(b"".join(line + b"\r\n" for line in (status, *fields, b"")) + body + after)
    assert ours is None or theirs is None or ours == theirs


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([case[1] for case in WHOLE] + [b""]), st.binary(max_size=20), st.data())
def test_no_bytes_make_it_raise_anything_else_or_hang(said: bytes, noise: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(said)))
    asyncio.run(asyncio.wait_for(answered_with(said[:at] + noise + said[at + len(noise) :]), 10))


async def answered_with(said: bytes) -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.say(said)

    async with serving(script) as raw:
        await by_us(raw.url)


@pytest.mark.parametrize("said", [case[1] for case in WHOLE], ids=[case[0] for case in WHOLE])
def test_a_whole_response_is_the_same_to_both(said: bytes) -> None:
    ours, theirs = compared(said)
    assert ours is not None
    assert ours == theirs or theirs is None
